import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { MeterReading } from "../../../attest/reading.ts";
import { catalogueOf } from "../../../drivers/catalogue.ts";
import { conformance } from "../../../drivers/kit/conformance.ts";
import { pulseDriver } from "../../../firmware-bridge/pulse/driver.ts";
import { decodePulseFrame, readingOfFrame } from "../../../firmware-bridge/pulse/pulse-frame.ts";
import {
  counterSettings,
  PulseMeter,
  type PulseOptions,
} from "../../../firmware-bridge/pulse/pulse-meter.ts";
import type { PulseReading, PulseSource } from "../../../firmware-bridge/pulse/pulse-source.ts";
import { RegisterFile } from "../../../firmware-bridge/pulse/register-file.ts";
import { FakeLine, pulses } from "./fake-line.ts";

const S = 1_000_000_000n;
const QUIET = { tooShort: 0, repeated: 0, gaps: [], notes: [] };

const OPTIONS: PulseOptions = {
  ...{ chip: "gpiochip0", line: 17, activeLow: true, bias: "pull-up", through: "auto" },
  ...{ minPulseMs: 20, minGapMs: 20, registerFile: "unused", role: "load", startKwh: "1234.5" },
  ...{ pulsesPerKwh: "1000", make: "Eltako", model: "WSZ15D", serial: "4711" },
};

/** A counter that gives these readings, one each time, and the last one from then on. */
function counterOf(...readings: readonly PulseReading[]): PulseSource {
  const left = [...readings];
  return {
    start: async () => undefined,
    read: async () => {
      const next = left.length > 1 ? left.shift() : left[0];
      if (next === undefined) throw new Error("nothing to read");
      return next;
    },
    stop: async () => undefined,
  };
}

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pulse-meter-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A meter whose register file is there. */
async function meterOf(more: Partial<PulseOptions>, ...readings: PulseReading[]): Promise<PulseMeter> {
  const options = { ...OPTIONS, ...more, registerFile: join(folder, "register") };
  await (await RegisterFile.open(options.registerFile, counterSettings(options).basis, 1_000)).close();
  const meter = new PulseMeter(options, counterOf(...readings));
  await meter.identify();
  return meter;
}

async function firstOf(meter: PulseMeter): Promise<MeterReading> {
  const [reading] = (await meter.read()).readings;
  if (reading === undefined) throw new Error("there is no reading");
  return reading;
}

const RECENT = { intervals: 1, spanNs: 36n * S, lastNs: 100n * S };
const COUNTED: PulseReading = { ...QUIET, count: 7, atNs: 101n * S, recent: RECENT };

