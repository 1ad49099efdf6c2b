import { Problem } from "../problem.ts";
import { type AdjustedHours, type Adjustment, adjusted, adjustmentOf } from "./adjustment.ts";
import { energiesAt, type History, intervalStarts, meansAt } from "./history.ts";
import { type ChosenDays, chooseDays } from "./like-days.ts";
import type { HistoryMethod, Method, TelemetryMethod } from "./methods.ts";
import { admitNomination, type Direction, type NominationAt, nominatedEnergies } from "./nomination.ts";
import { over, type Rational, sum, whole } from "./rational.ts";

/** The hours that an estimate is for, and what is known before them. */
export interface EstimatedHours extends AdjustedHours {
  readonly direction: Direction;
  readonly nominationAt?: NominationAt;
}

/** What a method says of some hours, exactly: mWh per interval. */
export interface Estimate {
  readonly days: ChosenDays;
  readonly adjustment: Adjustment;
  readonly unadjusted: readonly Rational[];
  readonly baseline: readonly Rational[];
}

/** Nothing in `hours` themselves is looked at, but the adjustment's window before them. Throws as its parts do. */
export function estimate(history: History, method: Method, hours: EstimatedHours): Estimate {
  switch (method.kind) {
    case "history":
      return fromLikeDays(history, method, hours);
    case "nominated":
      return fromNomination(history, hours);
    case "telemetry":
      return fromTheHourBefore(history, method, hours);
  }
}

function fromLikeDays(history: History, method: HistoryMethod, hours: EstimatedHours): Estimate {
  const days = chooseDays(history, method, hours);
  const unadjusted = meansAt(history, hours, days.used);
  const adjustment = adjustmentOf(history, method.adjustment, { hours, days: days.used });
  return { days, adjustment, unadjusted, baseline: adjusted(unadjusted, adjustment) };
}

function fromNomination(history: History, hours: EstimatedHours): Estimate {
  const { nominationAt } = hours;
  if (nominationAt === undefined)
    throw new Problem("baseline-nomination-missing", "nothing was nominated", { where: "nom/1" });
  const { days } = admitNomination(history, { ...hours, nominationAt });
  return unmoved(days, nominatedEnergies(history, hours, nominationAt).map(whole));
}

function fromTheHourBefore(history: History, { lengthMs }: TelemetryMethod, hours: EstimatedHours): Estimate {
  const startMs = hours.startsMs[0] ?? 0;
  const before = intervalStarts(startMs - lengthMs, startMs, history.intervalMs);
  if (before.length === 0)
    throw new Problem("baseline-interval", "no whole interval lies in the hour before", {
      expected: `intervals of at most ${lengthMs} ms`,
      got: `${history.intervalMs} ms`,
    });
  const energies = energiesAt(history, before, "baseline-window-missing");
  const mean = over(sum(energies.map(whole)), whole(energies.length));
  return unmoved(
    { used: [], excluded: [] },
    hours.startsMs.map(() => mean),
  );
}

function unmoved(days: ChosenDays, baseline: readonly Rational[]): Estimate {
  return { days, adjustment: { kind: "none", why: "method" }, unadjusted: baseline, baseline };
}
