import type { ControlDeskStatus } from "../control/control-status.ts";
import type { FlexStatus } from "./desk.ts";

/** How the devices that may be told something stand, and what was ordered. */
export interface ControlStatus extends ControlDeskStatus {
  readonly flexibility: FlexStatus;
}
