import { describe, expect, it } from "vitest";
import { READING_STATUS } from "../../../attest/reading.ts";
import { physicsFault } from "../../../drivers/kit/physics.ts";
import type { CompiledProfile } from "../../../drivers/profile/compiled.ts";
import { planSimulation } from "../../../drivers/simulated/profile-simulation.ts";
import { benches, channelOf, differences, profileOf, readingOf } from "./kit.ts";

/*
 * What profiles can say, one thing at a time: the simulated device has to show it so that the driver finds the truth.
 */

const bench = benches();
const SIGN = { positive: "import", source: "a test's own" };
const at = (address: number, rest: object): object => ({ snapshot: "all", address, ...rest });
const snapshots = { all: { table: "holding", start: 100, count: 60 } };

function gridProfile(
  points: Readonly<Record<string, object>>,
  channel: object,
  parts: object = {},
): CompiledProfile {
  return profileOf({ snapshots, points, channels: { grid: { role: "grid", ...channel } }, ...parts });
}

/** Reads at noon and while a car charges, so that power flows both ways. */
async function expectTruth(compiled: CompiledProfile): Promise<void> {
  const { device, pass, open } = await bench(compiled);
  const meter = open();
  await meter.identify();
  for (const seconds of [0, 7, 5, 253]) {
    pass(seconds);
    const snapshot = await meter.read();
    expect(differences(compiled, snapshot, device.truth())).toEqual([]);
    expect(snapshot.absent).toEqual([]);
    expect(physicsFault(snapshot)).toBeUndefined();
  }
}

