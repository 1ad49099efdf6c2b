import type { DIRECTION } from "../leaf-flexibility.ts";
import { Problem } from "../problem.ts";
import type { AdjustedHours } from "./adjustment.ts";
import { type BaselineError, errorOf } from "./error.ts";
import { dayIntervals, energiesAt, type History, type Hours, intervalText, sameHours } from "./history.ts";
import { type ChosenDays, chooseDays } from "./like-days.ts";
import { PAST_DAYS } from "./methods.ts";
import { compare, magnitude, rational, whole } from "./rational.ts";
import { dayStart } from "./zone.ts";

/** What was announced of one interval, and when a node's receipt shows that it had been announced. */
export interface Nomination {
  readonly energyMwh: number;
  readonly receiptedMs: number;
}

/** By the interval's start, UTC ms. */
export type NominationAt = (startMs: number) => Nomination | undefined;

/** `reduce`: what counts is how far the energy stays below the baseline; `increase`: how far above. */
export type Direction = keyof typeof DIRECTION;

export interface NominatedHours extends AdjustedHours {
  readonly direction: Direction;
  readonly nominationAt: NominationAt;
}

const LARGEST_BIAS = rational(1n, 20n);
const LARGEST_RELATIVE_RMSE_SQUARED = rational(1n, 25n);

/** The days that the admissibility of a nomination rests on, and its error on them. */
export interface Admission {
  readonly days: ChosenDays;
  readonly error: BaselineError;
}

/**
 * Whether a nominated profile may be the baseline of `hours`. Throws `baseline-days`; `baseline-nomination-missing` and
 * `baseline-nomination-late` where an interval between the oldest of the past days and the end of the event's day was
 * not receipted by the beginning of its local day (on the event's day also: by the notice);
 * `baseline-nomination-error`; `baseline-nomination-extreme` for an interval beyond what really happened.
 */
export function admitNomination(history: History, hours: NominatedHours): Admission {
  const days = chooseDays(history, PAST_DAYS, hours);
  const oldest = Math.min(...days.used);
  for (let day = oldest; day <= hours.day; day++) checkReceipts(history, hours, day);
  const error = nominationError(history, hours, days.used);
  checkError(error);
  checkExtremes(history, hours, days.used);
  return { days, error };
}

function checkReceipts(history: History, hours: NominatedHours, day: number): void {
  const { zone } = history.calendar;
  const midnightMs = dayStart(zone, day);
  const deadlineMs = day === hours.day ? Math.min(midnightMs, hours.noticeMs ?? midnightMs) : midnightMs;
  for (const startMs of dayIntervals(history, day)) {
    const nomination = nominated(history, hours.nominationAt, startMs);
    if (nomination.receiptedMs > deadlineMs)
      throw new Problem("baseline-nomination-late", "the nomination was receipted too late", {
        where: intervalText(zone, startMs),
        expected: `a receipt by ${intervalText(zone, deadlineMs)}`,
        got: intervalText(zone, nomination.receiptedMs),
      });
  }
}

/** The nomination of an interval. Throws Problem `baseline-nomination-missing` or `baseline-energy`. */
export function nominated(history: History, nominationAt: NominationAt, startMs: number): Nomination {
  const nomination = nominationAt(startMs);
  const where = intervalText(history.calendar.zone, startMs);
  if (nomination === undefined)
    throw new Problem("baseline-nomination-missing", "the interval was not nominated", {
      where,
      hint: "every interval is nominated, whether an event is expected or not",
    });
  if (Number.isSafeInteger(nomination.energyMwh) && Number.isSafeInteger(nomination.receiptedMs))
    return nomination;
  throw new Problem("baseline-energy", "not a nomination", { where, expected: "whole mWh and ms" });
}

/** How far the nominations of the event's hours were off on past days; undefined as in {@link errorOf}. */
export function nominationError(
  history: History,
  hours: NominatedHours,
  days: readonly number[],
): BaselineError | undefined {
  return errorOf(
    days.flatMap((day) => {
      const startsMs = sameHours(history, hours, day);
      const actuals = energiesAt(history, startsMs, "baseline-incomplete");
      return startsMs.map((startMs, at) => ({
        baselineMwh: whole(nominated(history, hours.nominationAt, startMs).energyMwh),
        actualMwh: actuals[at] ?? 0,
      }));
    }),
  );
}

function checkError(error: BaselineError | undefined): asserts error is BaselineError {
  const isSmall =
    error !== undefined &&
    compare(magnitude(error.bias), LARGEST_BIAS) <= 0 &&
    compare(error.meanSquare, LARGEST_RELATIVE_RMSE_SQUARED) <= 0;
  if (isSmall) return;
  throw new Problem("baseline-nomination-error", "past nominations were too far off", {
    expected: "a bias of at most 50000 ppm and a relative RMSE of at most 200000 ppm",
    got:
      error === undefined
        ? "no energy to be relative to"
        : `${error.biasPpm} and ${error.relativeRmsePpm} ppm`,
  });
}

/** Against each interval by itself: over all of them together, a high evening would cover an inflated afternoon. */
function checkExtremes(history: History, hours: NominatedHours, days: readonly number[]): void {
  const rows = days.map((day) => energiesAt(history, sameHours(history, hours, day), "baseline-incomplete"));
  const sign = hours.direction === "reduce" ? 1 : -1;
  for (const [at, startMs] of hours.startsMs.entries()) {
    const happened = rows.map((row) => sign * (row[at] ?? 0)).sort((a, b) => a - b);
    const most = happened[Math.ceil((9 * happened.length) / 10) - 1] ?? 0; // nearest rank
    const said = nominated(history, hours.nominationAt, startMs).energyMwh;
    if (sign * said <= most) continue;
    const [bound, rank] = sign === 1 ? ["at most", "90th"] : ["at least", "10th"];
    throw new Problem("baseline-nomination-extreme", "nominated beyond what really happened", {
      where: intervalText(history.calendar.zone, startMs),
      expected: `${bound} ${sign * most} mWh, the ${rank} percentile of ${days.length} days`,
      got: `${said} mWh`,
    });
  }
}

/** The nominated energies of `hours`, mWh. */
export function nominatedEnergies(history: History, hours: Hours, nominationAt: NominationAt): number[] {
  return hours.startsMs.map((startMs) => nominated(history, nominationAt, startMs).energyMwh);
}
