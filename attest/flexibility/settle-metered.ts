import { closedEnergies, type EnergyAt, energiesOf, type IntervalEnergy } from "../baseline/energies.ts";
import { sameMeter } from "../channel-rules.ts";
import { CLOSE_SHAPE, DISCONTINUITY, type IntervalClose, KNOWN_TIME } from "../leaf.ts";
import { hasShape } from "../segments.ts";
import type { SettlementEvidence } from "./settle-types.ts";

/** What the closes of the commitment's channel say, and what they leave out. */

/** [fromMs, toMs), UTC. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Energies from which one can tell afterwards how far back they were asked for. */
export interface AskedEnergies {
  readonly energyAt: EnergyAt;
  /** The earliest interval that was asked for. */
  earliestMs(): number | undefined;
}

const METER_CHANGES: ReadonlySet<number> = new Set([
  DISCONTINUITY.registerReset,
  DISCONTINUITY.meterReplaced,
  DISCONTINUITY.settingsChanged,
]);

/** An interval that is stated twice, because the clock was set back over it, counts as missing: nobody knows which holds. */
export function askedEnergies(closes: readonly IntervalClose[], intervalMs: number): AskedEnergies {
  const energyAt = energiesOf(statedOnce(closedEnergies(closes, intervalMs)), intervalMs);
  let earliestMs: number | undefined;
  return {
    energyAt: (startMs) => {
      earliestMs = Math.min(startMs, earliestMs ?? startMs);
      return energyAt(startMs);
    },
    earliestMs: () => earliestMs,
  };
}

function statedOnce(intervals: readonly IntervalEnergy[]): IntervalEnergy[] {
  const seen = new Set<number>();
  const twice = new Set<number>();
  for (const { startMs } of intervals) (seen.has(startMs) ? twice : seen).add(startMs);
  return intervals.filter(({ startMs }) => !twice.has(startMs));
}

/** Why an interval is missing that begins at a time. */
export type GapAt = (startMs: number) => "gap-before-notice" | "gap";

/**
 * Whether a missing interval was dark since before the notice. That takes a discontinuity, which states from when to when
 * nothing was read, and no close in between: a boundary that was merely missed could have been missed for the purpose.
 * The leaves are gone through once, however many intervals are missing.
 */
export function gapsOf({ order: { issuedAtMs }, closes, discontinuities }: SettlementEvidence): GapAt {
  let darkToMs = Number.NEGATIVE_INFINITY;
  for (const { gapFromMs, gapToMs } of discontinuities)
    if (gapFromMs <= issuedAtMs) darkToMs = Math.max(darkToMs, gapToMs);
  let readMs = Number.POSITIVE_INFINITY;
  for (const { t0Ms, t1Ms } of closes)
    for (const ms of [t0Ms, t1Ms]) if (ms > issuedAtMs) readMs = Math.min(readMs, ms);
  return (startMs) => (startMs < darkToMs && startMs < readMs ? "gap-before-notice" : "gap");
}

/**
 * The first leaf during `span` that states a change of the meter, or the first close of another meter, however that is
 * called: energies before it and after it are not of one measurement.
 */
export function meterChange(evidence: SettlementEvidence, span: Span): { readonly seq: number } | undefined {
  const { before, within, last } = closesOver(evidence.closes, span);
  // Where the clock was set, a time says nothing of when it was: the place in the log does.
  const isPlaced = isClockStepped(evidence, span);
  const stated = evidence.discontinuities.find(({ classification, seq, timeMs, timeQuality }) => {
    const isTimed = timeQuality >= KNOWN_TIME && span.fromMs <= timeMs && timeMs < span.toMs;
    const isBetween = (before?.seq ?? -1) < seq && seq < (last?.seq ?? -1);
    const isWithin = isTimed || ((isPlaced || timeQuality < KNOWN_TIME) && isBetween);
    return isWithin && METER_CHANGES.has(classification);
  });
  return stated ?? otherMeter(evidence, within);
}

function otherMeter(
  { meters }: SettlementEvidence,
  within: readonly IntervalClose[],
): IntervalClose | undefined {
  const first = meters?.get(within[0]?.manifestSeq ?? -1);
  return within.find(({ manifestSeq }) => {
    const meter = meters?.get(manifestSeq);
    return first !== undefined && meter !== undefined && !sameMeter(first, meter);
  });
}

/** Whether the clock was set, or lost, during `span`. */
export function isClockStepped({ closes }: SettlementEvidence, span: Span): boolean {
  const { before, within } = closesOver(closes, span);
  const first = before ?? within[0];
  return within.some(
    (close) => hasShape(close, CLOSE_SHAPE.bridges) || close.lastClockStepSeq !== first?.lastClockStepSeq,
  );
}

/**
 * What the registers show to have flowed between two closes of a span, mWh, by size: a break at an interval's very edge
 * loses no interval, and what the meter counted in it all the same.
 */
export function energyBetween({ closes }: SettlementEvidence, span: Span): bigint {
  const { within } = closesOver(closes, span);
  return within.reduce((sum, close, at) => {
    const before = within[at - 1];
    if (before === undefined || before.manifestSeq !== close.manifestSeq) return sum;
    const imported = rise(before.closingImportMwh, close.openingImportMwh);
    return sum + imported + rise(before.closingExportMwh, close.openingExportMwh);
  }, 0n);
}

function rise(from: number | undefined, to: number | undefined): bigint {
  return from === undefined || to === undefined || to < from ? 0n : BigInt(to) - BigInt(from);
}

/** The closes that reach into a span, in the order of the log. */
export interface ClosesOver {
  /** The last one before the first that reaches into the span. */
  readonly before: IntervalClose | undefined;
  readonly within: readonly IntervalClose[];
  readonly last: IntervalClose | undefined;
}

export function closesOver(closes: readonly IntervalClose[], { fromMs, toMs }: Span): ClosesOver {
  const first = closes.findIndex(({ t1Ms }) => t1Ms > fromMs);
  if (first < 0) return { before: closes.at(-1), within: [], last: undefined };
  const within = closes.slice(first, closes.findLastIndex(({ t0Ms }) => t0Ms < toMs) + 1);
  return { before: closes[first - 1], within, last: within.at(-1) };
}