describe("a simulated profile", () => {
  const power = at(100, { type: "s32", unit: "W" });
  const energy = (address: number, rest: object): object =>
    at(address, { unit: "kWh", kind: "counter", ...rest });

  it.each([
    ["a power of ten", { as: "power-of-ten" }, "s16"],
    ["an unsigned power of ten", { as: "power-of-ten" }, "u16"],
    ["a factor", { as: "factor" }, "u16"],
    ["a divisor", { as: "divisor" }, "u16"],
    ["a table", { as: "table", table: { 3: "1/3", 4: 0.5, 7: 10 } }, "u16"],
  ])("chooses %s as the scale of a power and a register", async (_, scale, type) => {
    const scaleBy = { point: "scale", ...scale };
    const points = {
      power: at(100, { type: "s16", unit: "W", scaleBy }),
      importEnergy: energy(101, { type: "u32", scaleBy: { ...scaleBy }, unit: "Wh" }),
      scale: at(110, { type }),
    };
    const compiled = gridProfile(points, { power: "power", sign: SIGN, import: "importEnergy" });
    await expectTruth(compiled);
  });

  it.each(["import", "export"])(
    "says the direction of a magnitude beside it, positive %s",
    async (positive) => {
      const direction = { point: "direction", equals: [2, 5] };
      const points = {
        power: at(100, { type: "u32", wordOrder: "little", unit: "W", negativeWhen: direction }),
        direction: at(102, { type: "u16", bits: [4, 3] }),
        alarms: at(102, { type: "u16", bits: [0, 4], kind: "state", values: { 6: "ok", else: "fault" } }),
      };
      await expectTruth(
        gridProfile(points, { power: "power", sign: { ...SIGN, positive }, status: "alarms" }),
      );
    },
  );

  it("shows bcd, 64 bits and doubles in every order", async () => {
    for (const wordOrder of ["big", "little"])
      for (const byteOrder of ["big", "little"]) {
        const points = {
          power: at(100, { type: "float64", unit: "kW" }),
          importEnergy: energy(104, { type: "bcd", registers: 4, scale: 0.01 }),
          exportEnergy: energy(108, { type: "u64", unit: "Wh", scale: "1/3" }),
          frequency: at(112, { type: "float32", unit: "Hz" }),
        };
        const channel = {
          power: "power",
          sign: SIGN,
          import: "importEnergy",
          export: "exportEnergy",
          frequency: "frequency",
        };
        await expectTruth(gridProfile(points, channel, { layout: { wordOrder, byteOrder } }));
      }
  });

  it("divides a power among terms, also among those that are subtracted", async () => {
    const points = {
      bought: at(100, { type: "u16", scale: 10, unit: "W" }),
      sold: at(101, { type: "u16", scale: 10, unit: "W" }),
      l1: at(110, { type: "s16", unit: "W" }),
      l2: at(111, { type: "s16", unit: "W" }),
      l3: at(112, { type: "s16", unit: "W" }),
    };
    const check = {
      sum: ["l1", "l2", "l3"],
      equals: "bought",
      tolerance: { absolute: 0 },
      channel: "grid",
      affects: ["power"],
    };
    await expectTruth(
      gridProfile(
        points,
        { power: ["bought", "-sold"], sign: SIGN },
        { points: { bought: points.bought, sold: points.sold } },
      ),
    );
    await expectTruth(
      gridProfile({ l1: points.l1, l2: points.l2, l3: points.l3 }, { power: ["l1", "l2", "l3"], sign: SIGN }),
    );
    const total = { ...points, bought: at(100, { type: "s32", unit: "W" }) };
    const { sold: _, ...rest } = total;
    await expectTruth(gridProfile(rest, { power: "bought", sign: SIGN }, { checks: [check] }));
  });

  it("adds registers of tariffs, of digits and of phases up to the truth", async () => {
    const points = {
      t1: energy(100, { type: "u32", scale: 0.1 }),
      t2: energy(102, { type: "u32", scale: 0.1 }),
      whole: energy(104, { type: "u16", unit: "MWh" }),
      part: energy(105, { type: "u32", unit: "Wh", scale: 0.1 }),
      e1: energy(110, { type: "u32", scale: 0.1 }),
      e2: energy(112, { type: "u32", scale: 0.1 }),
      e3: energy(114, { type: "u32", scale: 0.1 }),
      total: energy(116, { type: "u32", scale: 0.1 }),
    };
    const exact = { absolute: 0 };
    const checks = [
      { sum: ["e1", "e2", "e3"], equals: "total", tolerance: exact, channel: "load", affects: ["import"] },
    ];
    const channels = {
      grid: { role: "grid", import: ["t1", "t2"], export: ["whole", "part"] },
      load: { role: "load", import: "total" },
    };
    const compiled = profileOf({ snapshots, points, channels, checks });
    await expectTruth(compiled);
    const { open } = await bench(compiled);
    const meter = open();
    await meter.identify();
    expect((await meter.read()).doubts).toBeUndefined();
  });

  it("knows outlets and their inlet, which is their sum", async () => {
    const points = {
      inletPower: at(100, { type: "u32", unit: "W" }),
      inletEnergy: energy(102, { type: "u32", unit: "Wh" }),
      "outlet[1-8]Power": at(110, { type: "u16", unit: "W", scale: 0.1, stride: 4 }),
      "outlet[1-8]Energy": energy(112, { type: "u32", unit: "Wh", stride: 4 }),
    };
    const channels = {
      inlet: { role: "compute", power: "inletPower", sign: SIGN, import: "inletEnergy" },
      "outlet[1-8]": { role: "compute", power: "outlet#Power", sign: SIGN, import: "outlet#Energy" },
    };
    const compiled = profileOf({ snapshots, points, channels });
    await expectTruth(compiled);
    const { device } = await bench(compiled);
    const [inlet, ...outlets] = [...device.truth().boundaries.values()];
    expect(outlets).toHaveLength(8);
    expect(outlets.reduce((sum, { powerMw }) => sum + powerMw, 0)).toBe(inlet?.powerMw);
    expect(new Set(outlets.map(({ powerMw }) => powerMw)).size).toBe(8);
  });

  it("knows a battery with its limits, and a ratio of 1", async () => {
    const points = {
      power: at(100, { type: "s16", unit: "W" }),
      charge: at(101, { type: "u16", unit: "%", scale: 0.1 }),
      capacity: at(102, { type: "u16", unit: "Wh", scale: 100 }),
      reserve: at(103, { type: "u16", unit: "%" }),
      most: at(104, { type: "u16", unit: "W" }),
      voltage: at(105, { type: "u16", scale: 0.01, unit: "V", valid: { min: 40, max: 60 } }),
      ct: at(106, { type: "u16", kind: "setting" }),
      asked: at(107, { type: "u16", unit: "W" }),
    };
    const battery = {
      capacity: "capacity",
      reserve: "reserve",
      maxCharge: "most",
      maxDischarge: "most",
      setpoint: "asked",
    };
    const channels = {
      battery: {
        role: "storage",
        power: "power",
        sign: SIGN,
        stateOfCharge: "charge",
        voltage: ["voltage"],
        ctRatio: ["ct", 5],
        battery,
      },
    };
    const { device, open } = await bench(profileOf({ category: "battery", snapshots, points, channels }));
    const meter = open();
    await meter.identify();
    const snapshot = await meter.read();
    const { stateOfChargePpm, boundaries } = device.truth();
    expect(channelOf(meter, "battery").ctRatio).toEqual([1, 1]);
    expect(readingOf(snapshot, "battery").activePowerMw).toBe(boundaries.get("battery")?.powerMw);
    expect(readingOf(snapshot, "battery").voltageMv).toEqual([50_000]);
    expect(snapshot.flexibility).toMatchObject([
      {
        stateOfChargePpm,
        capacityMwh: 10_000_000,
        reserveEnergyMwh: 1_000_000,
        importLimitMw: 3_300_000,
        exportLimitMw: 3_300_000,
      },
    ]);
  });

  it("multiplies by settings, and is set as the profile asks", async () => {
    const points = {
      power: at(100, { type: "float32", scale: 0.1, times: ["ct", "vt"], unit: "W" }),
      voltage: at(102, { type: "u16", scale: 0.1, times: ["vt"], unit: "V" }),
      ct: at(110, { type: "u16", kind: "setting" }),
      vt: at(111, { type: "u16", scale: 0.1, kind: "setting" }),
      mode: at(112, { type: "u16", kind: "setting" }),
    };
    const identity = {
      make: "Test",
      model: "Test",
      match: [{ point: "ct", between: [2, 20] }],
      requires: [{ point: "mode", equals: [7, 9], hint: "set it to 7" }],
    };
    const channel = { power: "power", sign: SIGN, voltage: ["voltage"], ctRatio: ["ct", 1], vtRatio: "vt" };
    const compiled = gridProfile(points, channel, { identity });
    await expectTruth(compiled);
    const { open } = await bench(compiled);
    const meter = open();
    await meter.identify();
    expect(channelOf(meter, "grid")).toMatchObject({ ctRatio: [11, 1], vtRatio: [1, 1] });
  });

  it("says who it is so that every rule of the identity holds", async () => {
    const points = {
      power,
      code: at(102, { type: "u16" }),
      serial: at(103, { type: "text", registers: 6, byteOrder: "little" }),
      model: at(109, { type: "text", registers: 4 }),
      range: at(113, { type: "u16", scale: 0.5, unit: "V" }),
      number: at(114, { type: "u32", kind: "text" }),
    };
    const identity = {
      make: "Test",
      model: { point: "model" },
      serial: { point: "serial" },
      firmware: { point: "number" },
      match: [
        { point: "code", equals: [70_000, 0x71, 0x72] },
        { point: "serial", pattern: "^T[0-9]{4,}$" },
        { point: "range", between: [99.5, 100.4] },
        { point: "number", pattern: "^4\\d{3}$" },
        { deviceIdentification: { vendorName: "^Test", modelName: "X-\\d+" } },
      ],
    };
    const { open } = await bench(gridProfile(points, { power: "power", sign: SIGN }, { identity }));
    expect(await open().identify()).toEqual({
      make: "Test",
      model: "SIM",
      serial: "T0000",
      firmware: "4000",
    });
  });

  it("leaves room where the registers are small: less power, no export, low registers", async () => {
    const points = {
      power: at(100, { type: "u16", unit: "W", scale: 0.1 }),
      current: at(101, { type: "u16", unit: "mA", scale: 0.5 }),
      voltage: at(102, { type: "u16", unit: "V" }),
      importEnergy: energy(103, { type: "u16", scale: 0.01 }),
    };
    const channel = {
      power: "power",
      sign: SIGN,
      import: "importEnergy",
      current: ["current"],
      voltage: ["voltage"],
      maxImport: { value: 5, unit: "kW" },
    };
    const compiled = gridProfile(points, channel);
    await expectTruth(compiled);
    const { divisor, boundaries } = planSimulation(compiled).site;
    expect(divisor).toBe(5);
    expect(boundaries).toMatchObject([{ only: "import", importStartMwh: 262_140_000 }]);
  });

  it("stands by when nothing flows", async () => {
    const points = {
      power,
      state: at(102, { type: "u16", kind: "state", values: { 4: "ok", 6: "standby", 9: "fault" } }),
    };
    const channels = {
      pv: { role: "generation", power: "power", sign: { ...SIGN, positive: "export" }, status: "state" },
    };
    const { device, pass, open } = await bench(
      profileOf({ category: "inverter", snapshots, points, channels }),
    );
    const meter = open();
    await meter.identify();
    expect(readingOf(await meter.read(), "pv").status ?? 0).toBe(0);
    pass(600);
    expect(device.truth().boundaries.get("pv")?.powerMw).toBe(0);
    expect(readingOf(await meter.read(), "pv").status).toBe(READING_STATUS.standby);
  });
});
