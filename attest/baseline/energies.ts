import type { IntervalClose } from "../leaf.ts";
import { Problem } from "../problem.ts";

/**
 * Net energy of an interval, mWh, + into the boundary, by the interval's start (UTC ms, a multiple of the interval's
 * length). Undefined is missing.
 */
export type EnergyAt = (startMs: number) => number | undefined;

/** One market interval. */
export interface IntervalEnergy {
  readonly startMs: number;
  readonly energyMwh: number;
}

/**
 * The energies of a list, in any order. Throws Problem `baseline-energy` for a start off the grid of intervals, for an
 * energy that is no safe integer, and for two energies of one interval.
 */
export function energiesOf(intervals: Iterable<IntervalEnergy>, intervalMs: number): EnergyAt {
  const known = new Map<number, number>();
  for (const { startMs, energyMwh } of intervals) {
    const where = `interval ${startMs}`;
    if (!Number.isSafeInteger(startMs) || startMs % intervalMs !== 0)
      throw new Problem("baseline-energy", "not the start of an interval", {
        where,
        expected: `a multiple of ${intervalMs} ms`,
      });
    if (!Number.isSafeInteger(energyMwh))
      throw new Problem("baseline-energy", "not an energy", {
        where,
        expected: "whole mWh",
        got: String(energyMwh),
      });
    if (known.has(startMs)) throw new Problem("baseline-energy", "the interval has two energies", { where });
    known.set(startMs, energyMwh);
  }
  return (startMs) => known.get(startMs);
}

/**
 * The net energies that a channel's interval closes state: import less export, where the registers of both ends are
 * there. A close that does not span exactly one interval (a partial one, or one over several) states none: its energy
 * has no place inside the interval, and the interval is missing.
 */
export function closedEnergies(closes: Iterable<IntervalClose>, intervalMs: number): IntervalEnergy[] {
  return [...closes].flatMap((close) => {
    const isOneInterval = close.t0Ms % intervalMs === 0 && close.t1Ms - close.t0Ms === intervalMs;
    const energyMwh = isOneInterval ? netMwh(close) : undefined;
    return energyMwh === undefined ? [] : [{ startMs: close.t0Ms, energyMwh }];
  });
}

function netMwh(close: IntervalClose): number | undefined {
  const imported = difference(close.openingImportMwh, close.closingImportMwh);
  const exported = difference(close.openingExportMwh, close.closingExportMwh);
  return imported === undefined && exported === undefined ? undefined : (imported ?? 0) - (exported ?? 0);
}

function difference(opening: number | undefined, closing: number | undefined): number | undefined {
  return opening === undefined || closing === undefined ? undefined : closing - opening;
}
