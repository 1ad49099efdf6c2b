import type { ChannelRole } from "../attest/reading.ts";

/*
 * Values in plain words for an installer. English and free of locale on purpose: the same text on every machine, so
 * that it can be searched for and compared with a meter's display.
 */

/** Verbs for power into and out of the metered boundary. */
const VERBS: Readonly<Record<ChannelRole, readonly [into: string, outOf: string]>> = {
  grid: ["importing", "exporting"],
  generation: ["consuming", "generating"],
  storage: ["charging", "discharging"],
  load: ["consuming", "feeding back"],
  compute: ["consuming", "feeding back"],
};

const MW_PER_W = 1000;
const THOUSAND_W_IN_MW = 1_000_000;

/** "importing 1.2 kW", "generating 2.1 kW", "discharging 350 W"; "0 W" where nothing flows. */
export function powerWords(activePowerMw: number, role: ChannelRole): string {
  if (activePowerMw === 0) return "0 W";
  const [into, outOf] = VERBS[role];
  return `${activePowerMw > 0 ? into : outOf} ${powerText(Math.abs(activePowerMw))}`;
}

/** An unsigned or signed power: "350 W", "1.234 kW", "-12 W". Below 1 kW to the mW, from there on to the W. */
export function powerText(powerMw: number): string {
  if (Math.abs(powerMw) < THOUSAND_W_IN_MW) return `${trimmed(powerMw, 3)} W`;
  return `${trimmed(Math.trunc(powerMw / MW_PER_W), 3)} kW`;
}

/** "import 12,345.678 kWh", "export 0.001 kWh": cut off to 1 Wh, as a display does. */
export function registerWords(register: "import" | "export", energyMwh: number): string {
  return `${register} ${energyText(energyMwh)}`;
}

/** "12,345.678 kWh", cut off to 1 Wh. */
export function energyText(energyMwh: number): string {
  return `${fixed(Math.trunc(energyMwh / 1000), 3)} kWh`;
}

/** Step of a register: "1 Wh", "0.1 Wh", "1,000 Wh". */
export function stepText(resolutionMwh: number): string {
  return `${trimmed(resolutionMwh, 3)} Wh`;
}

/** "state of charge 54 %", "state of charge 54.3 %". */
export function stateOfChargeWords(stateOfChargePpm: number): string {
  return `state of charge ${trimmed(stateOfChargePpm, 4)} %`;
}

/** "230.1 / 229.9 / 231 V", L1 first. */
export function voltageText(voltageMv: readonly number[]): string {
  return `${voltageMv.map((value) => trimmed(value, 3)).join(" / ")} V`;
}

/** "1.25 / 0 / 5.37 A", L1 first. */
export function currentText(currentMa: readonly number[]): string {
  return `${currentMa.map((value) => trimmed(value, 3)).join(" / ")} A`;
}

/** "49.98 Hz". */
export function frequencyText(frequencyMhz: number): string {
  return `${trimmed(frequencyMhz, 3)} Hz`;
}

/** A length of time, roughly: "800 ms", "5.2 s", "12 min", "3 h". */
export function durationText(durationMs: number): string {
  if (durationMs < 1000) return `${Math.round(durationMs)} ms`;
  if (durationMs < 120_000) return `${trimmed(Math.round(durationMs / 100), 1)} s`;
  if (durationMs < 7_200_000) return `${Math.round(durationMs / 60_000)} min`;
  return `${Math.round(durationMs / 3_600_000)} h`;
}

/** The integer `value` with its last `decimals` digits behind the point, and no zeros at the end. */
function trimmed(value: number, decimals: number): string {
  return fixed(value, decimals).replace(/\.?0+$/, "");
}

/** The integer `value` with its last `decimals` digits behind the point, thousands apart. */
function fixed(value: number, decimals: number): string {
  const digits = String(Math.abs(value)).padStart(decimals + 1, "0");
  const whole = digits.slice(0, -decimals).replace(/\B(?=(?:\d{3})+$)/g, ",");
  return `${value < 0 ? "-" : ""}${whole}.${digits.slice(-decimals)}`;
}
