import { SETTLEMENT } from "../leaf-flexibility.ts";
import type { NoBaseline, SettledBaseline } from "./settle-baseline.ts";
import type { Called } from "./settle-called.ts";
import { completenessPpm, isComplete, type MeteredInterval } from "./settle-counted.ts";
import {
  type AskedEnergies,
  energyBetween,
  isClockStepped,
  meterChange,
  type Span,
} from "./settle-metered.ts";
import type { Remark, SettlementEvidence } from "./settle-types.ts";

/** What has been found out before anything is counted. */
export interface Findings {
  readonly called: Called;
  /** From the first called interval to the end of the last. */
  readonly span: Span;
  readonly energies: AskedEnergies;
  readonly metered: readonly MeteredInterval[];
  readonly baseline: SettledBaseline | NoBaseline;
}

export interface Decision {
  /** A number of SETTLEMENT. */
  readonly result: number;
  readonly reason: Remark;
}

/** What decides the result before any energy does; the first that holds. */
export function decidedBy(evidence: SettlementEvidence, findings: Findings): Decision | undefined {
  const { called, metered, baseline } = findings;
  if (called.optedOut !== undefined) return { result: SETTLEMENT.optedOut, reason: called.optedOut };
  const { unavailable = darkBeforeNotice(metered) } = called;
  if (unavailable !== undefined) return { result: SETTLEMENT.unavailable, reason: unavailable };
  const invalid = invalidity(evidence, findings);
  if (invalid !== undefined) return { result: SETTLEMENT.dataInvalid, reason: invalid };
  return "refusal" in baseline ? { result: SETTLEMENT.unavailable, reason: baseline.refusal } : undefined;
}

function darkBeforeNotice(metered: readonly MeteredInterval[]): Remark | undefined {
  const isDark = metered.every((each) => !each.called || each.missing === "gap-before-notice");
  const message = "nothing was read since before the notice";
  return isDark ? { code: "dark-before-notice", message } : undefined;
}

/** Why what was metered counts for nothing, whatever the result. */
export function invalidity(
  evidence: SettlementEvidence,
  { span, metered, baseline }: Findings,
): Remark | undefined {
  if ("refusal" in baseline)
    return baseline.isDevicesDoing
      ? {
          code: "dark-after-notice",
          message: `for want of what was lost since the notice: ${baseline.refusal.message}`,
        }
      : undefined;
  const change = meterChange(evidence, span);
  if (change !== undefined)
    return { code: "meter-changed", message: `leaf ${change.seq} is of another meter, register or setting` };
  if (isComplete(metered)) return undefined;
  const message = `${completenessPpm(metered)} ppm of the intervals are there, at least 990000 must be`;
  return { code: "incomplete", message };
}

/** What a reader must see, beside what the device answered. */
export function remarksOn(evidence: SettlementEvidence, { span, metered, baseline }: Findings): Remark[] {
  const uncalled = metered.filter((each) => !each.called).length;
  return [
    ...("refusal" in baseline ? [] : [...baseline.remarks, ...reboundRemarks(baseline, metered)]),
    ...(uncalled === 0
      ? []
      : [
          {
            code: "partly-called",
            message: `no dispatch asked for ${uncalled} of ${metered.length} intervals, which owe nothing`,
          },
        ]),
    ...gapEnergy(energyBetween(evidence, span)),
    ...(isClockStepped(evidence, span)
      ? [{ code: "clock-stepped", message: "the clock was set or lost during the event" }]
      : []),
  ];
}

function gapEnergy(mwh: bigint): Remark[] {
  const message = `${mwh} mWh flowed during the event in gaps between the closes, and are in no interval`;
  return mwh === 0n ? [] : [{ code: "energy-in-gaps", message }];
}

function reboundRemarks({ rebound }: SettledBaseline, metered: readonly MeteredInterval[]): Remark[] {
  const { deltasMwh, intervals } = rebound;
  const wanted = metered.filter((each) => each.called).length;
  if (deltasMwh.length >= wanted) return [];
  const message = `the rebound is of ${deltasMwh.length} intervals: ${intervals} are left of the local day, ${wanted} were called`;
  return [{ code: "rebound-incomplete", message }];
}
