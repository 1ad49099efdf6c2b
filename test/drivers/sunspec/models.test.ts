import { describe, expect, it } from "vitest";
import type { FlexibilityReading, MeterReading } from "../../../attest/reading.ts";
import type { ChannelDescription } from "../../../drivers/driver.ts";
import { conformance } from "../../../drivers/kit/conformance.ts";
import type { SimulatedModel } from "../../../drivers/simulated/sunspec-encode.ts";
import { sunspecDriver } from "../../../drivers/sunspec/driver.ts";
import * as device from "./devices.ts";
import { cleanupAfterEach, fixed, openSuite } from "./kit.ts";

const later = cleanupAfterEach();

interface Case {
  readonly name: string;
  readonly models: readonly SimulatedModel[];
  readonly options?: object;
  readonly channels: readonly Partial<ChannelDescription>[];
  readonly readings: readonly Partial<MeterReading>[];
  readonly flexibility?: readonly Partial<FlexibilityReading>[];
}

const INVERTER_VOLTS = [230_100, 231_200, 232_300];
const INVERTER_AMPS = [5200, 5300, 5400];

function inverterCase(id: number): Case {
  const phases = id % 10;
  const float = id > 110;
  return {
    name: `${id}: an inverter of ${phases} phases${float ? ", float" : ""}`,
    models: [device.inverter(id), device.nameplate()],
    channels: [
      {
        name: "inverter",
        role: "generation",
        quantities: ["export", "power"],
        // A float of 12,345,600 Wh has steps of 1 Wh, and no place at which it wraps.
        resolutionMwh: float ? 1000 : 100_000,
        ...(float ? {} : { rolloverMwh: 2 ** 32 * 100_000 }),
        maxExportMw: 8_000_000,
      },
    ],
    readings: [
      {
        channel: "inverter",
        exportMwh: 12_345_600_000,
        activePowerMw: -1_200_000 * phases,
        frequencyMhz: float ? 49_979 : 49_980,
        status: 0,
        ...(float
          ? {}
          : { voltageMv: INVERTER_VOLTS.slice(0, phases), currentMa: INVERTER_AMPS.slice(0, phases) }),
      },
    ],
  };
}

function meterCase(id: number): Case {
  const wires = id % 10;
  const phases = wires === 4 ? 3 : wires;
  const float = id > 210;
  const volts = [229_000, 230_000, 231_000].slice(0, phases);
  return {
    name: `${id}: a meter ${wires === 4 ? "without neutral" : `of ${phases} phases`}${float ? ", float" : ""}`,
    models: [device.meterOf(id)],
    options: { meterRole: "load" },
    channels: [
      {
        name: "meter",
        role: "load",
        quantities: ["import", "export", "power"],
        // Between 2^22 and 2^23 a float has steps of a half.
        resolutionMwh: float ? 500 : 1000,
      },
    ],
    readings: [
      {
        channel: "meter",
        importMwh: 7_654_321_000,
        exportMwh: 1_234_567_000,
        activePowerMw: 700_000 * phases,
        // A signed current is shown by its magnitude.
        ...(float ? {} : { currentMa: [3100, 3200, 3300].slice(0, phases), frequencyMhz: 50_020 }),
        ...(wires === 4 ? {} : { voltageMv: volts }),
      },
    ],
  };
}

