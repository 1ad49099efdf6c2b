import { SETTLEMENT } from "../../attest/leaf-flexibility.ts";
import type { SettlementFact } from "./flex-facts.ts";
import { PLAN } from "./flex-plan.ts";
import { clockText, headed, kwh, resultWords } from "./flex-words.ts";
import { alignedRows } from "./view.ts";

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(SETTLEMENT).map(([name, number]) => [Number(number), name]),
);
const HEADING = ["quarter", "baseline", "metered", "delivered", "committed", "counted"];

/** What was delivered, interval by interval, and what it comes to. */
export function settlementLines({ deviceSeq, deviceResult, verdict, fault }: SettlementFact): string[] {
  const { settled } = verdict;
  const days = settled.days[0]?.usedDays.length ?? 0;
  const account =
    deviceSeq === undefined || deviceResult === undefined
      ? "The device has sealed no account of its own."
      : `The device's own account (leaf ${deviceSeq}) says: ${resultWords(NAMES.get(deviceResult) ?? String(deviceResult))}.`;
  return headed(
    "settlement",
    `computed by the node from the sealed closes alone, kWh; the baseline is of ${days} days:`,
    [...table(settled), ...resultLines(settled), ...whyLines({ fault, result: settled.result }), account],
    PLAN.settledMs,
  );
}

function table({ intervals, totals }: SettlementFact["verdict"]["settled"]): string[] {
  const cell = (mwh: number | undefined): string => (mwh === undefined ? "missing" : kwh(mwh));
  const rows = intervals.map((each) => [
    clockText(each.startMs),
    ...[each.baselineMwh, each.actualMwh, each.deliveredMwh, each.committedMwh, each.countedMwh].map(cell),
  ]);
  const { baselineMwh, actualMwh, deliveredMwh, committedMwh, countedMwh } = totals;
  const total = ["together", ...[baselineMwh, actualMwh, deliveredMwh, committedMwh, countedMwh].map(cell)];
  return alignedRows([HEADING, ...rows, total], new Set([0]));
}

function resultLines({
  result,
  reason,
  totals,
  completenessPpm,
}: SettlementFact["verdict"]["settled"]): string[] {
  const { shortfallMwh, reboundMwh } = totals;
  return [
    `Result: ${resultWords(result ?? "notCalled")}. Shortfall ${kwh(shortfallMwh)}, rebound in the hour behind it ${kwh(reboundMwh)}; ${completenessPpm / 10_000} % is there.`,
    ...(reason === undefined ? [] : [`Because ${reason.message} (${reason.code}).`]),
  ];
}

function whyLines({
  fault,
  result,
}: {
  readonly fault: SettlementFact["fault"];
  readonly result: string | undefined;
}): string[] {
  if (fault === undefined || result === "delivered") return [];
  return [
    `The inverter confirmed the setpoint, and the meter at the grid connection does not show ${result === "partial" ? "all of it" : "it"}. A command that was read back is no delivery: only what was metered is.`,
  ];
}
