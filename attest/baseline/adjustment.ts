import { energiesAt, type History, type Hours, intervalFrom, intervalStarts, meansAt } from "./history.ts";
import type { AdjustmentRule } from "./methods.ts";
import {
  clamp,
  compare,
  minus,
  over,
  plus,
  type Rational,
  rational,
  sum,
  times,
  whole,
  ZERO,
} from "./rational.ts";
import { dayStart } from "./zone.ts";

/** How the day of the event itself has moved the baseline. */
export type Adjustment =
  | { readonly kind: "none"; readonly why: "method" | "no window" | "nothing to divide by" }
  | (AdjustmentWindow & { readonly kind: "ratio"; readonly ratio: Rational; readonly applied: Rational })
  | (AdjustmentWindow & { readonly kind: "shift"; readonly perIntervalMwh: Rational });

/** [fromMs, toMs), UTC. */
export interface AdjustmentWindow {
  readonly fromMs: number;
  readonly toMs: number;
}

/** What an adjustment looks at. */
export interface AdjustedHours extends Hours {
  /** When the notice of the event was received, UTC ms. */
  readonly noticeMs?: number;
}

const LEAST = rational(4n, 5n);
const MOST = rational(6n, 5n);

/**
 * The adjustment of a baseline that is the mean of `days`. Throws Problem `baseline-window-missing` when an interval of
 * the window is missing: without that refusal a low morning would be worth losing.
 */
export function adjustmentOf(
  history: History,
  rule: AdjustmentRule | undefined,
  { hours, days }: { readonly hours: AdjustedHours; readonly days: readonly number[] },
): Adjustment {
  if (rule === undefined) return { kind: "none", why: "method" };
  const window = windowOf(history, rule, hours);
  const startsMs = intervalStarts(window.fromMs, window.toMs, history.intervalMs);
  if (startsMs.length === 0) return { kind: "none", why: "no window" };
  const actual = sum(energiesAt(history, startsMs, "baseline-window-missing").map(whole));
  const usual = sum(meansAt(history, { day: hours.day, startsMs }, days));
  if (rule.kind === "shift")
    return { kind: "shift", ...window, perIntervalMwh: over(minus(actual, usual), whole(startsMs.length)) };
  if (compare(usual, ZERO) <= 0) return { kind: "none", why: "nothing to divide by" };
  const ratio = over(actual, usual);
  return { kind: "ratio", ...window, ratio, applied: clamp(ratio, LEAST, MOST) };
}

/**
 * The window ends at whole intervals, `gapMs` before the event or with the notice, whichever is first: moved and not
 * shortened, so that the notice does not decide how much is looked at. It never leaves the event's local day, whose
 * eve may be another class of day.
 */
function windowOf(history: History, rule: AdjustmentRule, hours: AdjustedHours): AdjustmentWindow {
  const { intervalMs, calendar } = history;
  const startMs = hours.startsMs[0] ?? 0;
  const lastMs = Math.min(startMs - rule.gapMs, hours.noticeMs ?? startMs);
  const toMs = Math.floor(lastMs / intervalMs) * intervalMs;
  const fromMs = Math.ceil((toMs - rule.lengthMs) / intervalMs) * intervalMs;
  const midnightMs = intervalFrom(dayStart(calendar.zone, hours.day), intervalMs);
  return { fromMs: Math.max(fromMs, midnightMs), toMs };
}

/** A baseline after its adjustment; a shifted one is never below 0. */
export function adjusted(baseline: readonly Rational[], adjustment: Adjustment): Rational[] {
  switch (adjustment.kind) {
    case "none":
      return [...baseline];
    case "ratio":
      return baseline.map((mwh) => times(mwh, adjustment.applied));
    case "shift":
      return baseline.map((mwh) => clampBelow(plus(mwh, adjustment.perIntervalMwh)));
  }
}

function clampBelow(mwh: Rational): Rational {
  return compare(mwh, ZERO) < 0 ? ZERO : mwh;
}
