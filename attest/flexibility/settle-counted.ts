import type { Direction } from "../baseline/nomination.ts";
import { SETTLEMENT } from "../leaf-flexibility.ts";
import { Problem } from "../problem.ts";
import type { SettledInterval, SettledTotals } from "./settle-types.ts";

/** How delivered energy counts: docs/flexibility.md, "Settlement". */

/** Of what is committed: how much of it counts, and how much makes it delivered, in all and in each interval. */
const MOST_COUNTED = { numerator: 6n, denominator: 5n };
const DELIVERED_IN_ALL = { numerator: 9n, denominator: 10n };
const DELIVERED_IN_EACH = { numerator: 1n, denominator: 2n };

const WHOLE_PPM = 1_000_000;
/** Below this the data are invalid. */
const LEAST_PPM = 990_000;

/** An interval before it is counted. */
export type MeteredInterval = Omit<SettledInterval, "deliveredMwh" | "countedMwh">;

export interface Counting {
  readonly direction: Direction;
  /** Whether what was metered counts for nothing, present or not. */
  readonly isInvalid: boolean;
}

export function countedInterval(interval: MeteredInterval, counting: Counting): SettledInterval {
  const delivered = deliveredMwh(interval, counting.direction);
  const countedMwh = whole(countedOf(interval, delivered, counting.isInvalid));
  return {
    ...interval,
    ...(delivered === undefined ? {} : { deliveredMwh: whole(delivered) }),
    countedMwh,
  };
}

function deliveredMwh({ baselineMwh, actualMwh }: MeteredInterval, direction: Direction): bigint | undefined {
  if (baselineMwh === undefined || actualMwh === undefined) return undefined;
  const reduced = BigInt(baselineMwh) - BigInt(actualMwh);
  return direction === "reduce" ? reduced : -reduced;
}

/** Without a baseline nothing can be told, unless it is the device's doing that there is none. */
function countedOf(interval: MeteredInterval, delivered: bigint | undefined, isInvalid: boolean): bigint {
  const committed = BigInt(interval.committedMwh);
  if (!interval.called || interval.missing === "gap-before-notice") return 0n;
  if (isInvalid) return -committed;
  if (interval.baselineMwh === undefined) return 0n;
  if (delivered === undefined) return -committed;
  const most = (committed * MOST_COUNTED.numerator) / MOST_COUNTED.denominator;
  return delivered < most ? delivered : most;
}

/** How many of the called intervals are there, rounded down; all of none. */
export function completenessPpm(intervals: readonly MeteredInterval[]): number {
  const called = intervals.filter((each) => each.called);
  const present = called.filter(({ missing }) => missing === undefined);
  return called.length === 0 ? WHOLE_PPM : Math.floor((present.length * WHOLE_PPM) / called.length);
}

export function isComplete(intervals: readonly MeteredInterval[]): boolean {
  return completenessPpm(intervals) >= LEAST_PPM;
}

/** What the energies say, where nothing else has decided: a number of SETTLEMENT. */
export function energyResult(intervals: readonly SettledInterval[]): number {
  const called = intervals.filter((each) => each.called);
  const counted = total(called.map(({ countedMwh }) => countedMwh));
  const committed = total(called.map(({ committedMwh }) => committedMwh));
  const isDelivered =
    reaches(counted, committed, DELIVERED_IN_ALL) &&
    called.every((each) => reaches(BigInt(each.countedMwh), BigInt(each.committedMwh), DELIVERED_IN_EACH));
  if (isDelivered) return SETTLEMENT.delivered;
  return counted > 0n ? SETTLEMENT.partial : SETTLEMENT.notDelivered;
}

function reaches(value: bigint, of: bigint, share: { numerator: bigint; denominator: bigint }): boolean {
  return value * share.denominator >= of * share.numerator;
}

/** Throws Problem `settlement-range` for a sum that is no safe integer. */
export function totalsOf(
  intervals: readonly SettledInterval[],
  reboundMwh: readonly number[],
): SettledTotals {
  const called = intervals.filter((each) => each.called);
  const sum = (of: (each: SettledInterval) => number | undefined): bigint =>
    total(called.map((each) => of(each) ?? 0));
  const committed = sum((each) => each.committedMwh);
  const counted = sum((each) => each.countedMwh);
  return {
    committedMwh: whole(committed),
    baselineMwh: whole(sum((each) => each.baselineMwh)),
    actualMwh: whole(sum((each) => each.actualMwh)),
    deliveredMwh: whole(sum((each) => each.deliveredMwh)),
    countedMwh: whole(counted),
    shortfallMwh: whole(committed > counted ? committed - counted : 0n),
    reboundMwh: whole(total(reboundMwh)),
  };
}

function total(values: readonly number[]): bigint {
  return values.reduce((before, value) => before + BigInt(value), 0n);
}

function whole(value: bigint): number {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  throw new Problem("settlement-range", "too large an energy", {
    expected: "at most 2^53 - 1 mWh",
    got: String(value),
  });
}
