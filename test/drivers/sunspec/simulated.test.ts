import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type ServedEnergy,
  type SimulatedBatteryState,
  type SimulatedInverterState,
  startSunSpecBattery,
  startSunSpecInverter,
} from "../../../drivers/simulated/sunspec-device.ts";
import { cleanupAfterEach, codeOf, openSunSpec, problemOf } from "./kit.ts";

const later = cleanupAfterEach();

const NOON: SimulatedInverterState = {
  serial: "PV-1",
  make: "Example",
  model: "Roof 8",
  firmware: "2.1",
  exportMwh: 12_345_678_900,
  activePowerMw: -4_321_987,
  ratedPowerMw: 8_000_000,
};

const BATTERY: SimulatedBatteryState = {
  serial: "BAT-1",
  importMwh: 5_000_000_000,
  exportMwh: 4_000_000_000,
  activePowerMw: 2_500_000,
  stateOfChargePpm: 645_000,
  capacityMwh: 10_000_000,
  chargeLimitMw: 5_000_000,
  dischargeLimitMw: 4_600_000,
  reservePpm: 100_000,
};

async function inverter(initial: SimulatedInverterState, unit = 1) {
  let state = initial;
  const served: ServedEnergy[] = [];
  const server = await startSunSpecInverter({
    port: 0,
    unit,
    state: () => state,
    onServed: (values) => served.push(values),
  });
  later(() => server.close());
  const meter = openSunSpec(server, { unit });
  later(() => meter.close());
  return { server, meter, served, set: (next: SimulatedInverterState) => (state = next) };
}

async function battery(state: SimulatedBatteryState, options: object = {}) {
  const served: ServedEnergy[] = [];
  const server = await startSunSpecBattery({ port: 0, state: () => state, onServed: (v) => served.push(v) });
  later(() => server.close());
  const meter = openSunSpec(server, options);
  later(() => meter.close());
  return { meter, served };
}

