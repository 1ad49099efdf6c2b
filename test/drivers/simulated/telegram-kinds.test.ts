import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as later } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeProblem } from "../../../attest/problem.ts";
import type { ChannelDescription, MeterDriver, PolledMeter, Snapshot } from "../../../drivers/driver.ts";
import { decodeEvidence } from "../../../drivers/evidence/decode.ts";
import type { ShownByMeter } from "../../../drivers/simulated/speaking.ts";
import {
  SIMULATED_SERIAL,
  type SimulatedMeter,
  startSimulatedMeter,
} from "../../../drivers/simulated/telegram-device.ts";
import { CHANGE_AFTER_MS, type TelegramFaultName } from "../../../drivers/simulated/telegram-faults.ts";
import { METER_KINDS, type MeterKeys, type MeterKind } from "../../../drivers/simulated/telegram-kinds.ts";
import { closeLater } from "../../kit/close-later.ts";
import { channelsOf, expectSame, frameOf } from "../evidence/kit.ts";
import { until } from "../line/kit.ts";
import { METER_DRIVERS, METER_LAYOUTS } from "./meter-kinds.ts";

const KEY = Uint8Array.from({ length: 16 }, (_, at) => at);

const ran = { layouts: 0, encrypted: 0, frames: 0 };
let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "kinds-"));
  writeFileSync(join(folder, "key"), Buffer.from(KEY).toString("hex"), { mode: 0o600 });
});
afterAll(() => {
  rmSync(folder, { recursive: true });
  process.stdout.write(
    `simulated meters: ${ran.layouts} layouts and ${ran.encrypted} encrypted ones read by their drivers, ${ran.frames} frames decoded again\n`,
  );
});

const TCP = { kind: "tcp", host: "127.0.0.1", port: 0 } as const;
/** Of this machine alone. */
const GROUP = {
  kind: "datagrams",
  group: "239.255.77.2",
  interfaceAddress: "127.0.0.1",
  port: 20_000 + (process.pid % 20_000),
} as const;

interface Wanted {
  readonly kind: MeterKind;
  readonly layout: string;
  readonly keys?: MeterKeys;
  readonly faults?: readonly TelegramFaultName[];
  readonly nowMs?: () => number;
  readonly periodMs?: number;
}

async function simulated(wanted: Wanted): Promise<SimulatedMeter> {
  const { nowMs = () => performance.now(), ...rest } = wanted;
  const meter = await startSimulatedMeter({
    ...rest,
    place: rest.kind.medium === "line" ? TCP : GROUP,
    periodMs: wanted.periodMs ?? 40,
    clocks: { monotonicMs: nowMs, wallMs: () => Date.UTC(2026, 6, 15, 12) + nowMs() },
  });
  return closeLater(meter);
}

/** The driver as the block of configuration has it that is printed for the meter. */
function driverFor({ kind, layout, keys }: Wanted, { port }: SimulatedMeter): MeterDriver {
  const definition = METER_DRIVERS.find(({ name }) => name === kind.driver);
  if (definition === undefined) throw new Error(`no driver ${kind.driver}`);
  const key = keys === undefined ? {} : { keyFile: join(folder, "key") };
  const place =
    kind.medium === "line"
      ? { line: `tcp://127.0.0.1:${port}` }
      : { group: GROUP.group, port: GROUP.port, interface: "127.0.0.1" };
  const options = { ...place, ...kind.configuration(layout), ...key };
  const driver = definition.open(definition.schema.parse(options));
  return closeLater(driver);
}

async function firstSnapshot(driver: MeterDriver): Promise<Snapshot> {
  if (driver.mode === "polled") return driver.read();
  const snapshots: Snapshot[] = [];
  driver.start({
    onSnapshot: (snapshot) => snapshots.push(snapshot),
    onProblem: (problem) => {
      throw problem;
    },
  });
  await until("a reading with registers", () => snapshots.some(hasRegister));
  return snapshots.find(hasRegister) ?? expect.fail();
}

