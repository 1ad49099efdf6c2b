import { Problem } from "../../../attest/problem.ts";
import type { MeterReading } from "../../../attest/reading.ts";
import type { ChannelDescription, MeterDriver, PolledMeter, Snapshot } from "../../../drivers/driver.ts";
import { compileProfile } from "../../../drivers/profile/compile.ts";
import type { CompiledProfile } from "../../../drivers/profile/compiled.ts";
import { driverOfProfile } from "../../../drivers/profile/definition.ts";
import { parseProfile } from "../../../drivers/profile/load.ts";
import type { ProfileValue } from "../../../drivers/profile/profile.ts";
import type { SiteInstant } from "../../../drivers/simulated/physical-site.ts";
import {
  type SimulatedProfile,
  type SimulatedProfileOptions,
  startSimulatedProfile,
} from "../../../drivers/simulated/profile-device.ts";
import { planSimulation } from "../../../drivers/simulated/profile-simulation.ts";
import { cleanupAfterEach } from "../modbus/kit.ts";

/** A simulated device whose time stands until it is set on. */
export interface Bench {
  readonly device: SimulatedProfile;
  readonly compiled: CompiledProfile;
  /** Lets time pass, in steps that no model takes for a pause. */
  pass(seconds: number): void;
  /** The driver of the profile at this device; what is given stands beside the place. */
  open(options?: Readonly<Record<string, unknown>>): PolledMeter;
}

/** Starts benches that are cleared after each test. */
export function benches(): (
  compiled: CompiledProfile,
  options?: Partial<SimulatedProfileOptions>,
) => Promise<Bench> {
  const later = cleanupAfterEach();
  return async (compiled, options = {}) => {
    let nowMs = 0;
    const place = options.place ?? { kind: "tcp", port: 0 };
    const device = await startSimulatedProfile(compiled, { clock: () => nowMs, ...options, place });
    later(() => device.close());
    const open = (more: Readonly<Record<string, unknown>> = {}): PolledMeter => {
      const meter = openMeter(compiled, { ...placeOptions(device, place.kind), ...more });
      later(() => meter.close());
      return meter;
    };
    const pass = (seconds: number): void => {
      for (let left = seconds; left > 0; left -= 30) {
        nowMs += Math.min(left, 30) * 1000;
        device.truth();
      }
    };
    return { device, compiled, pass, open };
  };
}

/** Without the pauses that real devices need. */
function openMeter(compiled: CompiledProfile, options: Readonly<Record<string, unknown>>): PolledMeter {
  const { schema, open } = driverOfProfile(compiled);
  const meter: MeterDriver = open(
    schema.parse({ timeoutMs: 2000, connectDelayMs: 0, minGapMs: 0, ...options }),
  );
  if (meter.mode !== "polled") throw new Error("a profile's driver is asked");
  return meter;
}

/** Asks again where a deadline that is short for the test's sake was missed by a busy machine. */
export async function patiently<T>(ask: () => Promise<T>, tries = 4): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    const late = error instanceof Problem && /^(modbus-timeout|driver-no-answer)$/.test(error.code);
    if (!late || tries === 1) throw error;
    return await patiently(ask, tries - 1);
  }
}

export function placeOptions(
  { port, unit }: SimulatedProfile,
  kind: SimulatedProfileOptions["place"]["kind"],
): Readonly<Record<string, unknown>> {
  const place = kind === "tcp" ? { host: "127.0.0.1", port } : { line: `tcp://127.0.0.1:${port}` };
  return { ...place, unit };
}

/** A profile of a test's own: what is left out is as plain as can be. */
export function profileOf(parts: Readonly<Record<string, unknown>>): CompiledProfile {
  const text = JSON.stringify({
    format: 1,
    title: "Device of a test",
    category: "meter",
    identity: { make: "Test", model: "Test", match: [] },
    transport: { tcp: {} },
    provenance: [{ document: "this test" }],
    captures: "none",
    ...parts,
  });
  return compileProfile("test-device", parseProfile(text, "test.yaml"));
}

/** What a reading shows that its boundary does not, to less than one step of each register. */
export function differences(
  compiled: CompiledProfile,
  { readings }: Snapshot,
  truth: SiteInstant,
): readonly string[] {
  const stepOf = stepsOf(compiled);
  return Object.entries(compiled.profile.channels).flatMap(([name, channel]) => {
    const reading = readings.find((one) => one.channel === name);
    const boundary = truth.boundaries.get(name);
    if (reading === undefined || boundary === undefined) return [`${name}: no reading`];
    const { voltageMv } = truth;
    const wanted: readonly Expected[] = [
      { key: "activePowerMw", value: channel.power, is: boundary.powerMw },
      { key: "importMwh", value: channel.import, is: boundary.importMwh },
      { key: "exportMwh", value: channel.export, is: boundary.exportMwh },
      { key: "stateOfChargePpm", value: channel.stateOfCharge, is: truth.stateOfChargePpm },
      { key: "frequencyMhz", value: channel.frequency, is: truth.frequencyMhz },
    ];
    const phases = (channel.voltage ?? []).map((value, at) => ({
      what: `voltage L${at + 1}`,
      step: stepOf(value, voltageMv[at] ?? 0),
      got: reading.voltageMv?.[at],
      is: voltageMv[at] ?? 0,
    }));
    const values = wanted.flatMap(({ key, value, is }) =>
      value === undefined ? [] : [{ what: key, step: stepOf(value, is), got: reading[key], is }],
    );
    return [...values, ...phases]
      .filter(({ got, is, step }) => got === undefined || Math.abs(got - is) >= step + 1)
      .map(({ what, got, is, step }) => `${name} ${what}: ${got} instead of ${is}, step ${step}`);
  });
}

interface Expected {
  readonly key: "activePowerMw" | "importMwh" | "exportMwh" | "stateOfChargePpm" | "frequencyMhz";
  readonly value: ProfileValue | undefined;
  readonly is: number;
}

/** The step in which a sum of points shows a value: of equal terms theirs, of digits that of the last one. */
function stepsOf(compiled: CompiledProfile): (value: ProfileValue, near: number) => number {
  const { points } = planSimulation(compiled);
  return (value, near) => {
    const steps = [value].flat().map((term) => {
      const point = points.get(term.replace(/^-/, ""));
      if (point === undefined) throw new Error(`no point ${term}`);
      const { numerator, denominator } = point.step;
      const step = Math.abs(Number(numerator) / Number(denominator));
      return point.layout.type === "float32" ? Math.max(1, Math.abs(near) * 2 ** -23) : step;
    });
    return Math.min(...steps);
  };
}

export function readingOf({ readings }: Snapshot, channel: string): MeterReading {
  const reading = readings.find((one) => one.channel === channel);
  if (reading === undefined) throw new Error(`no reading of ${channel}`);
  return reading;
}

export function channelOf(meter: PolledMeter, name: string): ChannelDescription {
  const channel = meter.channels().find((one) => one.name === name);
  if (channel === undefined) throw new Error(`no channel ${name}`);
  return channel;
}
