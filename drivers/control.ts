/**
 * What a device can be told, beside what it measures. Every command is a lease: it ends by itself, by the device's own
 * timer where it has one, else by whoever holds it. docs/control.md has the rules.
 */

/** Kinds of command, with their number in an actuation leaf (attest/leaf-flexibility.ts, `command`). */
export const CONTROL_KINDS = {
  powerSetpoint: 1,
  importLimit: 2,
  exportLimit: 3,
  stateOfChargeReserve: 4,
  mode: 5,
} as const;

export type ControlKind = keyof typeof CONTROL_KINDS;

/** What a device is to do of itself, with the number that stands for it as a value of an actuation leaf. */
export const CONTROL_MODES = {
  /** Neither charges nor discharges. */
  hold: 1,
  /** Charges on surplus, does not discharge. */
  chargeOnly: 2,
  /** Discharges in need, does not charge. */
  dischargeOnly: 3,
  /** Of a load: it is advised to take more than it would, as far as it likes. */
  advised: 4,
} as const;

export type ControlMode = keyof typeof CONTROL_MODES;

/** What is asked for, at the boundary of the capability's channel. */
export type ControlValue =
  /** The power to keep to: + into the boundary (charging, importing), - out of it. */
  | { readonly kind: "powerSetpoint"; readonly powerMw: number }
  /** The most that may flow into the boundary, or out of it: 0 or more. */
  | { readonly kind: "importLimit"; readonly limitMw: number }
  | { readonly kind: "exportLimit"; readonly limitMw: number }
  /** Part of the capacity that is not to be discharged. */
  | { readonly kind: "stateOfChargeReserve"; readonly reservePpm: number }
  | { readonly kind: "mode"; readonly mode: ControlMode };

export type ControlCommand = ControlValue & {
  /** How long it holds unless it is renewed. */
  readonly leaseMs: number;
  /** How fast the power may change on the way; only where the capability has `ramp`. */
  readonly rampMwPerS?: number;
};

/** One kind of command that a device takes. */
export interface ControlCapability {
  readonly kind: ControlKind;
  /** The channel whose boundary the value is about. */
  readonly channel: string;
  /** What the registers can express: mW, or ppm of a reserve; 1 of a mode. */
  readonly step: number;
  /** Of the kind "mode". */
  readonly modes?: readonly ControlMode[];
  /** Who ends the command when the lease is over: the device by its own timer, or whoever holds the lease. */
  readonly reverts: "device" | "holder";
  /**
   * What holds after it: the device's own rules, or what was set before, which {@link ControlResult.before} says and
   * a holder has to keep for {@link Controllable.revert}.
   */
  readonly revertsTo: "automatic" | "before";
  readonly shortestLeaseMs: number;
  readonly longestLeaseMs: number;
  /** How long a device that only has states stays in each of them; absent: it takes any value at any time. */
  readonly leastMs?: number;
  /** How long it keeps to a command at the most, renewals included; absent: as long as it is renewed. */
  readonly mostMs?: number;
  /** Whether a command can say how fast. */
  readonly ramp: boolean;
  /** Kinds that are written into the same registers: only one of them is leased at a time. */
  readonly excludes: readonly ControlKind[];
}

/** What the device, or its installer, says that it can do at most; absent where nobody says. */
export interface ControlRatings {
  readonly maxChargeMw?: number;
  readonly maxDischargeMw?: number;
  readonly maxImportMw?: number;
  readonly maxExportMw?: number;
  readonly usableEnergyMwh?: number;
  readonly minReservePpm?: number;
  readonly maxReservePpm?: number;
  readonly rampMwPerS?: number;
  /** From a command to the first change of power. */
  readonly responseMs?: number;
}

/** What a device says of one kind of command now. */
export interface ControlState {
  readonly kind: ControlKind;
  readonly channel: string;
  /** Undefined where the registers hold what none of this driver's commands leaves there. */
  readonly active: boolean | undefined;
  /** Only while it is active. */
  readonly value?: ControlValue;
  /** Until the device reverts, where it says so. */
  readonly remainingMs?: number;
  /** Until it takes another value, or goes back; absent when it does at once. */
  readonly mayChangeInMs?: number;
}

export interface ControlResult {
  readonly kind: ControlKind;
  /** What was written: the value asked for, as the registers can express it; less by less than the capability's step. */
  readonly written: ControlValue;
  /** Whether the device shows what was written. "unreadable": the write was confirmed, and then it did not answer. */
  readonly readBack: "agrees" | "differs" | "unreadable";
  readonly state?: ControlState;
  /** What was asked for, cut off to what the device's timer can express: renew it at half of this. */
  readonly leaseMs: number;
  readonly reverts: ControlCapability["reverts"];
  /** What was set when the lease began. */
  readonly before: ControlState;
}

export interface RevertResult {
  readonly kind: ControlKind;
  /** Whether the device shows that the command is over. */
  readonly readBack: "agrees" | "differs" | "unreadable";
  readonly state?: ControlState;
}

/**
 * A device that takes commands, one at a time: a second call waits for the first. Each call rejects with a Problem:
 *
 * - before anything is written: `control-not-supported`, `control-bad-value`, `control-bad-lease`,
 *   `control-outside-ratings`, `control-no-rating`, `control-conflict`, `control-not-expressible`,
 *   `control-not-allowed`, `control-no-before`, `control-not-leased`, `control-closed`, or the line's own;
 * - `control-refused`: the device refused the first write, so that nothing has changed;
 * - `control-interrupted`: it failed in the middle, and the device was reverted;
 * - `control-uncertain`: it failed in the middle and could not be reverted, so that what it does is not known.
 */
export interface Controllable {
  /** What it takes. Valid after `identify` has resolved. */
  capabilities(): readonly ControlCapability[];
  ratings(): Promise<ControlRatings>;
  /** Begins a lease, or puts another value into one that is running. Outside the ratings it rejects: nothing is clamped. */
  apply(command: ControlCommand): Promise<ControlResult>;
  /** Begins the time of a lease of this object anew, with the same value. */
  renew(kind: ControlKind, leaseMs: number): Promise<ControlResult>;
  /**
   * Ends a command, whoever gave it; again and again has the same effect. `before` is what to go back to where the
   * capability reverts to that and the lease was begun by another object.
   */
  revert(kind: ControlKind, before?: ControlState): Promise<RevertResult>;
  /** What the device says of every kind. */
  readBack(): Promise<readonly ControlState[]>;
}
