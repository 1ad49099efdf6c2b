import type { Block } from "./block.ts";

const PHASES = ["A", "B", "C"] as const;

/** Range of an acc32 (Device Information Model Specification 1.1, 4.2). */
const ACC32_VALUES = 2 ** 32;

/** The same flow seen from the other side; never minus zero. */
export function opposite(value: number | undefined): number | undefined {
  return value === undefined || value === 0 ? value : -value;
}

/** Voltages to neutral of all phases of the model, L1 first, in mV; undefined unless all are implemented. */
export function voltagesMv(block: Block): number[] | undefined {
  return perPhase(block, "PhVph");
}

/** Currents of all phases of the model, L1 first, in mA; undefined unless all are implemented. */
export function currentsMa(block: Block): number[] | undefined {
  return perPhase(block, "Aph");
}

function perPhase(block: Block, prefix: string): number[] | undefined {
  const values: number[] = [];
  for (const phase of PHASES.slice(0, block.model.phases)) {
    const value = block.milli(`${prefix}${phase}`);
    if (value === undefined) return undefined;
    values.push(value);
  }
  return values;
}

/** Step and wrap of an energy register, as its scale factor gives them now. */
export interface RegisterSteps {
  readonly resolutionMwh?: number;
  readonly rolloverMwh?: number;
}

/** A register with steps below 1 mWh is cut to 1 mWh; then where it wraps is no whole number and left out. */
export function registerSteps(block: Block, energy: string): RegisterSteps {
  const exponent = block.exponent(energy);
  if (exponent === undefined) return {};
  if (exponent < -3) return { resolutionMwh: 1 };
  const resolutionMwh = 10 ** (exponent + 3);
  const rolloverMwh = ACC32_VALUES * resolutionMwh;
  return Number.isSafeInteger(rolloverMwh) ? { resolutionMwh, rolloverMwh } : { resolutionMwh };
}

/** The step, where the device changed it since the channel was described. */
export function changedResolution(block: Block, energy: string, described?: number): number | undefined {
  const { resolutionMwh } = registerSteps(block, energy);
  return resolutionMwh === described ? undefined : resolutionMwh;
}
