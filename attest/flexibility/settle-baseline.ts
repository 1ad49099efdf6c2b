import { adjusted } from "../baseline/adjustment.ts";
import { type Baseline, type BaselineRequest, baselineOf } from "../baseline/baseline.ts";
import type { EnergyAt } from "../baseline/energies.ts";
import { type History, intervalStarts, meansAt } from "../baseline/history.ts";
import { methodNamed } from "../baseline/methods.ts";
import type { Direction } from "../baseline/nomination.ts";
import { compare, roundHalfUp } from "../baseline/rational.ts";
import { dayStart, dayText, localDay, openZone } from "../baseline/zone.ts";
import { DIRECTION } from "../leaf-flexibility.ts";
import { describeProblem, Problem } from "../problem.ts";
import { gapsOf, type Span } from "./settle-metered.ts";
import type { Remark, SettledDay, SettlementEvidence } from "./settle-types.ts";

/** The baseline of a whole commitment, over however many local days, and of what comes after it. */

export interface SettledBaseline {
  readonly days: readonly SettledDay[];
  /** One for each interval of the commitment. */
  readonly baselineMwh: readonly number[];
  readonly rebound: Rebound;
  readonly remarks: readonly Remark[];
}

export interface Rebound {
  /** reduce: actual - baseline; increase: baseline - actual. Of the intervals that are there. */
  readonly deltasMwh: readonly number[];
  /** How many were looked for, and to when. */
  readonly intervals: number;
  readonly toMs: number;
}

export function directionOf({ terms }: SettlementEvidence): Direction {
  return terms.direction === DIRECTION.reduce ? "reduce" : "increase";
}

export interface NoBaseline {
  readonly refusal: Remark;
  /** Whether there would be one, had the device not gone dark since the notice. */
  readonly isDevicesDoing: boolean;
}

/**
 * By the method that the terms name, from what was metered. Where that refuses, it is tried again as if nothing were
 * missing since the notice: a device must not undo, by going dark, a baseline that it knows to be asked for.
 */
export function settledBaseline(
  evidence: SettlementEvidence,
  energyAt: EnergyAt,
  called: Span,
): SettledBaseline | NoBaseline {
  const { order, commitment } = evidence;
  const gapAt = gapsOf(evidence);
  const asIfNeverDark: EnergyAt = (startMs) => {
    const isSince = startMs + commitment.intervalMs > order.issuedAtMs;
    return energyAt(startMs) ?? (isSince && gapAt(startMs) === "gap" ? 0 : undefined);
  };
  const tried = tryBaseline(() => baselineFrom(evidence, energyAt, called));
  if (!("refusal" in tried)) return tried;
  const again = tryBaseline(() => baselineFrom(evidence, asIfNeverDark, called));
  return { ...tried, isDevicesDoing: !("refusal" in again) };
}

function tryBaseline(run: () => SettledBaseline): SettledBaseline | NoBaseline {
  try {
    return run();
  } catch (thrown) {
    if (thrown instanceof Problem && thrown.code.startsWith("baseline-"))
      return { refusal: describeProblem(thrown), isDevicesDoing: false };
    throw thrown;
  }
}

function baselineFrom(evidence: SettlementEvidence, energyAt: EnergyAt, called: Span): SettledBaseline {
  const { commitment, order, terms } = evidence;
  if (methodNamed(terms.baselineMethod).kind === "telemetry")
    throw new Problem("baseline-telemetry", "a mean of the hour before settles nothing", {
      got: terms.baselineMethod,
    });
  const zone = openZone(terms.timeZone);
  const { fromMs, intervalMs, deltaMwh } = commitment;
  const startsMs = deltaMwh.map((_, at) => fromMs + at * intervalMs);
  const days = Map.groupBy(startsMs, (startMs) => localDay(zone, startMs));
  // The first day of an event over midnight would else be one of the days that the second one is held against.
  const excluded = new Set([...(terms.excludedDays ?? []), ...days.keys()]);
  const history = { energyAt, intervalMs, calendar: { zone, holidays: new Set(terms.holidays), excluded } };
  const baselines = [...days.values()].map((starts) =>
    baselineOf(requestOf(evidence, history, spanOf(starts, intervalMs))),
  );
  return {
    days: baselines.map(({ day, days: { used, excluded: left }, adjustment }) => ({
      ...{ day, usedDays: used, excludedDays: left, adjustment },
    })),
    baselineMwh: baselines.flatMap(({ baselineMwh }) => baselineMwh),
    rebound: reboundOf(history, baselines, { called, direction: directionOf(evidence) }),
    remarks: baselines.flatMap((each) => remarksOn(each, history, order.issuedAtMs)),
  };
}

