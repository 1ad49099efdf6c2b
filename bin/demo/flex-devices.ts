import type { MeterIdentity, PolledMeter, Snapshot } from "../../drivers/driver.ts";
import { type ControlledHome, startControlledHome } from "../../drivers/simulated/controlled-home.ts";
import { unlikeDay } from "../../drivers/simulated/controlled-home-days.ts";
import type { SimulatedControlFault } from "../../drivers/simulated/profile-faults.ts";
import { sunspecDriver } from "../../drivers/sunspec/driver.ts";
import type { Cleanups } from "./cleanups.ts";
import type { DemoClock } from "./flex-clock.ts";
import { PLAN, STEP_MS } from "./flex-plan.ts";
import { HOST } from "./site.ts";

/** A device of the home behind its driver, which reads it over its socket. */
export interface FlexDevice {
  /** As an agent's configuration would name it. */
  readonly id: "battery" | "meter";
  readonly port: number;
  readonly meter: PolledMeter;
  readonly identity: MeterIdentity;
}

/** The simulated home with both of its devices, read by the drivers that read real ones. */
export interface FlexDevices {
  readonly home: ControlledHome;
  readonly all: readonly FlexDevice[];
  /** What is wrong with the battery's inverter. */
  readonly fault: SimulatedControlFault | undefined;
  /** One snapshot of each, of the same instant. */
  read(): Promise<readonly { readonly device: FlexDevice; readonly snapshot: Snapshot }[]>;
}

export async function startFlexDevices(
  clock: DemoClock,
  cleanups: Cleanups,
  fault: SimulatedControlFault | undefined,
): Promise<FlexDevices> {
  const home = await startControlledHome({
    battery: { kind: "tcp", host: HOST, port: 0 },
    meter: { kind: "tcp", host: HOST, port: 0 },
    clock: () => clock.nowMs,
    ...{ dayMs: 0, daySpeed: 1, day: unlikeDay, keptBack: PLAN.keptBack },
    stepMs: (nowMs) => (nowMs < PLAN.fineFromMs ? STEP_MS.coarse : STEP_MS.fine),
  });
  cleanups.add(() => home.close());
  if (fault !== undefined) home.setFaults([fault]);
  const all = [
    await open("battery", home.batteryPort, cleanups),
    await open("meter", home.meterPort, cleanups),
  ];
  return {
    ...{ home, all, fault },
    read: () => Promise.all(all.map(async (device) => ({ device, snapshot: await device.meter.read() }))),
  };
}

async function open(id: FlexDevice["id"], port: number, cleanups: Cleanups): Promise<FlexDevice> {
  const meter = sunspecDriver.open(sunspecDriver.schema.parse({ host: HOST, port }));
  if (meter.mode !== "polled") throw new Error("a SunSpec device is asked");
  cleanups.add(() => meter.close());
  return { id, port, meter, identity: await meter.identify() };
}
