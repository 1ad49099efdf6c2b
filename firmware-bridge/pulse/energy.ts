import { Problem } from "../../attest/problem.ts";
import type { PulseCount } from "./pulse-source.ts";

/** A meter's constant: so many pulses in so many kWh, both positive. 1000 pulses in 3 kWh is 1000/3. */
export interface PulseConstant {
  readonly pulses: number;
  readonly kwh: number;
}

const MWH_PER_KWH = 1_000_000n;
/** One mWh is 3600 s of 1 mW. */
const NS_PER_HOUR = 3_600_000_000_000n;

/**
 * The energy of so many pulses, mWh, rounded down. Always of the whole count, so that nothing of a pulse which is no whole
 * number of mWh is lost or added on the way.
 *
 * @throws Problem `pulse-register-range` beyond 2^53 - 1 mWh
 */
export function energyMwh(count: number, { pulses, kwh }: PulseConstant): number {
  const mwh = Number((BigInt(count) * MWH_PER_KWH * BigInt(kwh)) / BigInt(pulses));
  if (Number.isSafeInteger(mwh)) return mwh;
  throw new Problem("pulse-register-range", "the register is beyond what a reading can carry", {
    expected: "at most 2^53 - 1 mWh",
    got: `${count} pulses at ${pulses}/${kwh} a kWh`,
    hint: "compare pulsesPerKwh with the meter's type label",
  });
}

/** One pulse in mWh, rounded up: the step of the register. */
export function stepMwh({ pulses, kwh }: PulseConstant): number {
  return Number((MWH_PER_KWH * BigInt(kwh) + BigInt(pulses) - 1n) / BigInt(pulses));
}

/**
 * Power in mW, rounded down and unsigned: that of the newest intervals, and never more than lets one pulse be late by
 * as long as the next one is. So it falls with every second without a pulse, and is neither zero at once nor stuck.
 * Undefined where it is not known.
 */
export function powerMw(
  { recent, atNs }: Pick<PulseCount, "recent" | "atNs">,
  { pulses, kwh }: PulseConstant,
): number | undefined {
  if (recent === undefined) return undefined;
  const { intervals, spanNs, lastNs } = recent;
  const of = (count: bigint, durationNs: bigint): bigint =>
    (count * MWH_PER_KWH * BigInt(kwh) * NS_PER_HOUR) / (BigInt(pulses) * durationNs);
  const sinceNs = atNs - lastNs;
  const shown = of(BigInt(intervals), spanNs);
  const most = sinceNs > 0n ? of(1n, sinceNs) : shown;
  const mw = Number(shown < most ? shown : most);
  return Number.isSafeInteger(mw) ? mw : undefined;
}
