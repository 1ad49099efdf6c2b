import { closedEnergies, type EnergyAt, energiesOf, type IntervalEnergy } from "../baseline/energies.ts";
import { CLOSE_SHAPE, DISCONTINUITY, type Discontinuity, type IntervalClose, KNOWN_TIME } from "../leaf.ts";
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

/**
 * Whether a missing interval was dark since before the notice. That takes a discontinuity, which states from when to when
 * nothing was read, and no close in between: a boundary that was merely missed could have been missed for the purpose.
 */
export function gapOf(
  { order: { issuedAtMs }, closes, discontinuities }: SettlementEvidence,
  startMs: number,
): "gap-before-notice" | "gap" {
  const isDark = discontinuities.some(
    ({ gapFromMs, gapToMs }) => gapFromMs <= issuedAtMs && startMs < gapToMs,
  );
  const isBetween = (ms: number): boolean => issuedAtMs < ms && ms <= startMs;
  const wasRead = closes.some(({ t0Ms, t1Ms }) => isBetween(t0Ms) || isBetween(t1Ms));
  return isDark && !wasRead ? "gap-before-notice" : "gap";
}

/** The first change of the meter during `span`: energies before it and after it are not of one measurement. */
export function meterChange(evidence: SettlementEvidence, span: Span): Discontinuity | undefined {
  const { before, last } = closesOver(evidence.closes, span);
  return evidence.discontinuities.find(({ classification, seq, timeMs, timeQuality }) => {
    const isWithin =
      timeQuality >= KNOWN_TIME
        ? span.fromMs <= timeMs && timeMs < span.toMs
        : (before?.seq ?? -1) < seq && seq < (last?.seq ?? -1);
    return isWithin && METER_CHANGES.has(classification);
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
