import type { Authority, ControlPhase } from "./types.ts";

/** From a start until it is taken for granted that nobody is there who orders. */
export const INIT_MS = 120_000;

/** What moves a device from one state to another. */
export type PhaseEvent =
  /** A fresh word of whoever may order. */
  | "heartbeat"
  /** None for so long as the settings allow; while limited only where the hold needs one. */
  | "heartbeatLost"
  /** {@link INIT_MS} after the start. */
  | "initOver"
  /** A hold was applied. */
  | "hold"
  /** The hold is over, and the last heartbeat is fresh, */
  | "over"
  /** or it is not. */
  | "overAlone";

/** The five states of EEBUS Limitation of Power Consumption, and what leads from one to another; the rest stays. */
export const TRANSITIONS: Readonly<
  Record<ControlPhase, Readonly<Partial<Record<PhaseEvent, ControlPhase>>>>
> = {
  init: { heartbeat: "unlimitedControlled", initOver: "unlimitedAutonomous", hold: "limited" },
  unlimitedAutonomous: { heartbeat: "unlimitedControlled", hold: "limited" },
  unlimitedControlled: { heartbeatLost: "unlimitedAutonomous", hold: "limited" },
  limited: { over: "unlimitedControlled", overAlone: "unlimitedAutonomous", heartbeatLost: "failsafe" },
  failsafe: { heartbeat: "unlimitedControlled", hold: "limited" },
};

export function nextPhase(phase: ControlPhase, event: PhaseEvent): ControlPhase {
  return TRANSITIONS[phase][event] ?? phase;
}

/** Where a device begins: in failsafe after a start in the middle of a lease, and where it was in failsafe before. */
export function phaseAtStart(kept: ControlPhase | undefined, isLeased: boolean): ControlPhase {
  return isLeased || kept === "limited" || kept === "failsafe" ? "failsafe" : "init";
}

/** What somebody who stands at the device orders is not undone because the network is silent. */
export function needsHeartbeat(authority: Authority): boolean {
  return authority !== "manual" && authority !== "reserve";
}

/** In failsafe only a person's own word is taken, which is a fresh word of somebody who may order. */
export function isTakenInFailsafe(authority: Authority): boolean {
  return authority === "manual";
}
