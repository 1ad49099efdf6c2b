import { describe, expect, it } from "vitest";
import type { MeterReading } from "../../../attest/reading.ts";
import { SignWatch } from "../../../drivers/sunspec/doubts.ts";
import * as device from "./devices.ts";
import { cleanupAfterEach, fixed, openSuite } from "./kit.ts";

const later = cleanupAfterEach();

describe("the sign of a meter's power", () => {
  const cases: readonly (readonly [make: string, id: number, powerMw: number, source: string | undefined])[] =
    [
      ["SolarEdge ", 203, -2_100_000, "solaredge-hybrid"],
      ["Fronius", 213, 2_100_000, "fronius-gen24"],
      ["KOSTAL", 203, 2_100_000, "kostal-ksem"],
      ["KEBA", 203, 2_100_000, "keba-kecontact"],
      ["SMA", 203, 2_100_000, undefined],
      ["FIMER", 203, 2_100_000, undefined],
      ["Nobody", 203, 2_100_000, undefined],
    ];

  it.each(cases)("of %s is known, or said not to be", async (make, id, powerMw, source) => {
    const { meter } = await openSuite(later, { models: fixed(device.meterOf(id)), make });
    expect((await meter.read()).readings[0]?.activePowerMw).toBe(powerMw);
    const [channel] = meter.channels();
    expect(channel?.signSource?.includes("evcc") ?? false).toBe(source !== undefined);
    if (source !== undefined) expect(channel?.signSource).toContain(source);
    // What others have found out is no proof of this device.
    expect(channel).not.toHaveProperty("signVerified");
  });

  it("is what the installer says it is", async () => {
    const { meter } = await openSuite(
      later,
      { models: fixed(device.meterOf(203)), make: "SolarEdge" },
      { meterPowerSign: "import-positive" },
    );
    expect((await meter.read()).readings[0]?.activePowerMw).toBe(2_100_000);
    expect(meter.channels()[0]?.signSource).toContain("configuration");
  });
});

describe("the sign of an inverter's power", () => {
  it("is that of the definition, and verified where a capture of the make shows it", async () => {
    for (const [make, verified] of [
      ["SMA", true],
      ["Fronius", undefined],
    ] as const) {
      const { meter } = await openSuite(later, { models: fixed(device.inverter(101)), make });
      await meter.identify();
      expect(meter.channels()[0]?.signVerified).toBe(verified);
      expect(meter.channels()[0]?.signSource).toContain("output power");
    }
  });
});

describe("the sign of a battery's power", () => {
  it("is not known where ChaSt does not say, and then not verified", async () => {
    const { ChaSt: _, ...values } = device.bank().values;
    const { meter } = await openSuite(later, { models: fixed({ ...device.bank(), values }) });
    await meter.identify();
    expect(meter.channels()[0]).not.toHaveProperty("signSource");
    expect(meter.channels()[0]).not.toHaveProperty("signVerified");
  });
});

describe("controls that only take commands", () => {
  it("are not read from a make that is known for it", async () => {
    const models = fixed(device.inverter(101, { W: 0, AphA: 0 }), device.settings(), device.immediate());
    const sma = await openSuite(later, { models, make: "SMA" });
    expect((await sma.meter.read()).flexibility).toEqual([]);
    const other = await openSuite(later, { models, make: "Fronius" });
    expect((await other.meter.read()).flexibility).toHaveLength(1);
  });
});

describe("a register that counts exported energy down from 0", () => {
  it("is shown as what was exported, for the make that does so", async () => {
    // Registers of a PLENTICORE with its meter: 0xFFB6D9FD and 0x002E108F Wh, 3070 W by night.
    const meter = {
      id: 203,
      values: { W: 3070, TotWhExp: 0xffb6d9fdn, TotWhImp: 0x002e108fn },
      scales: { W_SF: 1 },
    };
    const kostal = await openSuite(later, { models: fixed(meter), make: "KOSTAL" });
    expect((await kostal.meter.read()).readings).toMatchObject([
      { exportMwh: 4_793_859_000, importMwh: 3_018_895_000, activePowerMw: 3_070_000 },
    ]);
    const other = await openSuite(later, { models: fixed(meter), make: "Other" });
    expect((await other.meter.read()).readings).toMatchObject([{ exportMwh: 0xffb6d9fd * 1000 }]);
    const upward = device.meterOf(203, { TotWhExp: 4000 });
    const repaired = await openSuite(later, { models: fixed(upward), make: "KOSTAL" });
    expect((await repaired.meter.read()).readings).toMatchObject([{ exportMwh: 4_000_000 }]);
  });
});

describe("power against the register that counts", () => {
  const evidence = new Uint8Array(32);

  /** Readings with this power, of which each counts so many mWh more. */
  function readings(powerMw: number, counted: { importMwh?: number; exportMwh?: number }): MeterReading[] {
    return Array.from({ length: 6 }, (_, at) => ({
      ...{ channel: "meter", activePowerMw: powerMw, evidence },
      importMwh: 1_000_000 + at * (counted.importMwh ?? 0),
      exportMwh: 2_000_000 + at * (counted.exportMwh ?? 0),
    }));
  }

  function doubtsOf(all: readonly MeterReading[]): number[] {
    const watch = new SignWatch();
    return all.map((reading) => watch.observe(reading).length);
  }

  it("is doubted after three intervals in which only the other one rose", () => {
    expect(doubtsOf(readings(-500_000, { importMwh: 1000 }))).toEqual([0, 0, 0, 1, 1, 1]);
    expect(doubtsOf(readings(500_000, { exportMwh: 1000 }))).toEqual([0, 0, 0, 1, 1, 1]);
  });

  it("is not doubted when they agree, when both rise, or when little flows", () => {
    for (const sound of [
      readings(500_000, { importMwh: 1000 }),
      readings(-500_000, { exportMwh: 1000 }),
      readings(-500_000, { importMwh: 1000, exportMwh: 1000 }),
      readings(-90_000, { importMwh: 1000 }),
      readings(-500_000, {}),
    ])
      expect(doubtsOf(sound)).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it("is not doubted for a few intervals among many, and no more once it agrees", () => {
    const watch = new SignWatch();
    const good = readings(500_000, { importMwh: 1000 });
    const later = good.map((reading) => ({ ...reading, importMwh: (reading.importMwh ?? 0) + 10_000 }));
    const bad = readings(-500_000, { importMwh: 1000 }).map((reading) => ({
      ...reading,
      importMwh: (reading.importMwh ?? 0) + 100_000,
    }));
    const seen = [...good, ...later, ...bad].map((reading) => watch.observe(reading).length);
    expect(seen.every((count) => count === 0)).toBe(true);
  });

  it("shows up in the snapshots of a device whose sign was guessed wrongly", async () => {
    let counted = 7_000_000;
    const models = () => {
      counted += 10;
      return [device.meterOf(203, { W: 900, WphA: 300, WphB: 300, WphC: 300, TotWhExp: counted })];
    };
    const { meter } = await openSuite(later, { models });
    for (let n = 0; n < 3; n++) expect(await meter.read()).not.toHaveProperty("doubts");
    const { doubts, readings: now } = await meter.read();
    expect(now).toMatchObject([{ activePowerMw: 900_000 }]);
    expect(doubts).toEqual([
      {
        channel: "meter",
        quantities: ["power"],
        message: "its sign contradicts the registers in 3 intervals, and agrees in 0",
      },
    ]);
  });
});
