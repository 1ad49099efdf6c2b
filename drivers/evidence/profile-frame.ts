import type { MeterReading } from "../../attest/reading.ts";
import { present } from "../present.ts";
import { type Answer, Blocks } from "../profile/blocks.ts";
import type { CompiledProfile, ReadPlan } from "../profile/compiled.ts";
import { Values } from "../profile/evaluate.ts";
import { snapshotOf } from "../profile/readings.ts";
import type { DecodedChannel, DecodedFrame } from "./decoded.ts";
import { type RegisterRun, registerRuns } from "./register-frame.ts";

/** Snapshots with an interval of their own are in a reading or not: more of them would be too many combinations. */
const MOST_SELDOM = 8;

/**
 * The readings of a frame of registers by the profile that read them. The frame tells by its requests which snapshots
 * it holds; a frame that none of the profile's readings would ask for so, or two that say different things, is not
 * guessed at. Throws Problem `frame-form`.
 */
export function decodeProfileFrame(compiled: CompiledProfile, bytes: Uint8Array): DecodedFrame {
  const runs = registerRuns(bytes);
  const plans = plansOf(compiled);
  if (plans === undefined) return { cannotDecode: "the profile has too many snapshots with an interval" };
  const decoded = new Map<string, readonly DecodedChannel[]>();
  for (const plan of plans) {
    const answers = answersOf(plan, runs);
    if (answers === undefined) continue;
    const channels = channelsOf(compiled, new Blocks(plan, answers));
    decoded.set(JSON.stringify(channels), channels);
  }
  const [channels, ...others] = decoded.values();
  if (channels === undefined)
    return { cannotDecode: "the registers are not those that a reading by the profile asks for" };
  if (others.length > 0) return { cannotDecode: "the registers do not tell which snapshots they are of" };
  return { channels };
}

/** Every set of requests that a reading may consist of; undefined when they are too many. */
function plansOf({ profile, plan }: CompiledProfile): readonly ReadPlan[] | undefined {
  const snapshots = Object.entries(profile.snapshots).filter(([, { interval }]) => interval !== "identify");
  // One that a device may lack is asked for by itself, so that its answers can be missing from any plan.
  const seldom = snapshots
    .filter(([, { interval, optional }]) => interval !== "poll" && !optional)
    .map(([name]) => name);
  if (seldom.length > MOST_SELDOM) return undefined;
  return Array.from({ length: 2 ** seldom.length }, (_, bits) => {
    const left = new Set(seldom.filter((_name, at) => ((bits >> at) & 1) === 1));
    return plan(snapshots.flatMap(([name]) => (left.has(name) ? [] : [name])));
  });
}

/** The runs as answers to a plan's requests; undefined unless each run is one, and only what may be missing is. */
function answersOf({ requests }: ReadPlan, runs: readonly RegisterRun[]): readonly Answer[] | undefined {
  const left = [...runs];
  const answers: Answer[] = [];
  for (const request of requests) {
    const { table, start, count, optional } = request;
    const at = left.findIndex(
      (run) => run.table === table && run.start === start && run.registers.length === count,
    );
    const [run] = at < 0 ? [] : left.splice(at, 1);
    if (run === undefined && !optional) return undefined;
    answers.push(
      run === undefined ? { request, absent: "not answered" } : { request, registers: run.registers },
    );
  }
  return left.length === 0 ? answers : undefined;
}

function channelsOf(compiled: CompiledProfile, blocks: Blocks): readonly DecodedChannel[] {
  const values = new Values(compiled, blocks);
  const channels = Object.entries(compiled.profile.channels);
  const described = channels.map(([name, { role }]) => ({ name, role, quantities: [] }));
  const context = { compiled, values, described, signs: {}, ratings: new Map() };
  // The driver takes nothing from a device that answers with nothing but zeros.
  const readings = blocks.allZero ? [] : snapshotOf(context).readings;
  return channels.map(([name, { role }]) => {
    const { resolutionMwh, ...reading }: MeterReading = readings.find(({ channel }) => channel === name) ?? {
      channel: name,
      evidence: values.evidence,
    };
    return present<DecodedChannel>({ reading, role, resolutionMwh, otherwise: reversed(reading) });
  });
}

/** The configuration's `positive` turns the power of a channel, and nothing else. */
function reversed(reading: Omit<MeterReading, "resolutionMwh">): DecodedChannel["otherwise"] {
  const { activePowerMw = 0, channel } = reading;
  if (activePowerMw === 0) return undefined;
  return { setting: `positive.${channel}`, reading: { ...reading, activePowerMw: -activePowerMw } };
}
