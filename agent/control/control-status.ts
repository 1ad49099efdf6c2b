import type { ControlKind } from "../../drivers/control.ts";
import type { ControlPhase, Hold } from "./types.ts";

/** What one device is being told, for whoever asks. */
export interface DeviceControlStatus {
  readonly device: string;
  readonly phase: ControlPhase;
  readonly hold?: Hold;
  /** Kinds of command that are over, and that the device has not confirmed to be. */
  readonly reverting: readonly ControlKind[];
  /** Until it takes another command, or goes back, as it said itself; absent where it does at once. */
  readonly mayChangeInMs?: number;
  /** Why it cannot be told anything at present, where it says so itself. */
  readonly problem?: string;
}

export interface ControlDeskStatus {
  readonly devices: readonly DeviceControlStatus[];
  /** Only with a site meter. */
  readonly siteMeterStale?: boolean;
  readonly supervised: boolean;
}
