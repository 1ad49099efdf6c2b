import type { MeterReading } from "../../attest/reading.ts";

/** 5 parts in 4, and 100 W: voltage, current and power are averaged over different times, and small loads are coarse. */
const MOST_PERCENT = 125;
const SLACK_MW = 100_000;

/** Power beside voltage times current, summed over the phases. */
export interface ApparentPower {
  readonly powerMw: number;
  readonly apparentMw: number;
  /** More active power than this cannot be of the same instant. */
  readonly mostMw: number;
  readonly phases: number;
}

/** Undefined where one of the three is not shown, or not for each phase. */
export function apparentPower({
  activePowerMw,
  voltageMv = [],
  currentMa = [],
}: Omit<MeterReading, "evidence">): ApparentPower | undefined {
  const phases = voltageMv.length;
  if (activePowerMw === undefined || phases === 0 || phases !== currentMa.length) return undefined;
  const apparentMw = voltageMv.reduce(
    (sum, one, at) => sum + Math.round((one * (currentMa[at] ?? 0)) / 1000),
    0,
  );
  const mostMw = Math.floor((apparentMw * MOST_PERCENT) / 100) + SLACK_MW;
  return { powerMw: activePowerMw, apparentMw, mostMw, phases };
}
