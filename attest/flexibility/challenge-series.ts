import { KNOWN_TIME, type Leaf } from "../leaf.ts";
import { ACKNOWLEDGEMENT } from "../leaf-flexibility.ts";
import { READING_STATUS } from "../reading.ts";
import type { ChallengeOrder } from "./orders.ts";
import type { Sign } from "./pattern.ts";

/** One reading of a channel, as its log has it. */
export interface PowerSample {
  readonly atMs: number;
  /** + into the channel's boundary. */
  readonly powerMw: number;
  readonly importMwh?: number;
  readonly exportMwh?: number;
  readonly stateOfChargePpm?: number;
}

/** When a challenge began by the device's clock, and with which leaf. */
export interface ChallengeStart {
  readonly startedSeq: number;
  readonly startedMs: number;
}

type Steps = Pick<ChallengeOrder, "steps" | "stepMs">;

/** Samples of one series that are looked at: four and a half a second over the longest challenge. */
export const MOST_SAMPLES = 4096;
/** A step with fewer in its settled part is incomplete. */
export const LEAST_SAMPLES = 2;
/** A gigawatt: what is beyond it is no reading of a device. */
const MOST_POWER_MW = 1e12;

/** The first acknowledgement that says that a challenge was started; undefined where there is none. */
export function challengeStart(leaves: Iterable<Leaf>, challengeSeq: number): ChallengeStart | undefined {
  for (const leaf of leaves) {
    if (leaf.kind !== "acknowledgement" || leaf.orderSeq !== challengeSeq) continue;
    if (leaf.state === ACKNOWLEDGEMENT.started && leaf.timeQuality >= KNOWN_TIME)
      return { startedSeq: leaf.seq, startedMs: leaf.timeMs };
  }
  return undefined;
}

/**
 * Readings with power of a channel that the log holds behind the start, within the challenge, by ascending time. What the
 * meter itself calls stale is not among them, and neither is what is later in the log and not later in time.
 */
export function challengeSeries(
  leaves: Iterable<Leaf>,
  channel: number,
  { start, order }: { readonly start: ChallengeStart; readonly order: Steps },
): readonly PowerSample[] {
  const samples: PowerSample[] = [];
  const endMs = start.startedMs + order.steps * order.stepMs;
  for (const leaf of leaves) {
    if (leaf.kind !== "reading" || leaf.channel !== channel || leaf.seq <= start.startedSeq) continue;
    const sample = sampleOf(leaf);
    if (sample === undefined || sample.atMs < start.startedMs || sample.atMs >= endMs) continue;
    if (sample.atMs > (samples.at(-1)?.atMs ?? -1)) samples.push(sample);
  }
  return samples;
}

function sampleOf(leaf: Extract<Leaf, { readonly kind: "reading" }>): PowerSample | undefined {
  const { activePowerMw, importMwh, exportMwh, stateOfChargePpm, timeMs, timeQuality, status = 0 } = leaf;
  if (activePowerMw === undefined || timeQuality < KNOWN_TIME || (status & READING_STATUS.stale) !== 0)
    return undefined;
  return {
    atMs: timeMs,
    powerMw: activePowerMw,
    ...(importMwh === undefined ? {} : { importMwh }),
    ...(exportMwh === undefined ? {} : { exportMwh }),
    ...(stateOfChargePpm === undefined ? {} : { stateOfChargePpm }),
  };
}

/** The samples that are looked at: within the challenge, ascending, of a possible power. */
export function samplesWithin(
  samples: readonly PowerSample[],
  startedMs: number,
  { steps, stepMs }: Steps,
): readonly PowerSample[] {
  const endMs = startedMs + steps * stepMs;
  let lastMs = startedMs - 1;
  const within = samples.filter(({ atMs, powerMw }) => {
    if (atMs <= lastMs || atMs >= endMs || Math.abs(powerMw) > MOST_POWER_MW) return false;
    lastMs = atMs;
    return true;
  });
  return within.slice(0, MOST_SAMPLES);
}

/** The mean of each step's last half, whole mW, rounded down; undefined where there are fewer than two samples. */
export function settledMeans(
  within: readonly PowerSample[],
  startedMs: number,
  { steps, stepMs }: Steps,
): readonly (number | undefined)[] {
  const sums = Array.from({ length: steps }, () => ({ sumMw: 0, count: 0 }));
  for (const { atMs, powerMw } of within) {
    const sinceMs = atMs - startedMs;
    const sum = sums[Math.floor(sinceMs / stepMs)];
    if (sum === undefined || 2 * (sinceMs % stepMs) < stepMs) continue;
    sum.sumMw += powerMw;
    sum.count += 1;
  }
  return sums.map(({ sumMw, count }) => (count < LEAST_SAMPLES ? undefined : Math.floor(sumMw / count)));
}

/** Between which delays a series follows the pattern best, ms; the truth is there if it is a plain delay. */
export interface Lag {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Delays are tried in steps of this. */
const LAG_STEP_MS = 100;

/**
 * How long after a step begins half of its change is there: of the delays of less than a step, those for which the signed sum of
 * all samples, less the mean of the steps' means, is the greatest. Samples of the first step are not asked, since what was
 * before is not known.
 */
export function lagOf(
  within: readonly PowerSample[],
  { means, signs }: { readonly means: readonly number[]; readonly signs: readonly Sign[] },
  { startedMs, stepMs }: { readonly startedMs: number; readonly stepMs: number },
): Lag {
  const middleMw = Math.floor(means.reduce((sum, mean) => sum + mean, 0) / means.length);
  const asked = within.filter(({ atMs }) => atMs - startedMs >= stepMs);
  let best: Lag = { fromMs: 0, toMs: 0 };
  let mostMw = Number.NEGATIVE_INFINITY;
  for (let lagMs = 0; lagMs < stepMs; lagMs += LAG_STEP_MS) {
    const fitMw = asked.reduce((sum, { atMs, powerMw }) => {
      const sign = signs[Math.floor((atMs - startedMs - lagMs) / stepMs)] ?? 0;
      return sum + sign * (powerMw - middleMw);
    }, 0);
    if (fitMw > mostMw) best = { fromMs: lagMs, toMs: lagMs };
    else if (fitMw === mostMw && lagMs === best.toMs + LAG_STEP_MS) best = { ...best, toMs: lagMs };
    mostMw = Math.max(mostMw, fitMw);
  }
  return best;
}
