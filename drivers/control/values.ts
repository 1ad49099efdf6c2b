import { Problem } from "../../attest/problem.ts";
import {
  CONTROL_MODES,
  type ControlCapability,
  type ControlCommand,
  type ControlRatings,
  type ControlState,
  type ControlValue,
} from "../control.ts";

/** All of a battery, in parts per million. */
export const FULL_PPM = 1_000_000;

/** A command without its lease. */
export function plainValue(command: ControlCommand | ControlValue): ControlValue {
  switch (command.kind) {
    case "powerSetpoint":
      return { kind: command.kind, powerMw: command.powerMw };
    case "importLimit":
    case "exportLimit":
      return { kind: command.kind, limitMw: command.limitMw };
    case "stateOfChargeReserve":
      return { kind: command.kind, reservePpm: command.reservePpm };
    case "mode":
      return { kind: command.kind, mode: command.mode };
  }
}

/** A value as one number: mW, ppm, or the number of a mode; what an actuation leaf carries. */
export function numberOf(value: ControlValue): number {
  switch (value.kind) {
    case "powerSetpoint":
      return value.powerMw;
    case "importLimit":
    case "exportLimit":
      return value.limitMw;
    case "stateOfChargeReserve":
      return value.reservePpm;
    case "mode":
      return CONTROL_MODES[value.mode];
  }
}

/** The same kind with another number; a mode has no other. */
export function withNumber(value: ControlValue, number: number): ControlValue {
  switch (value.kind) {
    case "powerSetpoint":
      return { kind: value.kind, powerMw: number };
    case "importLimit":
    case "exportLimit":
      return { kind: value.kind, limitMw: number };
    case "stateOfChargeReserve":
      return { kind: value.kind, reservePpm: number };
    case "mode":
      return value;
  }
}

/** Throws `control-bad-value` for what is no whole number, or no value of its kind. */
export function checkValue(value: ControlValue, { modes, kind }: ControlCapability, where: string): void {
  const number = numberOf(value);
  if (value.kind === "mode") {
    if (modes?.includes(value.mode) === true) return;
    throw new Problem("control-not-supported", "the device does not have this mode", {
      where,
      expected: modes?.join(" or ") ?? "no mode",
      got: JSON.stringify(value.mode),
    });
  }
  if (Number.isSafeInteger(number) && (number >= 0 || kind === "powerSetpoint")) return;
  throw new Problem("control-bad-value", `no value of ${kind}`, {
    where,
    expected: kind === "powerSetpoint" ? "a whole number" : "a whole number, 0 or more",
    got: String(number),
  });
}

/** Throws `control-bad-lease` where the lease or the ramp is not what the capability takes. */
export function checkLease(
  { leaseMs, rampMwPerS }: Pick<ControlCommand, "leaseMs" | "rampMwPerS">,
  { kind, shortestLeaseMs, longestLeaseMs, ramp }: ControlCapability,
  where: string,
): void {
  if (!Number.isSafeInteger(leaseMs) || leaseMs < shortestLeaseMs || leaseMs > longestLeaseMs)
    throw new Problem("control-bad-lease", `no lease of ${kind}`, {
      where,
      expected: `${shortestLeaseMs} to ${longestLeaseMs} ms`,
      got: String(leaseMs),
    });
  if (rampMwPerS === undefined) return;
  if (!ramp)
    throw new Problem("control-not-supported", `a command of ${kind} cannot say how fast`, {
      where,
      hint: "leave the ramp out, and change the value in steps",
    });
  if (!Number.isSafeInteger(rampMwPerS) || rampMwPerS < 1)
    throw new Problem("control-bad-value", "no ramp", {
      where,
      expected: "a whole number of mW a second, 1 or more",
      got: String(rampMwPerS),
    });
}

/** What is allowed, and who says so; undefined is not known. */
export interface Bounds {
  readonly least: number | undefined;
  readonly most: number | undefined;
  readonly says: string;
}

/** Limits of a value at the boundary of a channel, from the ratings. */
export function boundsOf(kind: ControlValue["kind"], ratings: ControlRatings, storage: boolean): Bounds {
  const into = storage ? ratings.maxChargeMw : ratings.maxImportMw;
  const out = storage ? ratings.maxDischargeMw : ratings.maxExportMw;
  switch (kind) {
    case "powerSetpoint":
      return { least: out === undefined ? undefined : 0 - out, most: into, says: "the ratings" };
    case "importLimit":
      return { least: 0, most: into, says: "the rating" };
    case "exportLimit":
      return { least: 0, most: out, says: "the rating" };
    case "stateOfChargeReserve":
      return {
        least: ratings.minReservePpm ?? 0,
        most: ratings.maxReservePpm ?? FULL_PPM,
        says: "the reserve's limits",
      };
    case "mode":
      return { least: 0, most: Number.MAX_SAFE_INTEGER, says: "" };
  }
}

/**
 * Throws `control-outside-ratings`, or `control-no-rating` where nobody says what is possible in the direction that is
 * asked for: a command that nothing bounds is not written.
 */
export function checkBounds(value: ControlValue, bounds: Bounds, where: string): void {
  const number = numberOf(value);
  const { least, most, says } = bounds;
  const limit = number < 0 ? least : most;
  if (limit === undefined)
    throw new Problem("control-no-rating", "nobody says how much power is possible in this direction", {
      where,
      got: `${value.kind} ${number}`,
      hint: "give it in the driver's controlLimits",
    });
  if ((least === undefined || number >= least) && (most === undefined || number <= most)) return;
  throw new Problem("control-outside-ratings", `${value.kind} is outside of ${says}`, {
    where,
    expected: `${least ?? "unknown"} to ${most ?? "unknown"}`,
    got: String(number),
  });
}

/** Throws `control-outside-ratings` for a limit wider than one that was set before: that one is somebody else's. */
export function checkEarlierLimit(value: ControlValue, before: ControlState, where: string): void {
  if (value.kind !== "importLimit" && value.kind !== "exportLimit") return;
  const earlier = before.active === true ? before.value : undefined;
  if (earlier === undefined || numberOf(value) <= numberOf(earlier)) return;
  throw new Problem("control-outside-ratings", `${value.kind} is wider than the limit that was set before`, {
    where,
    expected: `at most ${numberOf(earlier)}`,
    got: String(numberOf(value)),
    hint: "who set it has to take it back",
  });
}
