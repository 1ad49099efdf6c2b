import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Controllable } from "../../../drivers/control.ts";
import type { PolledMeter } from "../../../drivers/driver.ts";
import {
  type ControlledSuite,
  type ControlledSuiteOptions,
  startControlledSuite,
} from "../../../drivers/simulated/sunspec-controlled.ts";
import { sunspecDriver } from "../../../drivers/sunspec/driver.ts";
import { cleanupAfterEach } from "../modbus/kit.ts";

/** A simulated device with its time in hand, and the driver at it. */
export interface ControlBench {
  readonly device: ControlledSuite;
  readonly meter: PolledMeter;
  readonly control: Controllable;
  /** Lets time pass, in steps that no model takes for a pause. */
  pass(seconds: number): void;
  /** What truly flows into that boundary, mW. */
  power(name: string): number;
}

/** Starts SunSpec devices that are cleared after each test. */
export function suites(): (
  models: ControlledSuiteOptions["models"],
  options?: Partial<ControlledSuiteOptions> & { readonly driver?: Readonly<Record<string, unknown>> },
) => Promise<ControlBench> {
  const later = cleanupAfterEach();
  return async (models, { driver = {}, ...options } = {}) => {
    let nowMs = 0;
    const device = await startControlledSuite({
      place: { kind: "tcp", port: 0 },
      clock: () => nowMs,
      ...options,
      models,
    });
    later(() => device.close());
    const given = { host: "127.0.0.1", port: device.port, timeoutMs: 2000, ...driver };
    const meter = sunspecDriver.open(sunspecDriver.schema.parse(given));
    later(() => meter.close());
    if (meter.mode !== "polled") throw new Error("a SunSpec device is asked");
    await meter.identify();
    const pass = (seconds: number): void => {
      for (let left = seconds; left > 0; left -= 30) {
        nowMs += Math.min(left, 30) * 1000;
        device.truth();
      }
    };
    const power = (name: string): number => device.truth().boundaries.get(name)?.powerMw ?? Number.NaN;
    return { device, meter, control: controlOf(meter), pass, power };
  };
}

export function controlOf(meter: PolledMeter): Controllable {
  if (meter.control === undefined) throw new Error("the device takes no commands");
  return meter.control;
}

/** Registers as another program (mbpoll) reads them. */
export async function polled(
  port: number,
  start: number,
  count: number,
  unit = 1,
): Promise<readonly number[]> {
  const place = ["-a", String(unit), "-p", String(port), "-r", String(start), "-c", String(count)];
  const peer = spawn("mbpoll", ["-1", "-0", "-q", "-t", "4:hex", ...place, "127.0.0.1"]);
  let text = "";
  peer.stdout.on("data", (chunk) => (text += String(chunk)));
  await once(peer, "close");
  return [...text.matchAll(/\]:\s+0x([0-9A-F]{4})/g)].map((match) => Number.parseInt(match[1] ?? "", 16));
}
