import type {
  ControlKind,
  Controllable,
  ControlResult,
  ControlState,
  ControlValue,
} from "../../drivers/control.ts";

/**
 * Who may tell a device something, the strongest first. Hardware, battery management and fuse are above all of them and
 * are not asked. docs/flexibility.md, "Control".
 */
export const AUTHORITIES = ["gridOperator", "manual", "reserve", "commitment", "price"] as const;
export type Authority = (typeof AUTHORITIES)[number];

/** The states of a controlled device, after EEBUS Limitation of Power Consumption. */
export type ControlPhase = "init" | "unlimitedAutonomous" | "unlimitedControlled" | "limited" | "failsafe";

/** A value that a device is to keep to for a time; its leases are renewed until then. */
export interface Hold {
  /** `id` of the device in the configuration. */
  readonly device: string;
  readonly authority: Authority;
  readonly value: ControlValue;
  readonly rampMwPerS?: number;
  /** On the clock that is never set. */
  readonly untilMonotonicMs: number;
  /** The dispatch or challenge leaf that it follows from. */
  readonly orderSeq?: number;
}

/** What was done to a device, for the log. */
export interface Actuated {
  readonly device: string;
  /** The driver's name of the channel whose boundary the value is about. */
  readonly channel: string;
  readonly action: "apply" | "renew" | "revert";
  readonly kind: ControlKind;
  readonly value?: ControlValue;
  readonly readBack?: ControlValue;
  readonly leaseMs?: number;
  readonly rampMwPerS?: number;
  readonly orderSeq?: number;
  /** Why, where it is not the order: "over" (its time), "site-meter-stale", "clock-step", "differs", "agent-killed", … */
  readonly reason?: string;
}

/** One lease, as it is kept beside the journal before anything is written to the device. */
export interface KeptLease {
  readonly device: string;
  readonly kind: ControlKind;
  readonly channel: string;
  readonly reverts: "device" | "holder";
  /** When it ends unless it is renewed, on the clock that is never set. */
  readonly untilMonotonicMs: number;
  /** What to go back to; absent until the device has said it. */
  readonly before?: ControlState;
  readonly orderSeq?: number;
}

/** A lease that somebody else than the agent ended, which the log does not say yet. */
export interface KeptRevert {
  readonly device: string;
  readonly kind: ControlKind;
  readonly channel: string;
  readonly atMs: number;
  readonly reason: string;
  readonly readBack: "agrees" | "differs" | "unreadable";
  readonly orderSeq?: number;
}

/** The file of leases: what has to be reverted if nobody is left to do it. */
export interface LeaseFile {
  readonly version: 1;
  /** Of the start of the machine in which the times hold. */
  readonly bootId: string;
  readonly leases: readonly KeptLease[];
  readonly phases: Readonly<Record<string, ControlPhase>>;
  readonly reverted: readonly KeptRevert[];
}

/** What the part that keeps commitments asks of the part that controls. */
export interface ControlPort {
  /**
   * Has a device keep to a value: now, and by renewed leases until the hold is over. Throws what `Controllable.apply` does,
   * and `control-unknown`, `control-offline`, `control-outranked`, `control-too-soon`, `control-limit`,
   * `control-failsafe`, `control-unsupervised` or `control-meter-stale`.
   */
  hold(hold: Hold): Promise<ControlResult>;
  /** Ends what that authority has a device do; nothing where it has it do nothing. */
  release(device: string, authority: Authority, reason: string): Promise<void>;
  phase(device: string): ControlPhase;
}

/** Where a device's control surface is found while it is online. */
export type ControlSource = (device: string) => Controllable | undefined;