function hasRegister({ readings: [reading] }: Snapshot): boolean {
  return reading?.importMwh !== undefined || reading?.exportMwh !== undefined;
}

/** Registers as they were before and after, with what a display's step cuts off. */
function expectBetween(
  { readings }: Snapshot,
  [channel]: readonly ChannelDescription[],
  [before, after]: readonly [ShownByMeter, ShownByMeter],
): void {
  const [reading] = readings;
  const step = 2 * (reading?.resolutionMwh ?? channel?.resolutionMwh ?? 1);
  const sums = ({ importT1Mwh, importT2Mwh, exportT1Mwh, exportT2Mwh }: ShownByMeter) => ({
    importMwh: importT1Mwh + importT2Mwh,
    exportMwh: exportT1Mwh + exportT2Mwh,
  });
  for (const register of ["importMwh", "exportMwh"] as const) {
    const value = reading?.[register];
    if (value === undefined) continue;
    expect(value).toBeGreaterThan(sums(before)[register] - step);
    expect(value).toBeLessThanOrEqual(sums(after)[register]);
  }
}

/** Battery monitors do not say their number. */
const NAMELESS = ["bmv", "smartshunt"];

async function isRead(wanted: Wanted): Promise<void> {
  const { kind, layout } = wanted;
  const meter = await simulated(wanted);
  const before = meter.shown();
  const driver = driverFor(wanted, meter);
  const identity = await driver.identify();
  if (!NAMELESS.includes(layout))
    expect(identity.serial.replaceAll(" ", "")).toContain(SIMULATED_SERIAL.slice(-6));
  const snapshot = await firstSnapshot(driver);
  expectBetween(snapshot, driver.channels(), [before, meter.shown()]);
  expectDecodesAgain(kind.driver, snapshot, driver.channels());
}

/** The clock aside, which hangs on the configuration. */
function expectDecodesAgain(name: string, snapshot: Snapshot, channels: readonly ChannelDescription[]): void {
  const [channel] = channels;
  const known = channel?.resolutionMwh === undefined ? {} : { resolutionMwh: channel.resolutionMwh };
  const again = channelsOf(decodeEvidence(name, { make: "", ...known }, frameOf(snapshot).bytes));
  const timeless = snapshot.readings.map(({ meterTimeMs: _time, ...reading }) => reading);
  const sure = again.map(({ reading: { meterTimeMs: _time, ...reading }, ...rest }) => ({
    ...rest,
    reading,
  }));
  expectSame(sure, { ...snapshot, readings: timeless }, channels);
  ran.frames += 1;
}

describe("a simulated meter is read by its driver, and its evidence decodes again:", () => {
  it.each(METER_LAYOUTS)("%s, %s", async (name, layout) => {
    await isRead({ kind: kindOf(name), layout });
    ran.layouts += 1;
  });

  it.each(METER_LAYOUTS.filter(([name]) => METER_KINDS[name]?.isEncryptable))(
    "%s, %s, encrypted",
    async (name, layout) => {
      await isRead({ kind: kindOf(name), layout, keys: { key: KEY } });
      ran.encrypted += 1;
    },
  );
});

function kindOf(name: string): MeterKind {
  return METER_KINDS[name] ?? expect.fail(name);
}

/** What goes wrong, and what is made of it, one telegram after the other. */
interface Watched {
  readonly snapshots: Snapshot[];
  readonly codes: string[];
}

interface Listener {
  onSnapshot(snapshot: Snapshot): void;
  onProblem(problem: unknown): void;
}

/** Reads on and on, as the agent does. */
function watched(driver: MeterDriver): Watched {
  const seen: Watched = { snapshots: [], codes: [] };
  const onProblem = (problem: unknown): void => {
    seen.codes.push(describeProblem(problem).code);
  };
  const onSnapshot = (snapshot: Snapshot): void => {
    seen.snapshots.push(snapshot);
  };
  if (driver.mode === "push") driver.start({ onSnapshot, onProblem });
  else void readOn(driver, { onSnapshot, onProblem });
  return seen;
}