const SUITE: Case = {
  name: "701 with 702, 703, 704, 713 and 714: a roof with a battery",
  models: [
    ...[device.derAc(), device.derCapacity(), device.enterService(), device.derControls()],
    ...[device.derStorage(), device.derDc()],
  ],
  options: { dcChannels: true },
  channels: [
    {
      name: "inverter",
      role: "generation",
      quantities: ["import", "export", "power"],
      resolutionMwh: 1000,
      maxImportMw: 6_000_000,
      maxExportMw: 10_000_000,
      signSource: expect.stringContaining("model_701.json"),
    },
    { name: "battery", role: "storage", quantities: ["import", "export", "power", "stateOfCharge"] },
    { name: "dc1", role: "generation", quantities: ["import", "export", "power"] },
    { name: "dc2", role: "generation" },
  ],
  readings: [
    {
      channel: "inverter",
      importMwh: 123_456_000,
      exportMwh: 5_000_000_000_000_000,
      activePowerMw: -9_000_000,
      voltageMv: [277_100, 277_200, 277_300],
      currentMa: [10_500, 10_600, 10_700],
      frequencyMhz: 60_010,
      status: 0,
    },
    {
      channel: "battery",
      importMwh: 2_500_000_000,
      exportMwh: 2_000_000_000,
      activePowerMw: 1_500_000,
      stateOfChargePpm: 600_000,
      status: 0,
    },
    { channel: "dc1", importMwh: 0, exportMwh: 4_000_000_000, activePowerMw: -6_000_000 },
    { channel: "dc2", importMwh: 0, exportMwh: 3_000_000_000, activePowerMw: -5_000_000 },
  ],
  flexibility: [
    {
      channel: "battery",
      stateOfChargePpm: 600_000,
      capacityMwh: 12_000_000,
      usableEnergyMwh: 7_200_000,
      reduceEnergyMwh: 7_200_000,
      increaseEnergyMwh: 4_800_000,
      importLimitMw: 5_000_000,
      increasePowerMw: 5_000_000,
      // 80 % of 9500 W is more than what the battery can give.
      exportLimitMw: 5_500_000,
      reducePowerMw: 5_500_000,
      // -2000 W of the device is charging.
      setpointMw: 2_000_000,
      available: true,
    },
  ],
};

const BATTERY: Case = {
  name: "802 with 803 and 804: a battery and its strings",
  models: [
    ...[device.bank(), device.lithiumBank()],
    ...[device.lithiumString(1, 64.2), device.lithiumString(2, 64.8)],
  ],
  options: { dcChannels: true },
  channels: [
    {
      name: "battery",
      role: "storage",
      quantities: ["power", "stateOfCharge"],
      maxImportMw: 5_000_000,
      maxExportMw: 4_600_000,
      signSource: expect.stringContaining("ChaSt"),
      signVerified: true,
    },
    { name: "string1", role: "storage", quantities: ["stateOfCharge"] },
    { name: "string2", role: "storage", quantities: ["stateOfCharge"] },
  ],
  readings: [
    { channel: "battery", activePowerMw: -1_800_000, stateOfChargePpm: 645_000, status: 0 },
    { channel: "string1", stateOfChargePpm: 642_000 },
    { channel: "string2", stateOfChargePpm: 648_000 },
  ],
  flexibility: [
    {
      channel: "battery",
      capacityMwh: 10_000_000,
      reserveEnergyMwh: 1_000_000,
      usableEnergyMwh: 5_450_000,
      increaseEnergyMwh: 3_550_000,
      // 10 A at 400 V is less than 5 kW.
      importLimitMw: 4_000_000,
      exportLimitMw: 4_600_000,
      available: true,
    },
  ],
};

const HYBRID: Case = {
  name: "103 with 120, 121, 123, 124 and 160: a hybrid as Fronius makes them",
  models: [
    ...[device.inverter(103), device.nameplate({ WHRtg: 10_000, MaxDisChaRte: 4800 }), device.settings()],
    ...[device.immediate(), device.hybridStorage(), device.mppt()],
  ],
  options: { dcChannels: true },
  channels: [
    { name: "inverter", role: "generation" },
    {
      name: "battery",
      role: "storage",
      quantities: ["import", "export", "power", "stateOfCharge"],
      resolutionMwh: 10,
      rolloverMwh: 2 ** 32 * 10,
    },
    { name: "dc1", role: "generation", quantities: ["export", "power"] },
    { name: "dc2", role: "generation" },
  ],
  readings: [
    { channel: "inverter", activePowerMw: -3_600_000 },
    {
      channel: "battery",
      importMwh: 300_000_250,
      exportMwh: 250_000_500,
      activePowerMw: 1_500_000,
      stateOfChargePpm: 550_000,
      status: 0,
    },
    { channel: "dc1", exportMwh: 1_000_000_000, activePowerMw: -2_100_500 },
    { channel: "dc2", exportMwh: 500_000_000, activePowerMw: -900_200 },
  ],
  flexibility: [
    // 60 % of 7500 W.
    { channel: "inverter", exportLimitMw: 4_500_000, available: true },
    {
      channel: "battery",
      stateOfChargePpm: 550_000,
      capacityMwh: 10_000_000,
      reserveEnergyMwh: 500_000,
      usableEnergyMwh: 5_000_000,
      increaseEnergyMwh: 4_500_000,
      importLimitMw: 5_000_000,
      exportLimitMw: 4_800_000,
      available: true,
    },
  ],
};

