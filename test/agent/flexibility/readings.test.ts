import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { flexChannels } from "../../../agent/flexibility/channels.ts";
import { derivedFlexibility } from "../../../agent/flexibility/derived.ts";
import { type EnrichedFlexibility, enriched } from "../../../agent/flexibility/enriched.ts";
import { FlexibilityPace } from "../../../agent/flexibility/pace.ts";
import { READING_STATUS } from "../../../attest/reading.ts";
import { openedLog } from "./kit.ts";

const evidence = new Uint8Array(32);
/** 10 kWh, half full, 5 kW both ways, as a driver that reads all of it says. */
const half = {
  ...{ channel: "battery", evidence, available: true, stateOfChargePpm: 500_000, capacityMwh: 10_000_000 },
  ...{ usableEnergyMwh: 5_000_000, reduceEnergyMwh: 5_000_000, increaseEnergyMwh: 5_000_000 },
  ...{ reducePowerMw: 5_000_000, increasePowerMw: 5_000_000 },
  ...{ importLimitMw: 5_000_000, exportLimitMw: 5_000_000 },
};
const storage = { storage: true } as const;

describe("an enriched flexibility reading", () => {
  it("has limits, durations and what is in force", () => {
    expect(enriched(half, { ...storage, setpointMw: -1000, commitmentSeq: 7 })).toEqual({
      ...half,
      ...{ reduceDurationMs: 3_600_000, increaseDurationMs: 3_600_000, setpointMw: -1000, commitmentSeq: 7 },
      ...{ minSetpointMw: -5_000_000, maxSetpointMw: 5_000_000, limitSource: 1, basis: 2 },
    });
  });

  it("keeps the owner's reserve and limits", () => {
    const known = { ...storage, reservePpm: 400_000, maxChargeMw: 2_000_000, maxDischargeMw: 1_000_000 };
    expect(enriched(half, known)).toMatchObject({
      ...{ usableEnergyMwh: 1_000_000, reserveEnergyMwh: 4_000_000, reduceEnergyMwh: 1_000_000 },
      ...{ reducePowerMw: 1_000_000, increasePowerMw: 2_000_000, limitSource: 4 },
      ...{ reduceDurationMs: 3_600_000, increaseDurationMs: 9_000_000 },
      ...{ minSetpointMw: -1_000_000, maxSetpointMw: 2_000_000 },
    });
  });

  it("has nothing to give at the reserve", () => {
    expect(enriched(half, { ...storage, reservePpm: 500_000 })).toMatchObject({
      ...{ usableEnergyMwh: 0, reduceEnergyMwh: 0, reducePowerMw: 0, reduceDurationMs: 0 },
    });
  });

  it("takes the ratings of a storage from charge and discharge, of others from import and export", () => {
    const ratings = {
      ...{ maxChargeMw: 3, maxDischargeMw: 4, maxImportMw: 1, maxExportMw: 2 },
      ...{ rampMwPerS: 9, responseMs: 500 },
    };
    const bare = { channel: "x", evidence, available: true };
    const battery = enriched(bare, { storage: true, ratings });
    expect(battery).toMatchObject({
      importLimitMw: 3,
      exportLimitMw: 4,
      minSetpointMw: -4,
      maxSetpointMw: 3,
    });
    expect(battery).toMatchObject({ responseMs: 500, rampMwPerSecond: 9, basis: 1 });
    expect(battery).not.toHaveProperty("reducePowerMw");
    expect(enriched(bare, { storage: false, ratings })).toMatchObject({ importLimitMw: 1, exportLimitMw: 2 });
  });

  it("does not say one source of two limits that have two", () => {
    expect(enriched(half, { ...storage, maxChargeMw: 1 })).not.toHaveProperty("limitSource");
  });

  it("without a capacity takes the reserve off rather too much than too little", () => {
    const { capacityMwh: _, ...without } = half;
    const said = enriched(without, { ...storage, reservePpm: 250_000 });
    expect(said.usableEnergyMwh).toBe(2_500_000);
    expect(said.reduceEnergyMwh).toBe(2_500_000);
  });

  it("never says more than the driver or the owner does", () => {
    const number = fc.option(fc.nat(20_000_000), { nil: undefined });
    const ppm = fc.option(fc.nat(1_000_000), { nil: undefined });
    const values = fc.record({
      ...{ stateOfChargePpm: ppm, capacityMwh: number, usableEnergyMwh: number, reduceEnergyMwh: number },
      ...{ reducePowerMw: number, increasePowerMw: number, importLimitMw: number, exportLimitMw: number },
    });
    const owner = fc.record({ reservePpm: ppm, maxChargeMw: number, maxDischargeMw: number });
    fc.assert(
      fc.property(values, owner, (said, allowed) => {
        const defined = <T extends object>(value: T): T =>
          Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as T;
        const reading = { channel: "battery", evidence, available: true, ...defined(said) } as typeof half;
        const result = enriched(reading, { ...storage, ...(defined(allowed) as object) });
        const at = (value: number | undefined, most: number | undefined): void => {
          if (most !== undefined && value !== undefined) expect(value).toBeLessThanOrEqual(most);
        };
        at(result.reducePowerMw, said.reducePowerMw);
        at(result.reducePowerMw, allowed.maxDischargeMw);
        at(result.increasePowerMw, allowed.maxChargeMw);
        at(result.reduceEnergyMwh, said.reduceEnergyMwh);
        at(result.usableEnergyMwh, said.usableEnergyMwh);
        at(result.exportLimitMw, said.exportLimitMw);
        for (const value of Object.values(result))
          if (typeof value === "number") expect(Number.isSafeInteger(value)).toBe(true);
      }),
    );
  });
});

