import type { Authority } from "../../../agent/control/types.ts";
import type { ControlValue } from "../../../drivers/control.ts";
import type { BatteryFault } from "./simulated-battery.ts";

export interface SafetySite {
  readonly reverts: "device" | "holder";
  readonly ramp: boolean;
  readonly dayMs: number;
  readonly lossPpm: number;
  readonly reservePpm: number;
  readonly maxImportMw: number;
  readonly maxExportMw: number;
  /** Whether the holds run out at the end, or all are reverted. */
  readonly waits: boolean;
}

export type SafetyStep =
  | {
      readonly step: "hold";
      readonly authority: Authority;
      readonly value: ControlValue;
      readonly seconds: number;
      readonly ramp: number | undefined;
    }
  | { readonly step: "pass"; readonly seconds: number }
  | { readonly step: "release"; readonly authority: Authority }
  | { readonly step: "fault"; readonly faults: readonly BatteryFault[] }
  | { readonly step: "restart" | "reboot"; readonly seconds: number }
  | { readonly step: SafetySwitch };

export type SafetySwitch =
  | "line-down"
  | "line-hangs"
  | "line-answers"
  | "line-anew"
  | "line-same"
  | "meter-off"
  | "meter-on"
  | "charge-off"
  | "charge-on"
  | "heartbeat-off"
  | "heartbeat-on"
  | "disk-full"
  | "disk-well"
  | "clock-step";
