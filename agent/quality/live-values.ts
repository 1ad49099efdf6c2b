import { type MeterReading, READING_STATUS } from "../../attest/reading.ts";
import type { Verdict } from "./gate.ts";

/** Whether the values that are neither registers nor their sums say how it stands now. */
export function isLive(verdict: Verdict): boolean {
  if (verdict.kind !== "accept" && verdict.kind !== "discontinuity") return false;
  const doubted = verdict.kind === "accept" && verdict.stripped?.code === "contradiction";
  return !doubted && !isStale(verdict.reading);
}

/** What may be shown as of now: a stale value is sealed with its mark, and is nothing to look at. */
export function liveValues(reading: MeterReading): Pick<MeterReading, "activePowerMw" | "stateOfChargePpm"> {
  return isStale(reading) ? {} : reading;
}

function isStale({ status = 0 }: MeterReading): boolean {
  return (status & READING_STATUS.stale) !== 0;
}
