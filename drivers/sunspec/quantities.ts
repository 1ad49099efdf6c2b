import type { Fields } from "./fields.ts";
import { wrapOf } from "./points.ts";

/** The same flow seen from the other side; never minus zero. */
export function opposite(value: number | undefined): number | undefined {
  return value === undefined || value === 0 ? value : -value;
}

const PHASES = ["A", "B", "C"] as const;

/** Names of points that come once a phase. */
export function phaseNames(prefix: string, phases: number): readonly string[] {
  return PHASES.slice(0, phases).map((phase) => `${prefix}${phase}`);
}

/** Voltages to neutral, L1 first, in mV; undefined unless all are implemented. */
export function voltagesMv(fields: Fields, names: readonly string[]): number[] | undefined {
  return eachOf(fields, names);
}

/** Magnitudes of the currents, L1 first, in mA; undefined unless all are implemented. Some devices sign them. */
export function currentsMa(fields: Fields, names: readonly string[]): number[] | undefined {
  return eachOf(fields, names)?.map(Math.abs);
}

function eachOf(fields: Fields, names: readonly string[]): number[] | undefined {
  const values: number[] = [];
  for (const name of names) {
    const value = fields.milli(name);
    if (value === undefined) return undefined;
    values.push(value);
  }
  return values.length === 0 ? undefined : values;
}

/** Step and wrap of energy registers, as their scale factor, or the size of a float, gives them now. */
export interface RegisterSteps {
  readonly resolutionMwh?: number;
  readonly rolloverMwh?: number;
}

/**
 * The coarsest step of the registers. Registers with steps below 1 mWh are cut to 1 mWh; then where they wrap is no
 * whole number and left out. A 64-bit register and a float do not wrap.
 */
export function registerSteps(fields: Fields, energies: readonly string[]): RegisterSteps {
  const steps = energies.flatMap((name) => fields.stepMilli(name) ?? []);
  if (steps.length === 0) return {};
  const resolutionMwh = Math.max(...steps);
  const [first] = energies;
  const wrap = first === undefined || fields.isCut(first) ? undefined : wrapOf(fields.point(first));
  const rolloverMwh = (wrap ?? 0) * resolutionMwh;
  return rolloverMwh > 0 && Number.isSafeInteger(rolloverMwh)
    ? { resolutionMwh, rolloverMwh }
    : { resolutionMwh };
}

/** The step, where the device changed it since the channel was described. */
export function changedResolution(
  fields: Fields,
  energies: readonly string[],
  described?: number,
): number | undefined {
  const { resolutionMwh } = registerSteps(fields, energies);
  return resolutionMwh === described ? undefined : resolutionMwh;
}
