/** Which units of a line or a host are asked, in which order. */
export interface UnitPlan {
  /** Likely ones, in order. */
  readonly likely: readonly number[];
  /** Every other one after them. */
  readonly all: boolean;
  /** The range of units that may be asked beyond the likely ones. */
  readonly range: readonly [number, number];
}

/** How a unit turned out: a device of its own, nothing, or another unit's device once more. */
export type UnitOutcome = "present" | "absent" | "alike";

/** Behind a unit that is there, so many are asked without finding one before it is given up. */
const MISSES = 3;
/** Units of a serial line (Modbus over Serial Line v1.02, 2.2). */
export const SERIAL_UNITS: readonly [number, number] = [1, 247];
/** Where SunSpec devices were found over TCP: SMA at 126, meters behind Fronius at 200 and 240, Kostal at 71. */
const SUNSPEC_UNITS = [1, 2, 3, 126, 200, 240, 71] as const;
/** Also seen: Victron's system at 100, GoodWe and others at 247, gateways themselves at 255 and 0. */
const OTHER_TCP_UNITS = [100, 247, 255, 0] as const;
/** Installers count from 1. */
const FIRST_SERIAL_UNITS = [1, 2, 3] as const;

/** Likely units of a serial line: the first ones, then those that devices are delivered with. */
export function serialUnits(delivered: readonly number[]): readonly number[] {
  const [from, to] = SERIAL_UNITS;
  return unique([...FIRST_SERIAL_UNITS, ...byFrequency(delivered)]).filter(
    (unit) => unit >= from && unit <= to,
  );
}

/** Likely units of a host: those that devices are delivered with, then what was seen elsewhere. */
export function tcpUnits(delivered: readonly number[]): readonly number[] {
  return unique([1, ...byFrequency(delivered), ...SUNSPEC_UNITS, ...OTHER_TCP_UNITS]);
}

/**
 * The unit to ask next; undefined when all are done. `grow` goes on behind units that were found: meters on one line
 * are numbered in a row.
 */
export function nextUnit(
  { likely, all, range: [from, to] }: UnitPlan,
  outcomes: ReadonlyMap<number, UnitOutcome>,
  grow: boolean,
): number | undefined {
  const first = likely.find((unit) => !outcomes.has(unit));
  if (first !== undefined) return first;
  for (let unit = from; unit <= to; unit++) {
    if (outcomes.has(unit)) continue;
    if (all || (grow && isBehindOne(unit, outcomes))) return unit;
  }
  return undefined;
}

/** Different values, the most frequent first and the smaller one where they are as frequent. */
export function byFrequency(values: readonly number[]): readonly number[] {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort(([a, ofA], [b, ofB]) => ofB - ofA || a - b).map(([value]) => value);
}

function isBehindOne(unit: number, outcomes: ReadonlyMap<number, UnitOutcome>): boolean {
  return Array.from({ length: MISSES }, (_, at) => unit - 1 - at).some(
    (before) => outcomes.get(before) === "present",
  );
}

function unique(values: readonly number[]): readonly number[] {
  return [...new Set(values)];
}