describe("a simulated inverter", () => {
  it("is read with generation going out of the boundary", async () => {
    const { meter, served } = await inverter(NOON);
    expect(await meter.identify()).toEqual({
      make: "Example",
      model: "Roof 8",
      serial: "PV-1",
      firmware: "2.1",
    });
    expect(meter.channels()).toMatchObject([
      { name: "inverter", role: "generation", resolutionMwh: 1000, maxExportMw: 8_000_000 },
    ]);
    served.length = 0;
    const { readings, absent } = await meter.read();
    expect(readings).toMatchObject([
      {
        channel: "inverter",
        exportMwh: 12_345_678_000,
        activePowerMw: -4_321_000,
        voltageMv: [230_000, 230_000, 230_000],
        frequencyMhz: 50_000,
        status: 0,
      },
    ]);
    expect(readings[0]).not.toHaveProperty("importMwh");
    expect(absent).toEqual([]);
    expect(served).toEqual([{ exportMwh: 12_345_678_000, activePowerMw: -4_321_000 }]);
  });

  it("shows exactly what was served, for any state", async () => {
    const { meter, served, set } = await inverter(NOON);
    await meter.identify();
    const state = fc.record({
      exportMwh: fc.integer({ min: 1000, max: 2 ** 43 }),
      activePowerMw: fc.integer({ min: -2_000_000_000, max: 50_000_000 }),
      energyScale: fc.integer({ min: 0, max: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(state, async (next) => {
        set({ ...NOON, ...next });
        served.length = 0;
        const [reading] = (await meter.read()).readings;
        const [shown] = served;
        expect(served.length).toBe(1);
        expect(reading?.activePowerMw).toBe(shown?.activePowerMw);
        // Registers of 0, of all ones and of 0x80000000 mean that nothing is accumulated.
        const register = (shown?.exportMwh ?? 0) / 10 ** (next.energyScale + 3);
        const none = [0, 2 ** 32 - 1, 2 ** 31].includes(register);
        expect(reading?.exportMwh).toBe(none ? undefined : shown?.exportMwh);
      }),
      { numRuns: 200 },
    );
  });

  it("follows a scale factor that changes between two reads", async () => {
    const { meter, set } = await inverter(NOON);
    await meter.identify();
    set({ ...NOON, energyScale: 2 });
    expect((await meter.read()).readings).toMatchObject([
      { exportMwh: 12_345_600_000, resolutionMwh: 100_000 },
    ]);
    set(NOON);
    const [back] = (await meter.read()).readings;
    expect(back?.exportMwh).toBe(12_345_678_000);
    expect(back).not.toHaveProperty("resolutionMwh");
  });

  it("says standby and fault", async () => {
    const { meter, set } = await inverter({ ...NOON, activePowerMw: 0 });
    const status = async () => (await meter.read()).readings[0]?.status;
    expect(await status()).toBe(1);
    for (const [operatingState, expected] of [
      [1, 1],
      [2, 1],
      [4, 0],
      [7, 2],
    ] as const) {
      set({ ...NOON, operatingState });
      expect(await status()).toBe(expected);
    }
  });

  it("has no energy reading before it has counted any", async () => {
    const { meter } = await inverter({ ...NOON, exportMwh: 0 });
    const { readings, absent } = await meter.read();
    expect(readings[0]).not.toHaveProperty("exportMwh");
    expect(absent).toEqual(["model 103 WH: not accumulated"]);
  });

  it("is not found behind a unit that nobody answers for", async () => {
    const { server } = await inverter(NOON, 3);
    const meter = openSunSpec(server, { unit: 4 });
    later(() => meter.close());
    const problem = await problemOf(meter.identify());
    expect(problem.code).toBe("driver-no-answer");
    expect(problem.detail.cause).toMatchObject({ code: "modbus-wrong-unit" });
  });
});

describe("a device that was swapped", () => {
  it("is refused until it is identified again", async () => {
    const first = await startSunSpecInverter({ port: 0, state: () => NOON });
    const meter = openSunSpec(first);
    later(() => meter.close());
    await meter.identify();
    await meter.read();
    await first.close();
    const second = await startSunSpecInverter({
      port: first.port,
      state: () => ({ ...NOON, serial: "PV-2", exportMwh: 1_000_000 }),
    });
    later(() => second.close());
    // The first attempt may still meet the old connection's end.
    await meter.read().catch(() => undefined);
    const problem = await problemOf(meter.read());
    expect(problem.code).toBe("driver-identity-changed");
    expect(problem.message).toContain("PV-2");
    expect(await codeOf(meter.read())).toBe("driver-identity-changed");
    expect((await meter.identify()).serial).toBe("PV-2");
    expect((await meter.read()).readings).toMatchObject([{ exportMwh: 1_000_000 }]);
  });

  it("is refused even when it comes in the middle of a snapshot", async () => {
    let serial = "BAT-1";
    let swap = false;
    const server = await startSunSpecBattery({
      port: 0,
      state: () => ({ ...BATTERY, serial }),
      misbehave: () => (swap ? { kind: "close-after-reply" } : undefined),
      onServed: () => {
        // The meter's block has gone out; what answers after the lost connection is another battery.
        if (swap) serial = "BAT-2";
        swap = false;
      },
    });
    later(() => server.close());
    const meter = openSunSpec(server, { minGapMs: 250 });
    later(() => meter.close());
    await meter.read();
    swap = true;
    expect(await codeOf(meter.read())).toBe("driver-identity-changed");
  });

  it("is welcome when it is the same one", async () => {
    const first = await startSunSpecInverter({ port: 0, state: () => NOON });
    const meter = openSunSpec(first);
    later(() => meter.close());
    await meter.identify();
    await first.close();
    const second = await startSunSpecInverter({
      port: first.port,
      state: () => ({ ...NOON, firmware: "2.2" }),
    });
    later(() => second.close());
    await meter.read().catch(() => undefined);
    expect((await meter.read()).readings).toMatchObject([{ exportMwh: 12_345_678_000 }]);
  });
});

describe("a simulated battery", () => {
  it("has an energy meter and a state of charge", async () => {
    const { meter, served } = await battery(BATTERY, { meterRole: "storage" });
    await meter.identify();
    expect(meter.channels()).toMatchObject([
      { name: "meter", role: "storage", quantities: ["import", "export", "power"], resolutionMwh: 1000 },
      { name: "battery", role: "storage", maxImportMw: 5_000_000, maxExportMw: 4_600_000 },
    ]);
    expect(meter.channels()[0]).not.toHaveProperty("signSource");
    expect(meter.channels()[1]?.signSource).toContain("ChaSt");
    served.length = 0;
    const { readings, flexibility, absent } = await meter.read();
    expect(readings).toMatchObject([
      { channel: "meter", importMwh: 5_000_000_000, exportMwh: 4_000_000_000, activePowerMw: 2_500_000 },
      { channel: "battery", activePowerMw: 2_500_000, stateOfChargePpm: 645_000, status: 0 },
    ]);
    expect(served).toEqual([
      { importMwh: 5_000_000_000, exportMwh: 4_000_000_000, activePowerMw: 2_500_000 },
    ]);
    expect(flexibility).toMatchObject([
      {
        channel: "battery",
        stateOfChargePpm: 645_000,
        capacityMwh: 10_000_000,
        reserveEnergyMwh: 1_000_000,
        usableEnergyMwh: 5_450_000,
        reducePowerMw: 4_600_000,
        reduceEnergyMwh: 5_450_000,
        increasePowerMw: 5_000_000,
        increaseEnergyMwh: 3_550_000,
        importLimitMw: 5_000_000,
        exportLimitMw: 4_600_000,
        available: true,
      },
    ]);
    expect(flexibility[0]?.evidence).toEqual(readings[1]?.evidence);
    expect(absent).toEqual([]);
  });

  it("discharges with a minus", async () => {
    const { meter } = await battery({ ...BATTERY, activePowerMw: -1_000_000 });
    expect((await meter.read()).readings.map((r) => r.activePowerMw)).toEqual([-1_000_000, -1_000_000]);
  });

  it("offers nothing below its reserve, and nothing at all while it is not connected", async () => {
    const empty = await battery({ ...BATTERY, stateOfChargePpm: 90_000 });
    expect((await empty.meter.read()).flexibility).toMatchObject([
      { usableEnergyMwh: 0, reducePowerMw: 0, increasePowerMw: 5_000_000, available: true },
    ]);
    const off = await battery({ ...BATTERY, batteryState: 1 });
    expect((await off.meter.read()).flexibility).toMatchObject([{ available: false }]);
  });

  it("gives no power whose sign the battery itself contradicts", async () => {
    const { meter } = await battery(BATTERY, { batteryPowerSign: "charge-positive" });
    const { readings, absent } = await meter.read();
    expect(readings[1]).not.toHaveProperty("activePowerMw");
    expect(absent).toEqual(["model 802 W: its sign contradicts ChaSt; check batteryPowerSign"]);
  });

  it("takes the meter's sign from the configuration, or from what is known of the make", async () => {
    const configured = await battery(BATTERY, { meterPowerSign: "export-positive" });
    expect((await configured.meter.read()).readings[0]?.activePowerMw).toBe(-2_500_000);
    expect(configured.meter.channels()[0]?.signSource).toContain("configuration");
    const known = await battery({ ...BATTERY, make: "SolarEdge " });
    expect((await known.meter.read()).readings[0]?.activePowerMw).toBe(-2_500_000);
    expect(known.meter.channels()[0]?.signSource).toContain("evcc");
  });
});