function requestOf(evidence: SettlementEvidence, history: History, window: Span): BaselineRequest {
  const { order, terms } = evidence;
  return {
    ...{ ...history, method: terms.baselineMethod, direction: directionOf(evidence) },
    ...{ windows: [window], noticeMs: order.issuedAtMs },
  };
}

function spanOf(startsMs: readonly number[], intervalMs: number): Span {
  return { fromMs: startsMs[0] ?? 0, toMs: (startsMs.at(-1) ?? 0) + intervalMs };
}

/**
 * As many intervals after the called ones as were called, within the last one's local day: against the same days with the
 * same adjustment, so that event and rebound are held against one curve.
 */
function reboundOf(
  history: History,
  baselines: readonly Baseline[],
  { called, direction }: { readonly called: Span; readonly direction: Direction },
): Rebound {
  const { intervalMs, calendar, energyAt } = history;
  const day = localDay(calendar.zone, called.toMs - intervalMs);
  const untilMs = Math.min(2 * called.toMs - called.fromMs, dayStart(calendar.zone, day + 1));
  const startsMs = intervalStarts(called.toMs, untilMs, intervalMs);
  const baseline = baselines.find((each) => each.day === day);
  const sign = direction === "reduce" ? 1 : -1;
  const deltasMwh = startsMs.flatMap((startMs) => {
    const actual = energyAt(startMs);
    const usual = baseline === undefined ? undefined : baselineAt(history, baseline, startMs);
    return actual === undefined || usual === undefined ? [] : [sign * (actual - usual) + 0];
  });
  return { deltasMwh, intervals: startsMs.length, toMs: called.toMs + startsMs.length * intervalMs };
}

/** Undefined where the clock is set by less than an interval, so that the days have none at that time. */
function baselineAt(
  history: History,
  { day, days, adjustment }: Baseline,
  startMs: number,
): number | undefined {
  try {
    return adjusted(meansAt(history, { day, startsMs: [startMs] }, days.used), adjustment).map(
      roundHalfUp,
    )[0];
  } catch (thrown) {
    if (thrown instanceof Problem && thrown.code === "baseline-interval") return undefined;
    throw thrown;
  }
}

function remarksOn(baseline: Baseline, { calendar }: History, issuedAtMs: number): Remark[] {
  const { adjustment, days, day } = baseline;
  const isClamped = adjustment.kind === "ratio" && compare(adjustment.ratio, adjustment.applied) !== 0;
  const incomplete = days.excluded.filter(({ reason }) => reason === "incomplete").map((each) => each.day);
  const later = [...days.used, ...incomplete].filter(
    (each) => dayStart(calendar.zone, each + 1) > issuedAtMs,
  );
  return [
    ...(isClamped
      ? [
          {
            code: "adjustment-at-limit",
            message: `what was metered before ${dayText(day)}'s notice is further from its like days than an adjustment goes`,
          },
        ]
      : []),
    ...(incomplete.length === 0
      ? []
      : [
          {
            code: "days-incomplete",
            message: `${incomplete.length} days like ${dayText(day)} do not count because an interval is missing: ${incomplete.map(dayText).join(", ")}`,
          },
        ]),
    ...(later.length === 0
      ? []
      : [
          {
            code: "days-after-notice",
            message: `the baseline of ${dayText(day)} depends on days that ended after the notice: ${later.map(dayText).join(", ")}`,
          },
        ]),
  ];
}
