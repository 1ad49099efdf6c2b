import { describe, expect, it } from "vitest";
import type { ControlledResource, SiteMeterSettings } from "../../../agent/control/settings.ts";
import { DeskBench } from "./kit.ts";

const METER: SiteMeterSettings = { device: "meter", channel: "grid", maxStaleMs: 30_000 };
const battery = (more: Partial<ControlledResource>): readonly ControlledResource[] => [
  { device: "battery", boundary: "device", ...more },
];
const refused = (code: string): object => ({ code });

describe("limits", () => {
  it("of power and reserve are kept to, and nothing is clamped", async () => {
    const resources = battery({ maxChargeMw: 2_000_000, maxDischargeMw: 1_000_000, reservePpm: 300_000 });
    const bench = new DeskBench({ resources });
    await bench.pass(1);
    for (const value of [2_000_001, -1_000_001])
      await expect(bench.hold("gridOperator", value)).rejects.toMatchObject(refused("control-limit"));
    const low = { kind: "stateOfChargeReserve", reservePpm: 299_000 } as const;
    await expect(bench.hold("manual", low)).rejects.toMatchObject(refused("control-limit"));
    expect(bench.actuated).toEqual([]);
    await expect(bench.hold("manual", 2_000_000)).resolves.toMatchObject({ readBack: "agrees" });
  });

  it.each([
    [309_999, true],
    [310_000, true],
    [310_001, false],
  ])("no discharge begins with %i ppm: %s", async (ppm, isRefused) => {
    const bench = new DeskBench({ resources: battery({ reservePpm: 300_000 }), feeds: false });
    await expect(bench.hold("manual", -1_000_000)).rejects.toMatchObject(refused("control-limit"));
    bench.desk.stateOfCharge("battery", ppm);
    const hold = bench.hold("manual", -1_000_000);
    if (isRefused) await expect(hold).rejects.toMatchObject(refused("control-limit"));
    else await expect(hold).resolves.toMatchObject({ readBack: "agrees" });
  });

  it("a discharge ends at the reserve, or when nobody knows how full the battery is", async () => {
    const bench = new DeskBench({ resources: battery({ reservePpm: 300_000 }), feeds: false });
    bench.desk.stateOfCharge("battery", 311_000);
    await bench.hold("manual", -1_000_000);
    await bench.pass(10);
    bench.desk.stateOfCharge("battery", 300_001);
    await bench.pass(1);
    expect(bench.battery.commandedMw).toBe(-1_000_000);
    bench.desk.stateOfCharge("battery", 300_000);
    await bench.pass(1);
    expect(bench.battery.commandedMw).toBe(undefined);
    bench.desk.stateOfCharge("battery", 400_000);
    await bench.hold("manual", -1_000_000);
    await bench.pass(120);
    expect(bench.battery.commandedMw).toBe(-1_000_000);
    await bench.pass(1);
    expect(bench.battery.commandedMw).toBe(undefined);
    expect(bench.ended.map(([, reason]) => reason)).toEqual([
      "state-of-charge-reserve",
      "state-of-charge-stale",
    ]);
  });

  it("of the grid connection count what is expected to flow there", async () => {
    const siteMeter = { ...METER, maxImportMw: 5_000_000, maxExportMw: 4_000_000 };
    const bench = new DeskBench({ siteMeter, feeds: false });
    bench.desk.siteMeterRead(0, 3_000_000);
    bench.desk.devicePower("battery", 500_000);
    await expect(bench.hold("manual", 2_500_001)).rejects.toMatchObject(refused("control-limit"));
    await expect(bench.hold("manual", 2_500_000)).resolves.toMatchObject({ readBack: "agrees" });
    await bench.pass(10);
    bench.desk.siteMeterRead(bench.nowMs, -3_000_000);
    bench.desk.devicePower("battery", 0);
    await expect(bench.hold("manual", -1_001_000)).rejects.toMatchObject(refused("control-limit"));
    await expect(bench.hold("manual", -1_000_000)).resolves.toMatchObject({ readBack: "agrees" });
  });

  it("take what nobody measures for the worst", async () => {
    const bench = new DeskBench({ siteMeter: { ...METER, maxImportMw: 5_000_000 }, feeds: false });
    bench.desk.siteMeterRead(0, 0);
    // It might be discharging with 3.3 kW.
    await expect(bench.hold("manual", 1_701_000)).rejects.toMatchObject(refused("control-limit"));
    await expect(bench.hold("manual", 1_700_000)).resolves.toMatchObject({ readBack: "agrees" });
  });

  it.each([
    ["import", 5_000_001, 1_000_000, true],
    ["import", 5_000_001, -1_000_000, false],
    ["export", -4_000_001, -1_000_000, true],
    ["export", -4_000_001, 1_000_000, false],
  ] as const)("of %s end what is to blame for it: %i with %i", async (direction, siteMw, powerMw, ends) => {
    const siteMeter = { ...METER, maxImportMw: 5_000_000, maxExportMw: 4_000_000 };
    const bench = new DeskBench({ siteMeter, feeds: false });
    bench.desk.siteMeterRead(0, 0);
    bench.desk.devicePower("battery", 0);
    await bench.hold("manual", powerMw);
    bench.desk.siteMeterRead(bench.nowMs, siteMw);
    await bench.pass(1);
    expect(bench.ended.map(([, reason]) => reason)).toEqual(ends ? [`${direction}-limit`] : []);
    expect(bench.battery.commandedMw).toBe(ends ? undefined : powerMw);
  });

  it("of a grid setpoint are those of the grid connection", async () => {
    const siteMeter = { ...METER, maxImportMw: 5_000_000, maxExportMw: 1_000_000 };
    const resources = battery({ maxChargeMw: 1_000_000 });
    const bench = new DeskBench({ siteMeter, resources, roleOf: () => "grid" });
    await bench.pass(1);
    await expect(bench.hold("manual", -1_001_000)).rejects.toMatchObject(refused("control-limit"));
    await expect(bench.hold("manual", 3_000_000)).resolves.toMatchObject({ readBack: "agrees" });
  });

  it("let ten seconds pass between two setpoints, and not before a revert", async () => {
    const bench = new DeskBench();
    await bench.hold("price", 1_000_000);
    await bench.pass(9);
    await expect(bench.hold("gridOperator", 0)).rejects.toMatchObject(refused("control-too-soon"));
    await bench.desk.release("battery", "price", "done");
    expect(bench.battery.commandedMw).toBe(undefined);
    await bench.pass(1);
    await expect(bench.hold("gridOperator", 0)).resolves.toMatchObject({ readBack: "agrees" });
  });

  it("let a relay dwell after every switching", async () => {
    const bench = new DeskBench({ resources: battery({ minDwellMs: 600_000 }) });
    await expect(bench.hold("manual", 1_000_000)).rejects.toMatchObject(refused("control-too-soon"));
    await bench.pass(600);
    await bench.hold("manual", 1_000_000, 700);
    await bench.pass(599);
    await expect(bench.hold("manual", 0)).rejects.toMatchObject(refused("control-too-soon"));
    await bench.pass(101);
    expect(bench.battery.commandedMw).toBe(undefined);
    await bench.pass(599);
    await expect(bench.hold("manual", 0)).rejects.toMatchObject(refused("control-too-soon"));
    await bench.pass(1);
    await expect(bench.hold("manual", 0)).resolves.toMatchObject({ readBack: "agrees" });
  });

  it("change a setpoint in steps where the device has no ramp", async () => {
    const bench = new DeskBench({ resources: battery({ rampMwPerS: 100_000 }), feeds: false });
    await bench.hold("manual", -2_500_000);
    const told: (number | undefined)[] = [];
    await bench.pass(30, () => told.push(bench.battery.commandedMw));
    expect(told.slice(0, 9)).toEqual(Array.from({ length: 9 }, () => -1_000_000));
    expect(told.slice(9, 19)).toEqual(Array.from({ length: 10 }, () => -2_000_000));
    expect(told.slice(19)).toEqual(Array.from({ length: 11 }, () => -2_500_000));
  });

  it("give the ramp to a device that has one, the slower of both", async () => {
    const bench = new DeskBench({ ramp: true, resources: battery({ rampMwPerS: 100_000 }), feeds: false });
    await bench.desk.hold({ ...bench.asHold("manual", -2_500_000), rampMwPerS: 50_000 });
    expect(bench.battery.commandedMw).toBe(-2_500_000);
    expect(bench.actuated[0]).toMatchObject({ rampMwPerS: 50_000 });
  });
});