describe("a pulse meter", () => {
  it("is who the configuration says", async () => {
    const meter = new PulseMeter(OPTIONS, counterOf(COUNTED));
    expect(() => meter.channels()).toThrow(expect.objectContaining({ code: "driver-not-identified" }));
    await expect(meter.read()).rejects.toMatchObject({ code: "driver-not-identified" });
    expect(await meter.identify()).toEqual({ make: "Eltako", model: "WSZ15D", serial: "4711", firmware: "" });
  });

  it.each([
    ["load", undefined, { importMwh: 1_234_507_000, activePowerMw: 100_000 }],
    ["grid", undefined, { importMwh: 1_234_507_000, activePowerMw: 100_000 }],
    ["grid", "export", { exportMwh: 1_234_507_000, activePowerMw: -100_000 }],
    ["generation", undefined, { exportMwh: 1_234_507_000, activePowerMw: -100_000 }],
  ] as const)("reads register and power with their sign: %s, %s", async (role, direction, values) => {
    const meter = await meterOf({ role, direction }, COUNTED);
    const { evidence, ...reading } = await firstOf(meter);
    expect(reading).toEqual({ channel: role, ...values });
    const [channel] = meter.channels();
    expect(channel).toMatchObject({ name: role, role, resolutionMwh: 1000, signVerified: false });
    expect(channel?.quantities).toEqual([values.activePowerMw > 0 ? "import" : "export", "power"]);
    expect(evidence).toHaveLength(32);
  });

  it.each([
    ["3", "0", 0, 0, 333_334],
    ["3", "0.000001", 2, 666_667, 333_334],
    ["3", "0", 3, 1_000_000, 333_334],
    ["1000/3", "12", 7, 12_021_000, 3_000],
    ["10000", "99999.123456", 1, 99_999_123_556, 100],
  ])(
    "counts %s pulses a kWh from %s kWh: %i pulses",
    async (pulsesPerKwh, startKwh, count, importMwh, step) => {
      const meter = await meterOf({ pulsesPerKwh, startKwh }, { ...QUIET, count, atNs: S });
      expect(await firstOf(meter)).toMatchObject({ importMwh });
      expect(meter.channels()[0]?.resolutionMwh).toBe(step);
    },
  );

  it("has as its evidence a frame that says the same", async () => {
    const meter = await meterOf({}, COUNTED);
    const { readings, frames = [] } = await meter.read();
    const [frame] = frames;
    if (frame === undefined) throw new Error("there is no frame");
    expect(createHash("sha256").update(frame.bytes).digest()).toEqual(Buffer.from(frame.digest));
    expect(readings).toEqual([{ ...readingOfFrame(decodePulseFrame(frame.bytes)), evidence: frame.digest }]);
  });

  it("leaves power out before it is known, and says so", async () => {
    const meter = await meterOf({}, { ...QUIET, count: 1, atNs: S });
    const { readings, absent } = await meter.read();
    expect(readings[0]).not.toHaveProperty("activePowerMw");
    expect(absent).toEqual(["power: not known before two pulses"]);
  });

  it("says of what time nobody knows what flowed, with the first reading after it", async () => {
    const fromMs = Date.UTC(2026, 0, 1, 12);
    const gaps = [{ fromMs, toMs: fromMs + 90_000 }];
    const meter = await meterOf({}, COUNTED, { ...COUNTED, gaps, notes: ["a copy"] }, COUNTED);
    expect(await meter.read()).not.toHaveProperty("downtime");
    const after = await meter.read();
    const message =
      "nobody counted from 2026-01-01T12:00:00.000Z to 2026-01-01T12:01:30.000Z: what flowed meanwhile is unknown";
    expect(after).toMatchObject({ downtime: [{ channel: "load", message }], absent: [message, "a copy"] });
    expect(after.readings).toHaveLength(1);
    expect(await meter.read()).not.toHaveProperty("downtime");
  });
});

describe("the options", () => {
  const given = { line: 17, pulsesPerKwh: 1000, registerFile: "register" };

  it("are complete with line, constant and register file", () => {
    expect(pulseDriver.schema.parse(given)).toMatchObject({
      ...{ chip: "gpiochip0", line: 17, pulsesPerKwh: "1000", startKwh: "0", role: "load" },
      ...{ activeLow: true, bias: "pull-up", through: "auto", minPulseMs: 20, minGapMs: 20, serial: "" },
    });
    expect(pulseDriver.files).toEqual(["registerFile"]);
    expect(catalogueOf([pulseDriver]).names).toEqual(["s0-pulse"]);
  });

  it.each([
    ["no pulses", { pulsesPerKwh: 0 }],
    ["half a pulse", { pulsesPerKwh: 0.5 }],
    ["a ratio by nothing", { pulsesPerKwh: "1000/0" }],
    ["a negative start", { startKwh: -1 }],
    ["a finer start than mWh", { startKwh: "1.0000001" }],
    ["a start in words", { startKwh: "1e3" }],
    ["a role that has two directions", { role: "storage" }],
    ["a chip that is an option", { chip: "--help" }],
    ["an unknown key", { pin: 17 }],
  ])("are refused with %s", (_name, more) => {
    expect(pulseDriver.schema.safeParse({ ...given, ...more }).success).toBe(false);
  });
});

describe("the driver", () => {
  let line: FakeLine;

  beforeEach(async () => {
    line = new FakeLine();
    await line.open();
  });

  afterEach(() => line.close());

  it("keeps the contract of drivers on a line that gives pulses", async () => {
    line.installGpiomon(2);
    const options = { line: 17, pulsesPerKwh: "1000", registerFile: join(line.folder, "register") };
    const watching = line.watched().then(() => line.play({ edges: pulses(20), everyMs: 5 }));
    const results = await conformance(pulseDriver, options, {
      reads: 5,
      pauseMs: 40,
      unreachable: { ...options, registerFile: join(line.folder, "nowhere", "register") },
    });
    await watching;
    expect(results.filter(({ outcome }) => outcome !== "passed")).toEqual([]);
  });
});
