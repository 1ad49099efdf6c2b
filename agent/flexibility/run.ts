import { ACKNOWLEDGEMENT } from "../../attest/leaf-flexibility.ts";
import type { ControlValue } from "../../drivers/control.ts";
import type { Hold } from "../control/types.ts";

interface Window {
  /** UTC: nothing begins before it, */
  readonly fromMs: number;
  /** after it nothing begins any more, */
  readonly startByMs: number;
  /** and by then it is over. */
  readonly toMs: number;
}

/** What a dispatch has a device do. */
export interface DispatchPlan extends Window {
  readonly kind: "dispatch";
  readonly value: ControlValue;
  readonly rampMwPerS?: number;
}

/** What a challenge has a device do: one power after another. */
export interface ChallengePlan extends Window {
  readonly kind: "challenge";
  readonly stepMs: number;
  readonly powersMw: readonly number[];
}

/** An order that a device carries out, or is going to. */
export interface Run {
  /** Its dispatch or challenge leaf, and that leaf's channel. */
  readonly seq: number;
  readonly channel: number;
  readonly device: string;
  readonly nodeKey: Uint8Array;
  /** Hexadecimal. */
  readonly objectId: string;
  readonly commitmentSeq?: number;
  readonly plan: DispatchPlan | ChallengePlan;
  accepted: boolean;
  /** From the first word to the device on. */
  told: boolean;
  /** Since when a device that could not be told is asked again, on the clock that is never set as what follows. */
  failingSinceMs?: number;
  startedMs?: number;
  endsMs?: number;
  /** Steps of a challenge that were given to the device. */
  steps: number;
  /** Its final acknowledgement has been decided on. */
  over: boolean;
}

export type AcknowledgementState = keyof typeof ACKNOWLEDGEMENT;

/** States behind which nothing follows. */
export const FINAL_STATES: ReadonlySet<number> = new Set([
  ACKNOWLEDGEMENT.rejected,
  ACKNOWLEDGEMENT.succeeded,
  ACKNOWLEDGEMENT.aborted,
  ACKNOWLEDGEMENT.optedOut,
  ACKNOWLEDGEMENT.superseded,
]);

/** Why a device cannot be told now, though it may be in a moment. */
const PASSING: ReadonlySet<string> = new Set([
  "control-too-soon",
  "control-offline",
  "control-failsafe",
  "control-meter-stale",
  "relay-dwell",
]);
/** How long a device is asked again, each second. */
const PATIENCE_MS = 60_000;
/** A step that comes later than this is no answer to the pattern any more. */
const STEP_PATIENCE_MS = 5000;

/** Number of the step that a challenge is in; one behind the last when it is over. */
export function stepAt(plan: ChallengePlan, sinceStartMs: number): number {
  return Math.min(plan.powersMw.length, Math.floor(sinceStartMs / plan.stepMs));
}

/** What the part that controls is asked for. */
export function holdOf(run: Run, value: ControlValue, untilMonotonicMs: number): Hold {
  const { device, plan, seq } = run;
  return {
    ...{ device, authority: "commitment", value, untilMonotonicMs, orderSeq: seq },
    ...(plan.kind === "dispatch" && plan.rampMwPerS !== undefined ? { rampMwPerS: plan.rampMwPerS } : {}),
  };
}

/** Whether a device that refuses with `code` is asked again at the next tick. */
export function isAskedAgain({ failingSinceMs, startedMs }: Run, code: string, monotonicMs: number): boolean {
  const patienceMs = startedMs === undefined ? PATIENCE_MS : STEP_PATIENCE_MS;
  return PASSING.has(code) && monotonicMs - (failingSinceMs ?? monotonicMs) < patienceMs;
}

/** How an order ends that the device refused to follow, and with which reason. */
export function refusalOf(
  { accepted }: Run,
  code: string,
): { readonly state: AcknowledgementState; readonly reason: string } {
  // docs/flexibility.md, "Settlement": what the device could not be told at all is not what it failed to do.
  if (!accepted)
    return { state: "rejected", reason: code === "control-offline" ? `unavailable: ${code}` : code };
  return { state: code === "control-outranked" ? "superseded" : "aborted", reason: code };
}

/** Whether two orders would have a device do two things at a time. */
export function isConcurrent(one: Run["plan"], other: Run["plan"]): boolean {
  return one.fromMs < other.toMs && other.fromMs < one.toMs;
}

/** The value of a dispatch's command. */
export function commandedValue(command: number, value: number): ControlValue {
  if (command === 1) return { kind: "powerSetpoint", powerMw: value };
  return { kind: command === 2 ? "importLimit" : "exportLimit", limitMw: value };
}
