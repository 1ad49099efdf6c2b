import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  BATTERY,
  type HomeRegisters,
  INVERTER_RATED_MW,
  SimulatedHome,
} from "../../drivers/simulated/home.ts";

const DAY_MS = 86_400_000;
const dayMs = fc.integer({ min: 0, max: DAY_MS - 1 });
const daySpeed = fc.integer({ min: 1, max: 2000 });
const pausesMs = fc.array(fc.integer({ min: 0, max: 15_000 }), { minLength: 1, maxLength: 12 });

describe("the simulated home", () => {
  it("balances power at every instant, within the limits of its devices", () => {
    fc.assert(
      fc.property(dayMs, daySpeed, pausesMs, (start, speed, pauses) => {
        const home = new SimulatedHome({ startMs: 0, dayMs: start, daySpeed: speed });
        for (const nowMs of instants(pauses)) {
          home.advanceTo(nowMs);
          const { gridMw, loadMw, generationMw, batteryMw } = home.powers;
          expect(gridMw).toBe(loadMw - generationMw + batteryMw);
          expect(loadMw).toBeGreaterThan(0);
          expect(generationMw).toBeGreaterThanOrEqual(0);
          expect(generationMw).toBeLessThanOrEqual(INVERTER_RATED_MW);
          expect(Math.abs(batteryMw)).toBeLessThanOrEqual(BATTERY.limitMw);
        }
      }),
    );
  });

  it("balances energy to the last microjoule", () => {
    fc.assert(
      fc.property(dayMs, daySpeed, pausesMs, (start, speed, pauses) => {
        const home = new SimulatedHome({ startMs: 0, dayMs: start, daySpeed: speed });
        for (const nowMs of instants(pauses)) home.advanceTo(nowMs);
        const uj = home.counted;
        const imported = uj.gridImportLowMwh + uj.gridImportNormalMwh;
        const exported = uj.gridExportLowMwh + uj.gridExportNormalMwh;
        const battery = uj.chargedMwh - uj.dischargedMwh;
        expect(imported - exported).toBe(uj.loadMwh - uj.generationMwh + battery);
        expect(uj.loadMwh > 0n).toBe((instants(pauses).at(-1) ?? 0) >= 100);
      }),
    );
  });

  it("never lets a register fall, and begins above zero", () => {
    fc.assert(
      fc.property(dayMs, pausesMs, (start, pauses) => {
        const home = new SimulatedHome({ startMs: 0, dayMs: start });
        let before = home.registers;
        expect(Math.min(...values(before))).toBeGreaterThan(0);
        for (const nowMs of instants(pauses)) {
          home.advanceTo(nowMs);
          const now = home.registers;
          for (const [at, value] of values(now).entries())
            expect(value).toBeGreaterThanOrEqual(values(before)[at] ?? Number.NaN);
          before = now;
        }
      }),
    );
  });

  it("counts power times real time, however fast its day is", () => {
    fc.assert(
      fc.property(dayMs, fc.integer({ min: 1, max: 600 }), (start, seconds) => {
        // A day that stands still has one power, once the battery has reached its own.
        const home = new SimulatedHome({ startMs: 0, dayMs: start, daySpeed: 0 });
        home.advanceTo(5000);
        const before = home.counted;
        for (let second = 1; second <= seconds; second += 1) home.advanceTo(5000 + second * 1000);
        const { loadMw, generationMw } = home.powers;
        expect(home.counted.loadMwh - before.loadMwh).toBe(BigInt(loadMw * seconds * 1000));
        expect(home.counted.generationMwh - before.generationMwh).toBe(BigInt(generationMw * seconds * 1000));
      }),
    );
  });

  it("is the same however often it is asked", () => {
    fc.assert(
      fc.property(dayMs, daySpeed, pausesMs, (start, speed, pauses) => {
        const often = new SimulatedHome({ startMs: 0, dayMs: start, daySpeed: speed });
        const once = new SimulatedHome({ startMs: 0, dayMs: start, daySpeed: speed });
        const times = instants(pauses);
        for (const nowMs of times) often.advanceTo(nowMs);
        for (let nowMs = 0; nowMs <= (times.at(-1) ?? 0); nowMs += 50_000) once.advanceTo(nowMs);
        once.advanceTo(times.at(-1) ?? 0);
        expect(often.counted).toEqual(once.counted);
        expect(often.powers).toEqual(once.powers);
      }),
    );
  });

  it("keeps its battery between the reserve and full, to which it comes", () => {
    // Energy counts real time, so a long night and a long noon are needed.
    const night = new SimulatedHome({ startMs: 0, dayMs: 0, daySpeed: 0 });
    const noon = new SimulatedHome({ startMs: 0, dayMs: DAY_MS / 2 - 1, daySpeed: 0 });
    for (let nowMs = 0; nowMs <= 13 * 3_600_000; nowMs += 60_000) {
      night.advanceTo(nowMs);
      noon.advanceTo(nowMs);
      expect(night.stateOfChargePpm).toBeGreaterThanOrEqual(BATTERY.reservePpm);
      expect(noon.stateOfChargePpm).toBeLessThanOrEqual(1_000_000);
    }
    expect(night.stateOfChargePpm).toBeLessThan(BATTERY.reservePpm + 100);
    expect(noon.stateOfChargePpm).toBeGreaterThan(999_900);
  });

  it("leaves out the time in which the computer slept", () => {
    const home = new SimulatedHome({ startMs: 0 });
    home.advanceTo(10_000);
    const before = home.counted;
    home.advanceTo(10_000_000);
    expect(home.counted).toEqual(before);
    home.advanceTo(10_001_000);
    expect(home.counted.loadMwh).toBeGreaterThan(before.loadMwh);
  });
});

/** Instants that lie these pauses apart. */
function instants(pauses: readonly number[]): number[] {
  let nowMs = 0;
  return pauses.map((pauseMs) => {
    nowMs += pauseMs;
    return nowMs;
  });
}

function values(registers: HomeRegisters): number[] {
  return Object.values(registers);
}