describe("a flexibility reading that no driver delivers", () => {
  const ratings = { maxChargeMw: 3000, maxDischargeMw: 4000, usableEnergyMwh: 500 };
  const setpoint = { role: "storage", kinds: ["powerSetpoint"], ratings } as const;
  const reading = { channel: "battery", evidence, activePowerMw: -100, stateOfChargePpm: 400_000 };

  it("comes from state of charge, power and ratings", () => {
    expect(derivedFlexibility(reading, setpoint)).toEqual({
      ...{ channel: "battery", evidence, averagePowerMw: -100, stateOfChargePpm: 400_000, available: true },
      ...{ usableEnergyMwh: 500, reduceEnergyMwh: 500, reducePowerMw: 4000, increasePowerMw: 3000 },
      ...{ importLimitMw: 3000, exportLimitMw: 4000 },
    });
  });

  it("has no power out of an empty battery, and none into a full one", () => {
    const least = { ...setpoint, ratings: { ...ratings, minReservePpm: 400_000 } };
    expect(derivedFlexibility(reading, least)).toMatchObject({ reducePowerMw: 0, increasePowerMw: 3000 });
    const full = { ...reading, stateOfChargePpm: 1_000_000 };
    expect(derivedFlexibility(full, setpoint)).toMatchObject({ reducePowerMw: 4000, increasePowerMw: 0 });
  });

  it("is what can be left off now where there is only a limit", () => {
    const roof = { role: "generation", kinds: ["exportLimit"], ratings: { maxExportMw: 9000 } } as const;
    const now = derivedFlexibility({ channel: "pv", evidence, activePowerMw: -700 }, roof);
    expect(now).toMatchObject({ increasePowerMw: 700, exportLimitMw: 9000 });
    expect(now).not.toHaveProperty("reducePowerMw");
    const load = { role: "load", kinds: ["importLimit"], ratings: {} } as const;
    expect(derivedFlexibility({ channel: "ev", evidence, activePowerMw: 800 }, load)).toMatchObject({
      reducePowerMw: 800,
    });
  });

  it("is not there from the nameplate alone, nor for what has no command about power", () => {
    expect(derivedFlexibility({ channel: "battery", evidence }, setpoint)).toBeUndefined();
    expect(
      derivedFlexibility(reading, { ...setpoint, kinds: ["mode", "stateOfChargeReserve"] }),
    ).toBeUndefined();
  });

  it("is not available while the device rests, has a fault, or shows what is old", () => {
    const { tariffSum, registersAtMeterTime, ...resting } = READING_STATUS;
    for (const status of Object.values(resting))
      expect(derivedFlexibility({ ...reading, status }, setpoint)?.available).toBe(false);
    for (const status of [tariffSum, registersAtMeterTime])
      expect(derivedFlexibility({ ...reading, status }, setpoint)?.available).toBe(true);
  });
});

describe("the pace of flexibility readings", () => {
  const said: EnrichedFlexibility = { ...half, basis: 2 };

  it("is one a minute and channel", () => {
    const pace = new FlexibilityPace();
    const at = [0, 1000, 59_999, 60_000, 119_999, 120_000];
    expect(at.map((ms) => pace.take("1", said, ms))).toEqual([true, false, false, true, false, true]);
    expect(pace.take("2", said, 1)).toBe(true);
    pace.forget();
    expect(pace.take("1", said, 120_001)).toBe(true);
  });

  it.each<[string, Partial<EnrichedFlexibility>, boolean]>([
    ["availability", { available: false }, true],
    ["a setpoint", { setpointMw: 1 }, true],
    ["a commitment", { commitmentSeq: 4 }, true],
    ["a limit", { exportLimitMw: 4_999_999 }, true],
    ["a tenth of the power", { reducePowerMw: 4_500_000 }, true],
    ["less than a tenth", { reducePowerMw: 4_500_001 }, false],
    ["no power any more", { increasePowerMw: 0 }, true],
    ["five percent of charge", { stateOfChargePpm: 450_000 }, true],
    ["less charge than that", { stateOfChargePpm: 450_001, usableEnergyMwh: 4_500_010 }, false],
  ])("makes way for %s", (_what, changes, isSealed) => {
    const pace = new FlexibilityPace();
    pace.take("1", said, 0);
    expect(pace.take("1", { ...said, ...changes }, 1000)).toBe(isSealed);
  });

  it("is not pressed by a tenth of very little", () => {
    const pace = new FlexibilityPace();
    pace.take("1", { ...said, reducePowerMw: 90_000 }, 0);
    expect(pace.take("1", { ...said, reducePowerMw: 180_000 }, 1000)).toBe(false);
    expect(pace.take("1", { ...said, reducePowerMw: 190_000 }, 2000)).toBe(true);
  });
});

describe("the devices behind the channels of a log", () => {
  it("are found by the names that the configuration gives", () => {
    const { channels } = openedLog().rules;
    const devices = [
      { id: "battery", channels: {} },
      { id: "janitza", channels: { total: { name: "meter/grid" } } },
    ];
    expect(flexChannels(channels, devices)).toEqual([
      { number: 1, device: "battery", channel: "battery" },
      { number: 2, device: "janitza", channel: "total" },
    ]);
    expect(flexChannels(channels, [{ id: "battery", channels: { battery: { name: "other" } } }])).toEqual([]);
  });
});
