import { Problem } from "../problem.ts";
import { dayClass, energiesAt, type History, type Hours, isComplete, sameHours } from "./history.ts";
import type { Choice, HistoryMethod } from "./methods.ts";
import { dayText } from "./zone.ts";

/** Why a day between the oldest day looked at and the event is not used; numbers as a settlement leaf has them. */
export const EXCLUSION = {
  /** The caller said so: it had an event, or it was agreed. */
  listed: 1,
  /** An interval is missing. */
  incomplete: 2,
  /** A weekday for a weekend, or the other way round. */
  unlike: 3,
  /** Nearer to the event than the method begins. */
  tooNear: 4,
  /** A candidate whose energy in the event's hours the method leaves out. */
  notChosen: 5,
} as const;

export type ExclusionReason = keyof typeof EXCLUSION;

export interface ExcludedDay {
  readonly day: number;
  readonly reason: ExclusionReason;
}

export interface ChosenDays {
  /** In the method's order: nearest first, highest energy first, or (of the middle ones) lowest energy first. */
  readonly used: readonly number[];
  /** Every other day between the event and the oldest candidate, latest first. */
  readonly excluded: readonly ExcludedDay[];
}

/**
 * The days that a method takes for `hours`. Throws Problem `baseline-days` when the look-back has fewer like days than
 * it wants: a mean of fewer would be another method.
 */
export function chooseDays(history: History, method: HistoryMethod, hours: Hours): ChosenDays {
  const { candidates, excluded } = candidateDays(history, method, hours.day);
  const ranked = method.choice.rank === "nearest" ? candidates : byEnergy(history, hours, candidates);
  const used = kept(ranked, method.choice);
  const notChosen = candidates
    .filter((day) => !used.includes(day))
    .map((day) => ({ day, reason: "notChosen" }) as const);
  return { used, excluded: [...excluded, ...notChosen].sort((a, b) => b.day - a.day) };
}

interface Candidates {
  /** Nearest first. */
  readonly candidates: readonly number[];
  readonly excluded: readonly ExcludedDay[];
}

function candidateDays(history: History, method: HistoryMethod, eventDay: number): Candidates {
  const wanted =
    dayClass(history.calendar, eventDay) === "weekday" ? method.weekdayCandidates : method.otherCandidates;
  const candidates: number[] = [];
  const excluded: ExcludedDay[] = [];
  for (let back = 1; back <= method.lookBackDays && candidates.length < wanted; back++) {
    const day = eventDay - back;
    const reason = back < method.nearestDaysBack ? "tooNear" : exclusionOf(history, day, eventDay);
    if (reason === undefined) candidates.push(day);
    else excluded.push({ day, reason });
  }
  if (candidates.length === wanted) return { candidates, excluded };
  throw new Problem("baseline-days", "not enough like days before the event", {
    where: dayText(eventDay),
    expected: `${wanted} complete like days in ${method.lookBackDays} days`,
    got: String(candidates.length),
  });
}

/** Why `day` cannot stand for `eventDay`; undefined when it can. */
export function exclusionOf(history: History, day: number, eventDay: number): ExclusionReason | undefined {
  const { calendar } = history;
  if (calendar.excluded.has(day)) return "listed";
  if (dayClass(calendar, day) !== dayClass(calendar, eventDay)) return "unlike";
  return isComplete(history, day) ? undefined : "incomplete";
}

function byEnergy(history: History, hours: Hours, days: readonly number[]): number[] {
  const energies = new Map(days.map((day) => [day, energyIn(history, hours, day)]));
  const energyOf = (day: number): bigint => energies.get(day) ?? 0n;
  return [...days].sort((a, b) => Number(energyOf(b) - energyOf(a)) || b - a);
}

function energyIn(history: History, hours: Hours, day: number): bigint {
  const energies = energiesAt(history, sameHours(history, hours, day), "baseline-incomplete");
  return energies.reduce((total, energyMwh) => total + BigInt(energyMwh), 0n);
}

/** `ranked` is by the method's rank: nearest first, or highest first. */
function kept(ranked: readonly number[], choice: Choice): readonly number[] {
  switch (choice.rank) {
    case "nearest":
      return ranked;
    case "highest":
      return ranked.slice(0, choice.days);
    case "middle":
      return ranked.slice(choice.droppedEachSide, -choice.droppedEachSide).reverse();
  }
}
