import { Problem } from "../../attest/problem.ts";
import type { CosemObject } from "./telegram.ts";

/** Which units a quantity may be printed in, and the power of ten from each to a thousandth of the base unit. */
export type Units = Readonly<Record<string, number>>;

export const ENERGY_UNITS: Units = { Wh: 3, kWh: 6, MWh: 9 };
export const POWER_UNITS: Units = { W: 3, kW: 6 };
/** Meters in Lithuania print kV, kA and kHz (github.com/esphome-libs/dsmr_parser pull request 17, a telegram of ESO). */
export const VOLTAGE_UNITS: Units = { V: 3, kV: 6 };
export const CURRENT_UNITS: Units = { A: 3, kA: 6 };
export const FREQUENCY_UNITS: Units = { Hz: 3, kHz: 6 };

/** A printed value in thousandths of the base unit (mWh, mW, mV, mA, mHz), and the step of its last digit. */
export interface Quantity {
  readonly value: number;
  readonly step: number;
}

const DECIMAL = /^(\d{1,20})(?:\.(\d{1,9}))?\*([A-Za-z]{1,4})$/;

/**
 * Reads `001581.123*kWh` in exact integer arithmetic.
 *
 * @throws Problem `dsmr-value` for anything but digits and one of `units`, or with digits below a thousandth;
 *   `dsmr-range` for more than 2^53 - 1
 */
export function parseQuantity(object: CosemObject, units: Units): Quantity {
  const printed = object.values.join(")(");
  const parts = DECIMAL.exec(printed);
  const fraction = parts?.[2] ?? "";
  const exponent = Object.hasOwn(units, parts?.[3] ?? "") ? units[parts?.[3] ?? ""] : undefined;
  if (parts === null || exponent === undefined || fraction.length > exponent) {
    throw refusal("dsmr-value", object, `digits and ${Object.keys(units).join(" or ")}`);
  }
  const step = 10n ** BigInt(exponent - fraction.length);
  const value = BigInt(`${parts[1]}${fraction}`) * step;
  if (value > BigInt(Number.MAX_SAFE_INTEGER))
    throw refusal("dsmr-range", object, "at most 2^53 - 1 thousandths");
  return { value: Number(value), step: Number(step) };
}

function refusal(code: string, object: CosemObject, expected: string): Problem {
  const got = JSON.stringify(object.values.join(")(").slice(0, 40));
  const where = `telegram offset ${object.offset}, ${object.code}`;
  return new Problem(code, "a value cannot be read", { where, expected, got });
}
