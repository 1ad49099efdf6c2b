import type { ControlPlan, RegisterWrite } from "../control/surface.ts";
import type {
  ControlCapability,
  ControlCommand,
  ControlKind,
  ControlRatings,
  ControlState,
} from "../control.ts";
import type { Block, Source } from "./block.ts";

/** What percentages of a device are of, and what it can do at most. */
export interface SunSpecRatings extends ControlRatings {
  /** WMax of model 702 or 121, which output limits are a percentage of; not what anybody else allows. */
  readonly outputMw?: number;
  /** WChaMax of model 124, and the fastest discharge of model 120: what the rates of 124 are a percentage of. */
  readonly chargeRateMw?: number;
  readonly dischargeRateMw?: number;
}

/** One kind of command in one model. */
export interface ModelControl {
  readonly source: Source;
  readonly capability: ControlCapability;
  state(block: Block, ratings: SunSpecRatings): ControlState;
  plan(block: Block, command: ControlCommand, context: ModelContext): ControlPlan;
  /** Writes that end the command; `before` is what to go back to. */
  revert(block: Block, before: ControlState | undefined, ratings: SunSpecRatings): readonly RegisterWrite[];
}

export interface ModelContext {
  readonly ratings: SunSpecRatings;
  readonly before: ControlState;
}

/** Part of a capability that the device's timer decides. */
type Timing = Pick<ControlCapability, "reverts" | "shortestLeaseMs" | "longestLeaseMs">;

/** A setpoint is changed at most that often. */
const SHORTEST_MS = 10_000;
/** A lease that nobody's timer ends is short, so that whoever holds it has to show that it is alive. */
const LONGEST_HELD_MS = 3_600_000;
const LONGEST_MS = 86_400_000;

/** Leases of a timer in whole seconds that holds so many of them; of the holder where there is none. */
export function timingOf(seconds: number | undefined): Timing {
  return seconds === undefined
    ? { reverts: "holder", shortestLeaseMs: SHORTEST_MS, longestLeaseMs: LONGEST_HELD_MS }
    : {
        reverts: "device",
        shortestLeaseMs: SHORTEST_MS,
        longestLeaseMs: Math.min(LONGEST_MS, seconds * 1000),
      };
}

/** The lease in the whole seconds of a timer: never longer than was asked for. */
export function grantedMs({ leaseMs }: ControlCommand, { reverts }: ControlCapability): number {
  return reverts === "device" ? Math.floor(leaseMs / 1000) * 1000 : leaseMs;
}

/** Seconds that a change over the whole range takes at this ramp: never faster than was asked for. */
export function rampSeconds(rampMwPerS: number | undefined, rangeMw: number): number {
  return rampMwPerS === undefined ? 0 : Math.ceil(rangeMw / rampMwPerS);
}

/** State of a kind that the device does not say, or that is off. */
export function idle(kind: ControlKind, channel: string, active: false | undefined): ControlState {
  return { kind, channel, active };
}
