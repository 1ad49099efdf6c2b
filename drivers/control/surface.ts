import type {
  ControlCapability,
  ControlCommand,
  ControlKind,
  ControlRatings,
  ControlState,
  ControlValue,
} from "../control.ts";

/** Neighbouring holding registers and what is written into them in one request. */
export interface RegisterWrite {
  readonly start: number;
  readonly values: readonly number[];
  /** Function 6 or 16 of Modbus Application Protocol v1.1b3. */
  readonly functionCode: 6 | 16;
}

/** What a command comes down to. */
export interface ControlPlan {
  /** What the registers can express of the value. */
  readonly written: ControlValue;
  /** What the device's timer can express of the lease. */
  readonly leaseMs: number;
  /** In this order: what limits and ends a command first, the value next, what switches it on at last. */
  readonly writes: readonly RegisterWrite[];
}

/** What stands before a command is planned. */
export interface PlanContext {
  readonly ratings: ControlRatings;
  /** The state now. */
  readonly now: ControlState;
}

/** One family of devices: which registers a command is, and what they say. It neither waits nor remembers. */
export interface ControlSurface {
  /** How messages call the device. */
  readonly where: string;
  capabilities(): readonly ControlCapability[];
  ratings(): Promise<ControlRatings>;
  /** The state of one kind, from registers read now. */
  state(kind: ControlKind): Promise<ControlState>;
  /** Throws `control-not-expressible`, `control-not-allowed`. The value is within the ratings. */
  plan(command: ControlCommand, context: PlanContext): Promise<ControlPlan>;
  /** Writes that end a command, or go back to `before`. */
  planRevert(kind: ControlKind, before: ControlState | undefined): Promise<readonly RegisterWrite[]>;
  write(write: RegisterWrite): Promise<void>;
}
