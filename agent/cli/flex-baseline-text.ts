import type { Adjustment } from "../../attest/baseline/adjustment.ts";
import type { Delivery } from "../../attest/baseline/baseline.ts";
import { intervalText } from "../../attest/baseline/history.ts";
import { EXCLUSION, type ExcludedDay } from "../../attest/baseline/like-days.ts";
import { methodNamed } from "../../attest/baseline/methods.ts";
import type { PastError } from "../../attest/baseline/past-error.ts";
import type { Rational } from "../../attest/baseline/rational.ts";
import { dayText, type Zone } from "../../attest/baseline/zone.ts";

/** Everything that the command has to say. */
export interface Computed {
  readonly zone: Zone;
  readonly intervalMs: number;
  readonly delivery: Delivery;
  readonly past: PastError;
}

const WHY: Readonly<Record<ExcludedDay["reason"], string>> = {
  listed: "excluded",
  incomplete: "intervals missing",
  unlike: "another class of day",
  tooNear: "too near to the event",
  notChosen: "not among those the method takes",
};

/** Integer units; exact fractions as "numerator/denominator". */
export function baselineJson({ zone, intervalMs, delivery, past }: Computed): object {
  const { method, direction, day, days, adjustment, startsMs, totals } = delivery;
  const { unadjustedMwh, baselineMwh, actualMwh, deliveredMwh } = delivery;
  return {
    ...{ method, settles: settles(method), direction, zone: zone.name, intervalMs, day: dayText(day) },
    usedDays: days.used.map(dayText),
    excludedDays: days.excluded.map(({ day, reason }) => ({
      ...{ day: dayText(day), reason, number: EXCLUSION[reason] },
    })),
    adjustment: adjustmentJson(adjustment),
    ...{ startsMs, unadjustedMwh, baselineMwh, actualMwh, deliveredMwh, totals },
    pastError: pastJson(past),
  };
}

function settles(method: string): boolean {
  return methodNamed(method).kind !== "telemetry";
}

function adjustmentJson(adjustment: Adjustment): object {
  switch (adjustment.kind) {
    case "none":
      return adjustment;
    case "ratio":
      return { ...adjustment, ratio: fraction(adjustment.ratio), applied: fraction(adjustment.applied) };
    case "shift":
      return { ...adjustment, perIntervalMwh: fraction(adjustment.perIntervalMwh) };
  }
}

function pastJson({ days, refusedDays, error }: PastError): object {
  return {
    ...{ days: days.map(dayText), refusedDays: refusedDays.map(dayText) },
    ...(error === undefined
      ? {}
      : { biasPpm: error.biasPpm, relativeRmsePpm: error.relativeRmsePpm, bias: fraction(error.bias) }),
  };
}

function fraction({ numerator, denominator }: Rational): string {
  return `${numerator}/${denominator}`;
}

/** A table for people, in Wh. */
export function baselineText(computed: Computed): string {
  const { zone, delivery, past } = computed;
  const { method, direction, day, days, adjustment } = delivery;
  const telemetry = settles(method) ? "" : " (telemetry: it settles nothing)";
  return [
    `${method}${telemetry}, ${direction}, ${dayText(day)}, ${zone.name}`,
    `days used: ${days.used.map(dayText).join(", ") || "none"}`,
    ...leftOut(days.excluded),
    `adjustment: ${adjustmentText(adjustment, zone)}`,
    "",
    ...tableLines(computed),
    "",
    pastText(past),
    "",
  ].join("\n");
}

function leftOut(excluded: readonly ExcludedDay[]): string[] {
  const reasons = [...new Set(excluded.map(({ reason }) => reason))];
  return reasons.map((reason) => {
    const days = excluded.filter((each) => each.reason === reason).map(({ day }) => dayText(day));
    return `left out, ${WHY[reason]}: ${days.join(", ")}`;
  });
}

function adjustmentText(adjustment: Adjustment, zone: Zone): string {
  if (adjustment.kind === "none") return adjustment.why === "method" ? "none" : `none: ${adjustment.why}`;
  const window = `from ${intervalText(zone, adjustment.fromMs)} to ${intervalText(zone, adjustment.toMs)}`;
  if (adjustment.kind === "shift")
    return `${decimals(adjustment.perIntervalMwh, 1000)} Wh an interval, ${window}`;
  const [ratio, applied] = [adjustment.ratio, adjustment.applied].map((value) => decimals(value, 1));
  return `times ${applied}${ratio === applied ? "" : ` (clamped from ${ratio})`}, ${window}`;
}

/** For people only: the exact figure is in the JSON. */
function decimals({ numerator, denominator }: Rational, per: number): string {
  return (Number(numerator) / Number(denominator) / per).toFixed(4);
}

function tableLines({ zone, delivery }: Computed): string[] {
  const { startsMs, baselineMwh, actualMwh, deliveredMwh, totals } = delivery;
  const rows = startsMs.map((startMs, at) => [
    intervalText(zone, startMs),
    ...[baselineMwh[at], actualMwh[at], deliveredMwh[at]].map(wattHours),
  ]);
  const sums = [totals.baselineMwh, totals.actualMwh, totals.deliveredMwh].map(wattHours);
  const table = [["interval", "baseline Wh", "actual Wh", "delivered Wh"], ...rows, ["total", ...sums]];
  const width = Math.max(...table.map(([first = ""]) => first.length));
  return table.map(([first = "", ...cells]) =>
    [first.padEnd(width), ...cells.map((cell) => cell.padStart(16))].join(""),
  );
}

function wattHours(mwh = 0): string {
  const [sign, size] = mwh < 0 ? ["-", -mwh] : ["", mwh];
  return `${sign}${Math.floor(size / 1000)}.${String(size % 1000).padStart(3, "0")}`;
}

function pastText({ days, refusedDays, error }: PastError): string {
  const refused = refusedDays.length === 0 ? "" : `; ${refusedDays.length} more days lack history`;
  if (error === undefined) return `error on past days: not known, ${days.length} days${refused}`;
  const [bias, rmse] = [error.biasPpm, error.relativeRmsePpm].map((ppm) => (ppm / 10_000).toFixed(2));
  return `error on past days: bias ${bias} %, relative RMSE ${rmse} %, over ${days.length} days${refused}`;
}
