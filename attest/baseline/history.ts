import { Problem } from "../problem.ts";
import type { EnergyAt } from "./energies.ts";
import { type Rational, rational } from "./rational.ts";
import {
  DAY_MS,
  dayStart,
  dayText,
  instantOf,
  localDay,
  type TimeOfDay,
  timeOfDay,
  weekdayOf,
  type Zone,
} from "./zone.ts";

/** What kind of day it is where the site is. */
export interface Calendar {
  readonly zone: Zone;
  /** Local days that count as a Sunday does. */
  readonly holidays: ReadonlySet<number>;
  /** Local days that no baseline may use: those with an event, and those that were agreed to be left out. */
  readonly excluded: ReadonlySet<number>;
}

/** What was metered, and when days are alike. */
export interface History {
  readonly energyAt: EnergyAt;
  /** Length of an interval, ms; intervals begin at its multiples in UTC. */
  readonly intervalMs: number;
  readonly calendar: Calendar;
}

/** Weekdays that are no holiday, and all others. */
export type DayClass = "weekday" | "other";

/** Some intervals of one local day. */
export interface Hours {
  readonly day: number;
  /** Starts in UTC ms, ascending. */
  readonly startsMs: readonly number[];
}

export function dayClass({ holidays }: Calendar, day: number): DayClass {
  const weekday = weekdayOf(day);
  return weekday >= 1 && weekday <= 5 && !holidays.has(day) ? "weekday" : "other";
}

/** The first interval that begins at or after `atMs`. */
export function intervalFrom(atMs: number, intervalMs: number): number {
  return Math.ceil(atMs / intervalMs) * intervalMs;
}

/** The starts of all intervals that begin in [fromMs, toMs). */
export function intervalStarts(fromMs: number, toMs: number, intervalMs: number): number[] {
  const first = intervalFrom(fromMs, intervalMs);
  const count = Math.max(0, Math.ceil((toMs - first) / intervalMs));
  return Array.from({ length: count }, (_, index) => first + index * intervalMs);
}

/** The starts of all intervals of a local day: 96 quarters of an hour, 92 or 100 where the clock is set. */
export function dayIntervals({ calendar: { zone }, intervalMs }: History, day: number): number[] {
  return intervalStarts(dayStart(zone, day), dayStart(zone, day + 1), intervalMs);
}

/** Whether every interval of a local day is there. A day that a zone skipped has none and is not complete. */
export function isComplete(history: History, day: number): boolean {
  const starts = dayIntervals(history, day);
  return starts.length > 0 && starts.every((startMs) => history.energyAt(startMs) !== undefined);
}

/** The intervals of `day` at the same times of day as `hours`, one for each of them. */
export function sameHours(history: History, hours: Hours, day: number): number[] {
  const { zone } = history.calendar;
  return hours.startsMs.map((startMs) => sameTime(history, timeOfDay(zone, startMs), day));
}

function sameTime({ calendar: { zone }, intervalMs }: History, time: TimeOfDay, day: number): number {
  const startMs = instantOf(zone, day, time);
  if (startMs % intervalMs === 0) return startMs;
  throw new Problem("baseline-interval", "no interval begins at the same time of day", {
    where: `${zone.name}, ${dayText(day)}`,
    expected: `a clock that is set by whole intervals of ${intervalMs} ms`,
    hint: "settle in shorter intervals",
  });
}

/** Energies of intervals, mWh. Throws Problem `code` that names the first one that is missing. */
export function energiesAt(history: History, startsMs: readonly number[], code: string): number[] {
  return startsMs.map((startMs) => {
    const energyMwh = history.energyAt(startMs);
    if (Number.isSafeInteger(energyMwh) && energyMwh !== undefined) return energyMwh;
    throw new Problem(
      energyMwh === undefined ? code : "baseline-energy",
      "no energy is known of an interval",
      {
        where: intervalText(history.calendar.zone, startMs),
        expected: "whole mWh",
        got: energyMwh === undefined ? "none" : String(energyMwh),
      },
    );
  });
}

/** For each of `hours`: the mean of the energies at the same time on `days`, mWh. The days must be complete. */
export function meansAt(history: History, hours: Hours, days: readonly number[]): Rational[] {
  const rows = days.map((day) => energiesAt(history, sameHours(history, hours, day), "baseline-incomplete"));
  return hours.startsMs.map((_, at) => {
    const total = rows.reduce((before, row) => before + BigInt(row[at] ?? 0), 0n);
    return rational(total, BigInt(days.length));
  });
}

/** "2013-09-21 16:00" in local time, with the day's own offset where the clock shows it twice. */
export function intervalText(zone: Zone, startMs: number): string {
  const { clockMs, repeat } = timeOfDay(zone, startMs);
  const minutes = Math.floor(clockMs / 60_000);
  const clock = [Math.floor(minutes / 60), minutes % 60]
    .map((part) => String(part).padStart(2, "0"))
    .join(":");
  return `${dayText(localDay(zone, startMs))} ${clock}${repeat === 1 ? " (the second time)" : ""}`;
}

/** Throws Problem `baseline-interval` for a length that does not divide a day. */
export function checkInterval(intervalMs: number): void {
  if (Number.isSafeInteger(intervalMs) && intervalMs >= 60_000 && DAY_MS % intervalMs === 0) return;
  throw new Problem("baseline-interval", "not the length of an interval", {
    expected: "60000 ms or more, and a divisor of a day",
    got: String(intervalMs),
  });
}