const CASES: readonly Case[] = [
  ...[101, 102, 103, 111, 112, 113].map(inverterCase),
  ...[201, 202, 203, 204, 211, 212, 213, 214].map(meterCase),
  ...[SUITE, BATTERY, HYBRID],
];

describe("a device with model", () => {
  it.each(CASES)("$name", async ({ models, options, channels, readings, flexibility = [] }) => {
    const { meter } = await openSuite(later, { models: fixed(...models) }, options);
    await meter.identify();
    expect(meter.channels()).toMatchObject(channels);
    const snapshot = await meter.read();
    expect(snapshot.readings).toMatchObject(readings);
    expect(snapshot.flexibility).toMatchObject(flexibility);
    expect(snapshot.absent).toEqual([]);
    expect(snapshot).not.toHaveProperty("doubts");
  });

  it.each(CASES)("$name, held against the contract", async ({ models, options = {} }) => {
    const { server } = await openSuite(later, { models: fixed(...models) });
    const { host, port } = server;
    const settings = { reads: 2, pauseMs: 0, unreachable: { host, port: 1, timeoutMs: 2000 } };
    const results = await conformance(sunspecDriver, { host, port, ...options }, settings);
    expect(results.filter(({ outcome }) => outcome !== "passed")).toEqual([]);
    expect(results.length).toBeGreaterThan(10);
  });

  it.each([204, 214])("%i has no voltages to a neutral that is not there", async (id) => {
    // A device may fill in what the model has room for all the same.
    const filled = device.meterOf(id, { PhVphA: 231, PhVphB: 231, PhVphC: 231 });
    const { meter } = await openSuite(later, { models: fixed(filled) });
    const [reading] = (await meter.read()).readings;
    expect(reading).toMatchObject({ importMwh: 7_654_321_000 });
    expect(reading).not.toHaveProperty("voltageMv");
  });

  it("701 has the voltages and currents of the wires that it says it has", async () => {
    const volts = [277_100, 277_200, 277_300];
    for (const [ACType, phases] of [
      [0, 1],
      [1, 2],
      [2, 3],
    ] as const) {
      const { meter } = await openSuite(later, { models: fixed(device.derAc({ ACType })) });
      const [reading] = (await meter.read()).readings;
      expect(reading?.voltageMv).toEqual(volts.slice(0, phases));
      expect(reading?.currentMa).toHaveLength(phases);
    }
    const { ACType: _, ...values } = device.derAc().values;
    const { meter } = await openSuite(later, { models: fixed({ ...device.derAc(), values }) });
    const [reading] = (await meter.read()).readings;
    expect(reading).toMatchObject({ activePowerMw: -9_000_000 });
    expect(reading).not.toHaveProperty("voltageMv");
    expect(reading).not.toHaveProperty("currentMa");
  });

  it.each([
    [{ InvSt: 6 }, 2],
    [{ InvSt: 7 }, 1],
    [{ InvSt: 1 }, 1],
    [{ InvSt: 4 }, 0],
    [{ St: 0 }, 1],
  ])("701 says with %j whether it rests or is broken", async (values, status) => {
    const { meter } = await openSuite(later, { models: fixed(device.derAc(values)) });
    expect((await meter.read()).readings[0]?.status).toBe(status);
  });
});
