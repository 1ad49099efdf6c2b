import { InvalidArgumentError } from "commander";
import { Problem } from "../../attest/problem.ts";
import type { ControlMode, ControlValue } from "../../drivers/control.ts";
import { LONGEST_HOLD_MINUTES } from "../outlet/owner-orders.ts";

/** Of the command line; one of the first five. */
export interface HoldOptions {
  readonly power?: number;
  readonly importLimit?: number;
  readonly exportLimit?: number;
  readonly reserve?: number;
  readonly mode?: ControlMode;
  readonly for: number;
}

const PPM_PER_PERCENT = 10_000;

/** Throws `config-hold` where there is not exactly one value, or a limit below 0. */
export function heldValue({ power, importLimit, exportLimit, reserve, mode }: HoldOptions): ControlValue {
  const values: ControlValue[] = [
    ...(power === undefined ? [] : [{ kind: "powerSetpoint", powerMw: power } as const]),
    ...(importLimit === undefined ? [] : [limit("importLimit", importLimit)]),
    ...(exportLimit === undefined ? [] : [limit("exportLimit", exportLimit)]),
    ...(reserve === undefined ? [] : [{ kind: "stateOfChargeReserve", reservePpm: reserve } as const]),
    ...(mode === undefined ? [] : [{ kind: "mode", mode } as const]),
  ];
  const [value] = values;
  if (value !== undefined && values.length === 1) return value;
  throw new Problem("config-hold", "a device is held to one value", {
    expected: "one of --power, --import-limit, --export-limit, --reserve and --mode",
    got: values.length === 0 ? "none" : String(values.length),
  });
}

function limit(kind: "importLimit" | "exportLimit", limitMw: number): ControlValue {
  if (limitMw >= 0) return { kind, limitMw };
  throw new Problem("config-hold", "a limit has no direction", {
    where: kind === "importLimit" ? "--import-limit" : "--export-limit",
    expected: "0 or more",
  });
}

/** W, as a person writes them, in mW. */
export function wattsOf(text: string): number {
  // Not -0.
  if (/^[+-]?\d{1,9}(?:\.\d{1,3})?$/.test(text)) return Math.round(Number(text) * 1000) + 0;
  throw new InvalidArgumentError("expected W, such as 600 or -2500.5");
}

/** Percent of a battery, in ppm. */
export function percentOf(text: string): number {
  const percent = /^\d{1,3}(?:\.\d{1,4})?$/.test(text) ? Number(text) : Number.NaN;
  if (percent <= 100) return Math.round(percent * PPM_PER_PERCENT);
  throw new InvalidArgumentError("expected 0 to 100");
}

export function minutesOf(text: string): number {
  const minutes = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (minutes >= 1 && minutes <= LONGEST_HOLD_MINUTES) return minutes;
  throw new InvalidArgumentError(`expected whole minutes, 1 to ${LONGEST_HOLD_MINUTES}`);
}

export function entryOf(text: string): number {
  const entry = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(entry)) return entry;
  throw new InvalidArgumentError("expected the number of an entry");
}
