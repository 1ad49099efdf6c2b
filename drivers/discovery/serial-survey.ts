import { Problem } from "../../attest/problem.ts";
import type { RtuLineSettings } from "../modbus/settings.ts";
import { likelyFirst } from "./likely.ts";
import { type AnsweringFormat, LineSweep, type SweepListener } from "./line-sweep.ts";
import { PlaceSurvey } from "./place-survey.ts";
import { formatText } from "./serial-format.ts";
import { probeRanges, type SweepStop } from "./sweep-plan.ts";
import type { DiscoveryTerms, PlaceReport } from "./terms.ts";
import { SERIAL_UNITS } from "./units.ts";

/** What came of one serial line. */
export interface LineReport {
  readonly path: string;
  /** Settings at which something answers, with what it is. */
  readonly places: readonly PlaceReport[];
  /** Settings at which bytes came that were no answer, in words; nothing else answered. */
  readonly damaged: readonly string[];
  readonly problem?: Problem;
  readonly requests: number;
}

/** Sweeps one serial line and finds out what answers on it. What fails is in the report. */
export async function surveyLine(
  path: string,
  stops: readonly SweepStop[],
  { terms, listener }: { readonly terms: DiscoveryTerms; readonly listener: SweepListener },
): Promise<LineReport> {
  const places: PlaceReport[] = [];
  try {
    const { answering, damaged, requests } = await new LineSweep(path, terms, listener).run(stops);
    for (const found of answering) places.push(await surveyFormat(path, found, terms));
    const asked = places.reduce((sum, place) => sum + place.requests, requests);
    return { path, places, damaged: damaged.map(formatText), requests: asked };
  } catch (error) {
    const nothing = { path, places, damaged: [], requests: 0 };
    if (terms.signal.aborted) return nothing;
    if (!(error instanceof Problem)) throw error;
    return { ...nothing, problem: toldPlainly(error, path) };
  }
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
