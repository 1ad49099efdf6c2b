import { numberOf } from "../../drivers/control/values.ts";
import type {
  ControlCapability,
  Controllable,
  ControlResult,
  ControlState,
  ControlValue,
} from "../../drivers/control.ts";
import { present } from "../../drivers/present.ts";
import type { ControlledResource } from "./settings.ts";
import type { Hold, KeptLease } from "./types.ts";

/** Setpoints of one device are so far apart at least; reverts are not asked. */
export const SETPOINT_MS = 10_000;
/** How often the device is asked whether it still has the value. */
export const VERIFY_MS = 10_000;
/** At two reads in a row a command that the device does not show is given up. */
export const MOST_DIFFERENT = 2;
const MS_PER_S = 1000;

export type Verdict = ControlResult["readBack"];

/** What a hold is carried out with. */
export interface RunningStart {
  readonly hold: Hold;
  readonly capability: ControlCapability;
  readonly control: Controllable;
  readonly resource: ControlledResource;
  /** What the device does now, as far as it is known. */
  readonly fromMw: number;
}

/** A hold that is being carried out. */
export class Running {
  readonly hold: Hold;
  readonly capability: ControlCapability;
  control: Controllable;
  lease: KeptLease;
  /** False until the device has taken the first value. */
  begun = false;
  /** Why it has to end as soon as the device has answered. */
  endReason: string | undefined;
  /** What the device is told now; a big change takes several steps where the device has no ramp of its own. */
  told: ControlValue;
  written: ControlValue;
  leaseUntilMs: number = Number.POSITIVE_INFINITY;
  renewAtMs: number = Number.POSITIVE_INFINITY;
  verifyAtMs: number = Number.POSITIVE_INFINITY;
  different = 0;
  reported: { readonly verdict: Verdict; readonly atMs: number } | undefined;
  /** The code of the last renewal that failed. */
  failure: string | undefined;
  readonly #stepMw: number | undefined;
  readonly rampMwPerS: number | undefined;

  constructor({ hold, capability, control, resource, fromMw }: RunningStart) {
    this.hold = hold;
    this.capability = capability;
    this.control = control;
    const ramp = lower(hold.rampMwPerS, resource.rampMwPerS);
    // What stays in each of its states for a time has no values in between.
    const isStepless = capability.ramp || capability.leastMs !== undefined;
    const canStep = hold.value.kind === "powerSetpoint" && !isStepless;
    this.rampMwPerS = capability.ramp ? ramp : undefined;
    this.#stepMw = canStep && ramp !== undefined ? Math.floor((ramp * SETPOINT_MS) / MS_PER_S) : undefined;
    this.told = this.#toward(fromMw);
    this.written = this.told;
    const { kind, channel, reverts } = capability;
    const { device, orderSeq, untilMonotonicMs } = hold;
    this.lease = present<KeptLease>({ device, kind, channel, reverts, untilMonotonicMs, orderSeq });
  }

  /** The value to tell next; undefined where the device has been told all of it. */
  get nextStep(): ControlValue | undefined {
    const target = numberOf(this.hold.value);
    const now = numberOf(this.told);
    return now === target ? undefined : this.#toward(now);
  }

  /** Whether what the device shows is what was written. */
  shows(state: ControlState | undefined): boolean {
    if (state?.active !== true || state.value === undefined) return false;
    return Math.abs(numberOf(state.value) - numberOf(this.written)) < this.capability.step;
  }

  #toward(fromMw: number): ControlValue {
    const { value } = this.hold;
    if (value.kind !== "powerSetpoint" || this.#stepMw === undefined) return value;
    const change = Math.max(0 - this.#stepMw, Math.min(value.powerMw - fromMw, this.#stepMw));
    return { kind: "powerSetpoint", powerMw: fromMw + change };
  }
}

function lower(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}
