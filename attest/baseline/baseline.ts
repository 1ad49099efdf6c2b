import { Problem } from "../problem.ts";
import type { Adjustment } from "./adjustment.ts";
import { type EstimatedHours, estimate } from "./estimate.ts";
import {
  checkInterval,
  energiesAt,
  type History,
  type Hours,
  intervalStarts,
  intervalText,
} from "./history.ts";
import type { ChosenDays } from "./like-days.ts";
import { type Method, methodNamed } from "./methods.ts";
import type { Direction, NominationAt } from "./nomination.ts";
import { type PastError, pastErrorOf } from "./past-error.ts";
import { type Rational, roundHalfUp } from "./rational.ts";
import { DAY_MS, localDay } from "./zone.ts";

/** [fromMs, toMs), UTC. */
export interface EventWindow {
  readonly fromMs: number;
  readonly toMs: number;
}

/** What is asked for: the baseline of an event's windows by a named method. */
export interface BaselineRequest extends History {
  /** Name and version, such as "h10/1". */
  readonly method: string;
  readonly direction: Direction;
  /** Of whole intervals, in order, all in one local day; an event over midnight is two requests. */
  readonly windows: readonly EventWindow[];
  /** When the notice of the event was received; no same-day adjustment looks at anything later. */
  readonly noticeMs?: number;
  /** For nom/1. */
  readonly nominationAt?: NominationAt;
}

/** What would have been without the event: mWh per interval, each rounded once from the exact figure. */
export interface Baseline {
  readonly method: string;
  /** The event's local day, days since 1970. */
  readonly day: number;
  readonly days: ChosenDays;
  readonly adjustment: Adjustment;
  readonly startsMs: readonly number[];
  readonly unadjustedMwh: readonly number[];
  readonly baselineMwh: readonly number[];
  /** Before the rounding. */
  readonly exactMwh: readonly Rational[];
}

/** A baseline against what was metered. */
export interface Delivery extends Baseline {
  readonly direction: Direction;
  readonly actualMwh: readonly number[];
  /** reduce: baseline - actual; increase: actual - baseline. Below 0 where the device did the opposite. */
  readonly deliveredMwh: readonly number[];
  /** Sums of the whole numbers above, so that whoever adds them up gets the same. */
  readonly totals: {
    readonly baselineMwh: number;
    readonly actualMwh: number;
    readonly deliveredMwh: number;
  };
}

/** The earliest and the latest time that local calendars are asked about, 1971 to 9998. */
const EARLIEST_MS = 31_536_000_000;
const LATEST_MS = 253_339_228_800_000;
/** Longer than any local day. */
const LONGEST_WINDOW_MS = 2 * DAY_MS;

/**
 * The baseline of an event; nothing metered in the event itself is needed. Throws Problem: `baseline-method`,
 * `baseline-interval`, `baseline-event`, `baseline-days`, `baseline-window-missing`, `baseline-nomination-…`,
 * `baseline-energy`, `baseline-range`.
 */
export function baselineOf(request: BaselineRequest): Baseline {
  const { method, hours } = checked(request);
  const { days, adjustment, unadjusted, baseline } = estimate(request, method, hours);
  return {
    ...{ method: request.method, day: hours.day, days, adjustment, startsMs: hours.startsMs },
    unadjustedMwh: unadjusted.map(roundHalfUp),
    baselineMwh: baseline.map(roundHalfUp),
    exactMwh: baseline,
  };
}

/**
 * What an event delivered by the baseline of {@link baselineOf}. Throws as it does, and Problem
 * `baseline-event-missing` when an interval of the event is missing: what that counts as is for a settlement to say.
 */
export function deliveryOf(request: BaselineRequest): Delivery {
  const baseline = baselineOf(request);
  const actualMwh = energiesAt(request, baseline.startsMs, "baseline-event-missing");
  const sign = request.direction === "reduce" ? 1 : -1;
  const deliveredMwh = actualMwh.map((actual, at) => sign * ((baseline.baselineMwh[at] ?? 0) - actual) + 0);
  const totals = {
    baselineMwh: total(baseline.baselineMwh),
    actualMwh: total(actualMwh),
    deliveredMwh: total(deliveredMwh),
  };
  return { ...baseline, direction: request.direction, actualMwh, deliveredMwh, totals };
}

/** The method's own error in the event's hours on past days without an event, for an offer. Throws as its parts do. */
export function pastError(request: BaselineRequest): PastError {
  const { method, hours } = checked(request);
  return pastErrorOf(request, method, hours);
}

function checked(request: BaselineRequest): { readonly method: Method; readonly hours: EstimatedHours } {
  checkInterval(request.intervalMs);
  const method = methodNamed(request.method);
  const { direction, noticeMs, nominationAt } = request;
  if (noticeMs !== undefined && !Number.isSafeInteger(noticeMs))
    throw new Problem("baseline-event", "not a time of notice", {
      expected: "UTC ms",
      got: String(noticeMs),
    });
  const hours = eventHours(request);
  return {
    method,
    hours: {
      ...{ ...hours, direction },
      ...(noticeMs === undefined ? {} : { noticeMs }),
      ...(nominationAt === undefined ? {} : { nominationAt }),
    },
  };
}

function eventHours({ windows, intervalMs, calendar: { zone } }: BaselineRequest): Hours {
  for (const [at, window] of windows.entries()) checkWindow(window, intervalMs, windows[at - 1]?.toMs);
  const startsMs = windows.flatMap(({ fromMs, toMs }) => intervalStarts(fromMs, toMs, intervalMs));
  const [first, last] = [startsMs[0], startsMs.at(-1)];
  if (first === undefined || last === undefined)
    throw new Problem("baseline-event", "the event has no interval");
  const day = localDay(zone, first);
  if (localDay(zone, last) === day) return { day, startsMs };
  throw new Problem("baseline-event", "the event goes over local midnight", {
    where: `${intervalText(zone, first)} to ${intervalText(zone, last)}, ${zone.name}`,
    hint: "ask for each local day by itself: the days before it that are like it are other ones",
  });
}

function checkWindow({ fromMs, toMs }: EventWindow, intervalMs: number, afterMs = EARLIEST_MS): void {
  const isInOrder =
    fromMs >= afterMs && fromMs < toMs && toMs <= LATEST_MS && toMs - fromMs <= LONGEST_WINDOW_MS;
  if (isInOrder && fromMs % intervalMs === 0 && toMs % intervalMs === 0) return;
  throw new Problem("baseline-event", "not a window of whole intervals", {
    where: `${fromMs} to ${toMs}`,
    expected: `two multiples of ${intervalMs} ms, the end after the beginning and at most 2 days later, from ${afterMs} to ${LATEST_MS}`,
  });
}

function total(values: readonly number[]): number {
  return roundHalfUp({
    numerator: values.reduce((before, value) => before + BigInt(value), 0n),
    denominator: 1n,
  });
}
