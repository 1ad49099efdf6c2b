import { Problem } from "../../attest/problem.ts";
import { formatText } from "../line/address.ts";
import type { RtuLineSettings } from "../modbus/settings.ts";
import { askingMs, askOnLine } from "./ask-line.ts";
import { likelyFirst } from "./likely.ts";
import { type AnsweringFormat, LineSweep, type SweepListener } from "./line-sweep.ts";
import type { Hearing } from "./listen-ear.ts";
import { speakerOptions } from "./listen-known.ts";
import { listenOnLine } from "./listen-line.ts";
import { type ListenStop, listeningMs, noticingMs } from "./listen-plan.ts";
import { PlaceSurvey } from "./place-survey.ts";
import { probeRanges, type SweepStop, sweepMs } from "./sweep-plan.ts";
import type { DiscoveryTerms, FoundMeter, PlaceReport } from "./terms.ts";
import { SERIAL_UNITS } from "./units.ts";

/** What came of one serial line. */
export interface LineReport {
  readonly path: string;
  /** Settings at which something answers to Modbus, with what it is. */
  readonly places: readonly PlaceReport[];
  /** Meters that speak by themselves, or that answer in their own way. */
  readonly meters: readonly FoundMeter[];
  /** Settings at which bytes came that were no answer, in words; nothing else answered. */
  readonly damaged: readonly string[];
  /** Settings at which bytes came without being asked for, in words, when nobody knows who speaks: nothing was asked. */
  readonly unknown: readonly string[];
  readonly problem?: Problem;
  readonly requests: number;
}

/** What is done on one serial line. */
export interface LinePlan {
  readonly listening: readonly ListenStop[];
  readonly sweep: readonly SweepStop[];
}

interface Surroundings {
  readonly terms: DiscoveryTerms;
  readonly listener: SweepListener;
}

/** How long one line takes at most, if nothing answers, ms. */
export function lineMs(plan: LinePlan, { serial, meters, thorough }: DiscoveryTerms): number {
  const noticing = noticingMs(plan.listening, thorough);
  const asking = noticing + sweepMs(plan.sweep, serial.probeMs) + askingMs(meters.askers);
  return Math.max(listeningMs(plan.listening, meters.times), asking);
}

/**
 * Listens on one serial line, and asks there only where nobody speaks: a meter that speaks by itself is not disturbed.
 * What fails is in the report.
 */
export async function surveyLine(
  path: string,
  plan: LinePlan,
  { terms, listener }: Surroundings,
): Promise<LineReport> {
  const nothing = { path, places: [], meters: [], damaged: [], unknown: [], requests: 0 };
  try {
    const listened = await listenOnLine(path, plan.listening, { terms, listener });
    if (listened.kind === "meter") return { ...nothing, meters: [speakerOf(path, listened.hearing)] };
    if (listened.kind === "unknown") return { ...nothing, unknown: listened.formats.map(formatText) };
    return await askEverybody(path, plan, { terms, listener });
  } catch (error) {
    if (terms.signal.aborted) return nothing;
    if (!(error instanceof Problem)) throw error;
    return { ...nothing, problem: toldPlainly(error, path) };
  }
}

/** Modbus first, which most meters on a line speak; then those that take their time. */
async function askEverybody(
  path: string,
  { listening, sweep }: LinePlan,
  { terms, listener }: Surroundings,
): Promise<LineReport> {
  const after = (beforeMs: number): SweepListener => ({
    onProgress: (spentMs) => listener.onProgress(beforeMs + spentMs),
  });
  const heardMs = noticingMs(listening, terms.thorough);
  const { answering, damaged, requests } = await new LineSweep(path, terms, after(heardMs)).run(sweep);
  const places: PlaceReport[] = [];
  for (const found of answering) places.push(await surveyFormat(path, found, terms));
  const isDone = places.length > 0 && !terms.thorough;
  const sweptMs = heardMs + sweepMs(sweep, terms.serial.probeMs);
  const meters = isDone ? [] : await askOnLine(path, { terms, listener: after(sweptMs) });
  const asked = places.reduce((sum, place) => sum + place.requests, requests);
  return { path, places, meters, damaged: damaged.map(formatText), unknown: [], requests: asked };
}

/** What stands between a whole telegram and a reading. */
function reservations(
  kind: Hearing["kind"],
  problem: Problem | undefined,
): Pick<FoundMeter, "encrypted" | "needs" | "unfit"> {
  if (problem === undefined) return { encrypted: false };
  if (NEEDS_KEY.test(problem.code)) return { encrypted: true };
  return {
    encrypted: false,
    ...(kind === "locked" ? { needs: problem.message } : { unfit: problem.message }),
  };
}

/** A telegram that says nothing without a key, whatever its protocol. */
const NEEDS_KEY = /-(?:encrypted|key-missing)$/;

function speakerOf(path: string, { listening, format, what, kind, identity, problem }: Hearing): FoundMeter {
  const { driver } = listening;
  const [ownFormat = format] = listening.formats;
  return {
    ...{ driver, how: "listened", because: `a whole ${what}`, options: speakerOptions(driver) },
    place: { kind: "serial", path, format, ownFormat },
    ...(identity === undefined ? {} : { identity }),
    ...reservations(kind, problem),
  };
}

async function surveyFormat(
  path: string,
  { format, units }: AnsweringFormat,
  terms: DiscoveryTerms,
): Promise<PlaceReport> {
  const place: RtuLineSettings = { transport: "rtu", path, ...format };
  const { replyMs } = terms.serial;
  const profiles = likelyFirst(terms.profiles, place);
  const openers = probeRanges(format, profiles).map((range) => ({ range }));
  const survey = new PlaceSurvey(
    {
      ...{ place, replyMs, connectDelayMs: 0, insist: true, mayMirror: false },
      openLine: terms.openLine(place, replyMs),
      turn: () => Promise.resolve(),
      units: { likely: units, all: false, range: SERIAL_UNITS },
      openers: { first: openers, other: openers },
    },
    { ...terms, profiles },
  );
  return await survey.run();
}

/** The usual reason for a port that is taken is the agent itself. */
function toldPlainly(problem: Problem, path: string): Problem {
  if (problem.code !== "line-busy") return problem;
  return new Problem("line-busy", "another program has the port open", {
    where: path,
    hint: "stop the agent first if it is the one: systemctl stop kilowitness-agent",
    cause: problem,
  });
}
