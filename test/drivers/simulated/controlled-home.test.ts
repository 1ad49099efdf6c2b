import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PolledMeter, Snapshot } from "../../../drivers/driver.ts";
import {
  type ControlledHome,
  type ControlledHomeOptions,
  startControlledHome,
} from "../../../drivers/simulated/controlled-home.ts";
import { unlikeDay } from "../../../drivers/simulated/controlled-home-days.ts";
import type { SimulatedControlFault } from "../../../drivers/simulated/profile-faults.ts";
import { sunspecDriver } from "../../../drivers/sunspec/driver.ts";
import { controlOf } from "../control/kit.ts";
import { cleanupAfterEach } from "../modbus/kit.ts";

const later = cleanupAfterEach();
const MINUTE_MS = 60_000;
/** Whole watts, cut off. */
const WATT_MW = 1000;

interface Bench {
  readonly home: ControlledHome;
  readonly battery: PolledMeter;
  readonly meter: PolledMeter;
  pass(ms: number): void;
}

async function bench(options: Partial<ControlledHomeOptions> = {}): Promise<Bench> {
  let nowMs = 0;
  const home = await startControlledHome({
    ...{ battery: { kind: "tcp", port: 0 }, meter: { kind: "tcp", port: 0 }, daySpeed: 1 },
    clock: () => nowMs,
    ...options,
  });
  later(() => home.close());
  const open = async (port: number): Promise<PolledMeter> => {
    const device = sunspecDriver.open(
      sunspecDriver.schema.parse({ host: "127.0.0.1", port, timeoutMs: 2000 }),
    );
    later(() => device.close());
    if (device.mode !== "polled") throw new Error("a SunSpec device is asked");
    await device.identify();
    return device;
  };
  const pass = (ms: number): void => {
    nowMs += ms;
    home.truth();
  };
  return { home, battery: await open(home.batteryPort), meter: await open(home.meterPort), pass };
}

function powerOf({ readings }: Snapshot, channel: string): number {
  return readings.find((reading) => reading.channel === channel)?.activePowerMw ?? Number.NaN;
}

describe("a home whose battery obeys", () => {
  it("shows at the grid meter what its battery is told", async () => {
    const { home, battery, meter, pass } = await bench();
    pass(10_000);
    await controlOf(battery).apply({ kind: "powerSetpoint", powerMw: -2_000_000, leaseMs: 60_000 });
    pass(5000);
    const [told, site] = [await battery.read(), await meter.read()];
    expect(powerOf(told, "inverter")).toBe(-2_000_000);
    const { boundaries } = home.truth();
    const flow = (name: string): number => boundaries.get(name)?.powerMw ?? Number.NaN;
    expect(Math.abs(powerOf(site, "meter") - flow("grid"))).toBeLessThan(WATT_MW);
    // Without the battery, grid and roof would show the household alone: none of it is the battery's.
    const before = flow("grid") - flow("battery");
    await controlOf(battery).revert("powerSetpoint");
    await controlOf(battery).apply({ kind: "powerSetpoint", powerMw: 1_000_000, leaseMs: 60_000 });
    pass(2000);
    const after = home.truth().boundaries;
    const others = (after.get("grid")?.powerMw ?? 0) - (after.get("battery")?.powerMw ?? 0);
    expect(Math.abs(others - before)).toBeLessThan(600_000);
    expect(home.writes().length).toBeGreaterThan(2);
  });

  it("ends a command by itself, whoever is gone", async () => {
    const { battery, home, pass } = await bench();
    await controlOf(battery).apply({ kind: "powerSetpoint", powerMw: -1_000_000, leaseMs: 20_000 });
    pass(19_000);
    expect(home.truth().boundaries.get("battery")?.powerMw).toBe(-1_000_000);
    pass(5000);
    expect(home.truth().boundaries.get("battery")?.powerMw).not.toBe(-1_000_000);
  });

  it.each<[SimulatedControlFault, number, string]>([
    ["ignores-command", Number.NaN, "agrees"],
    ["obeys-late", -2_000_000, "agrees"],
    ["bms-limit", -825_000, "agrees"],
    ["clamps-silently", -1_000_000, "differs"],
    ["wrong-readback", -2_000_000, "differs"],
    ["forgets-timer", -2_000_000, "agrees"],
  ])("with %s gives %s mW, and the driver says %s", async (fault, expectedMw, readBack) => {
    const { battery, home, pass } = await bench();
    home.setFaults([fault]);
    const result = await controlOf(battery).apply({
      ...{ kind: "powerSetpoint", powerMw: -2_000_000, leaseMs: 30_000 },
    });
    expect(result.readBack).toBe(readBack);
    pass(5000);
    const soon = home.truth().boundaries.get("battery")?.powerMw ?? 0;
    pass(22_000);
    const power = home.truth().boundaries.get("battery")?.powerMw ?? 0;
    // By itself the battery charges on the surplus of noon.
    if (Number.isNaN(expectedMw)) expect(power).toBeGreaterThan(0);
    else expect(power).toBe(expectedMw);
    expect(soon > 0).toBe(fault === "obeys-late" || fault === "ignores-command");
    pass(10_000);
    const over = home.truth().boundaries.get("battery")?.powerMw ?? 0;
    expect(over < 0).toBe(fault === "forgets-timer" || fault === "obeys-late");
  });

  it("loses the line in the middle of a command, and is left as it was", async () => {
    const { battery, home } = await bench();
    home.setFaults(["loses-connection-in-the-middle"]);
    const told = controlOf(battery).apply({ kind: "powerSetpoint", powerMw: -2_000_000, leaseMs: 30_000 });
    await expect(told).rejects.toMatchObject({ code: "control-interrupted" });
  });

  it("keeps its battery back at the hours that it is told, unless it is commanded", async () => {
    const { battery, home, pass } = await bench({ dayMs: 0, keptBack: { fromMinute: 60, toMinute: 120 } });
    const power = (): number => home.truth().boundaries.get("battery")?.powerMw ?? Number.NaN;
    pass(30 * MINUTE_MS);
    expect(power()).toBeLessThan(0);
    pass(35 * MINUTE_MS);
    expect(power()).toBe(0);
    await controlOf(battery).apply({ kind: "powerSetpoint", powerMw: -500_000, leaseMs: 60_000 });
    pass(2000);
    expect(power()).toBe(-500_000);
  });

  it("counts power times time in steps of any length", { timeout: 30_000 }, async () => {
    const lengths = fc.array(fc.constantFrom(100, 1000, 5000, 15_000), { minLength: 1, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(lengths, async (steps) => {
        const ends: number[] = [];
        for (const step of steps) ends.push((ends.at(-1) ?? 0) + step);
        const stepAt = (nowMs: number): number => steps[ends.filter((end) => end <= nowMs).length] ?? 100;
        const { home, pass } = await bench({ stepMs: stepAt, day: unlikeDay });
        const start = home.truth().boundaries;
        const sums = new Map([...start.keys()].map((name) => [name, 0n]));
        for (const step of steps) {
          for (const [name, { powerMw }] of home.truth().boundaries)
            sums.set(name, (sums.get(name) ?? 0n) + BigInt(powerMw) * BigInt(step));
          pass(step);
        }
        for (const [name, { importMwh, exportMwh, importStartMwh, exportStartMwh }] of home.truth()
          .boundaries) {
          const net = importMwh - importStartMwh - (exportMwh - exportStartMwh);
          expect(Math.abs(Number(sums.get(name) ?? 0n) / 3_600_000 - net)).toBeLessThan(2);
        }
      }),
      { numRuns: 15 },
    );
  });
});
