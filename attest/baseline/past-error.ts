import { Problem } from "../problem.ts";
import { type BaselineError, type Comparison, errorOf } from "./error.ts";
import { type EstimatedHours, estimate } from "./estimate.ts";
import { energiesAt, type History, sameHours } from "./history.ts";
import { chooseDays, exclusionOf } from "./like-days.ts";
import { type Method, PAST_DAYS } from "./methods.ts";
import { nominationError } from "./nomination.ts";

/** A method applied to days on which nothing was asked: what it "delivered" on them is its error. */
export interface PastError {
  /** Latest first. */
  readonly days: readonly number[];
  /** Past days without an event on which the method itself refuses, for want of history or of an adjustment. */
  readonly refusedDays: readonly number[];
  /** Undefined where no day could be compared, and where there is no energy to be relative to. */
  readonly error: BaselineError | undefined;
}

/** What a method lacks on one past day, without being wrong on the others. */
const LACKS = new Set(["baseline-days", "baseline-window-missing"]);

/**
 * The error of `method` in the hours of an event, over the complete like days of the 45 days before it that the calendar
 * does not exclude; the notice keeps its distance to the start. Each of those days is estimated from what came before it.
 * A nomination's is over the days that its admissibility rests on.
 */
export function pastErrorOf(history: History, method: Method, hours: EstimatedHours): PastError {
  if (method.kind === "nominated") return nominatedPastError(history, hours);
  const days: number[] = [];
  const refusedDays: number[] = [];
  const comparisons: Comparison[] = [];
  for (const day of pastDays(history, hours.day)) {
    const compared = comparedOn(history, method, hoursOn(history, hours, day));
    (compared === undefined ? refusedDays : days).push(day);
    comparisons.push(...(compared ?? []));
  }
  return { days, refusedDays, error: errorOf(comparisons) };
}

function nominatedPastError(history: History, hours: EstimatedHours): PastError {
  const { nominationAt } = hours;
  if (nominationAt === undefined)
    throw new Problem("baseline-nomination-missing", "nothing was nominated", { where: "nom/1" });
  const days = chooseDays(history, PAST_DAYS, hours).used;
  return { days, refusedDays: [], error: nominationError(history, { ...hours, nominationAt }, days) };
}

function pastDays(history: History, eventDay: number): number[] {
  return Array.from({ length: PAST_DAYS.lookBackDays }, (_, index) => eventDay - 1 - index).filter(
    (day) => exclusionOf(history, day, eventDay) === undefined,
  );
}

function hoursOn(history: History, hours: EstimatedHours, day: number): EstimatedHours {
  // Two times of day fall together where the clock skips one of them.
  const startsMs = [...new Set(sameHours(history, hours, day))].sort((a, b) => a - b);
  const leadMs = hours.noticeMs === undefined ? undefined : (hours.startsMs[0] ?? 0) - hours.noticeMs;
  const { noticeMs: _, ...rest } = hours;
  return {
    ...rest,
    day,
    startsMs,
    ...(leadMs === undefined ? {} : { noticeMs: (startsMs[0] ?? 0) - leadMs }),
  };
}

function comparedOn(history: History, method: Method, hours: EstimatedHours): Comparison[] | undefined {
  try {
    const { baseline } = estimate(history, method, hours);
    const actuals = energiesAt(history, hours.startsMs, "baseline-incomplete");
    return baseline.map((baselineMwh, at) => ({ baselineMwh, actualMwh: actuals[at] ?? 0 }));
  } catch (thrown) {
    if (thrown instanceof Problem && LACKS.has(thrown.code)) return undefined;
    throw thrown;
  }
}
