import type { ControlValue } from "../../drivers/control.ts";
import { isFresh, type Judged, type Measured, POWER_STALE_MS, rampStart } from "./guards.ts";
import type { ControlledResource } from "./settings.ts";

/** What the intake says of one device. */
export class DeviceMeasured {
  readonly #resource: ControlledResource;
  readonly #nowMs: () => number;
  #charge: Measured | undefined;
  #power: Measured | undefined;

  constructor(resource: ControlledResource, nowMs: () => number) {
    this.#resource = resource;
    this.#nowMs = nowMs;
  }

  stateOfCharge(ppm: number, atMs: number): void {
    this.#charge = { atMs, value: ppm };
  }

  power(powerMw: number, atMs: number): void {
    this.#power = { atMs, value: powerMw };
  }

  get now(): Pick<Judged, "nowMs" | "charge" | "power" | "resource"> {
    return { nowMs: this.#nowMs(), charge: this.#charge, power: this.#power, resource: this.#resource };
  }

  /** Where a ramp begins: at what flows, else at what the device was told, else at nothing. */
  fromMw(told: ControlValue | undefined): number {
    const { now } = this;
    const known = told?.kind === "powerSetpoint" ? told.powerMw : 0;
    return rampStart(isFresh(now.power, now.nowMs, POWER_STALE_MS) ? now.power.value : known, now);
  }
}