async function readOn(driver: PolledMeter, { onSnapshot, onProblem }: Listener): Promise<void> {
  for (let problems = 0; problems < 100; ) {
    try {
      onSnapshot(await driver.read());
    } catch (error) {
      if (describeProblem(error).code === "driver-closed") return;
      problems += 1;
      onProblem(error);
    }
  }
}

const WIRE = ["noise", "lost-bytes", "wrong-checksum", "truncated", "repeated-telegram"] as const;
/** One of each that is pushed, with a checksum, in the clear. */
const PUSHED = [
  ["dsmr", "dsmr-5", "dsmr-checksum"],
  ["sml", "open", "sml-checksum"],
  ["vedirect", "mppt", "vedirect-checksum"],
] as const;

describe("faults of the wire", () => {
  it.each(PUSHED)("never make a wrong reading of %s, %s", async (name, layout, code) => {
    const wanted = { kind: kindOf(name), layout, faults: WIRE };
    const meter = await simulated({ ...wanted, periodMs: 5 });
    const before = meter.shown();
    const driver = driverFor(wanted, meter);
    await driver.identify();
    const { snapshots, codes } = watched(driver);
    await until("ten spoilt telegrams and a good one", () => meter.spoilt() > 10 && snapshots.length > 50);
    for (const snapshot of snapshots) expectBetween(snapshot, driver.channels(), [before, meter.shown()]);
    expect(codes).toContain(code);
    expect(codes.filter((one) => !one.startsWith(`${name}-`))).toEqual([]);
  });
});

/** One layout of each kind, and what the driver says of another meter on its line. */
const SWAPPED = [
  ["dsmr", "dsmr-5", "driver-identity-changed"],
  ["sml", "open", "driver-identity-changed"],
  ["iec62056", "mode-c", "driver-identity-changed"],
  ["iec62056", "mode-d", "driver-identity-changed"],
  ["mbus", "plain", "driver-identity-changed"],
  ["dlms", "aidon", "driver-identity-changed"],
  ["vedirect", "mppt", "driver-identity-changed"],
  ["speedwire", "energy-meter", "speedwire-several"],
] as const;

/** A meter that changes when `change` is called. */
async function changing(wanted: Wanted): Promise<Watched & { change(): void }> {
  let laterMs = 0;
  const meter = await simulated({ ...wanted, nowMs: () => performance.now() + laterMs });
  const driver = driverFor(wanted, meter);
  await driver.identify();
  const seen = watched(driver);
  await until("two readings", () => seen.snapshots.length > 1);
  const change = (): void => {
    laterMs = CHANGE_AFTER_MS;
  };
  return { ...seen, change };
}

describe("another meter", () => {
  it.each(SWAPPED)("on the line of %s, %s is refused with %3$s", async (name, layout, code) => {
    const wanted: Wanted = { kind: kindOf(name), layout, faults: ["meter-swap"] };
    const { snapshots, codes, change } = await changing(wanted);
    change();
    await until("the refusal", () => codes.includes(code));
    const known = snapshots.length;
    await later(200);
    expect(snapshots).toHaveLength(known);
  });
});

describe("another key", () => {
  it.each([
    ["dsmr", "dsmr-5"],
    ["dlms", "kamstrup"],
    ["dlms", "iskra-mbus"],
  ])("of %s, %s is refused", async (name, layout) => {
    const wanted: Wanted = { kind: kindOf(name), layout, keys: { key: KEY }, faults: ["key-change"] };
    const { snapshots, codes, change } = await changing(wanted);
    expect(codes).toEqual([]);
    change();
    await until("refusals", () => codes.length > 3);
    const known = snapshots.length;
    await later(200);
    expect(snapshots).toHaveLength(known);
  });
});
