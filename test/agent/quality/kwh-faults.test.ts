import { describe, expect, it } from "vitest";
import { DISCONTINUITY } from "../../../attest/leaf.ts";
import type { MeterReading } from "../../../attest/reading.ts";
import { chance } from "./honest-meter.ts";
import { acceptedRuns, Bench, GRID } from "./kit.ts";

/*
 * What happened to others' energy registers, each with its source, as the gate meets it. What never reaches the gate
 * (word order within a driver, "today" registers, sums of tariffs) is tested with the drivers.
 */

const KWH = 1_000_000;
const DAY_MS = 86_400_000;
const { maxImportMw: _i, maxExportMw: _e, ...UNKNOWN } = GRID;
const ROOF = { ...GRID, role: "generation", quantities: ["export", "power"] } as const;
const IMPORT_ONLY = { ...UNKNOWN, quantities: ["import"] } as const;

/** Tells the gate the same until it has decided, and gives what it decided. */
function insist(bench: Bench, values: Partial<MeterReading>): string {
  const said = Array.from({ length: 4 }, () => bench.say(values, 500));
  return said.find((text) => !text.startsWith("hold")) ?? said.join();
}

describe("a valid frame of impossible numbers", () => {
  it("is held 17 times in 1,103, and no more than what flowed is sealed", () => {
    const bench = new Bench();
    const random = chance(17);
    const bad = new Set(Array.from({ length: 17 }, (_, index) => 40 + index * 60));
    const steps = Array.from({ length: 1103 }, (_, index) => {
      const importMwh = 5000 * KWH + index * 2000;
      const shown = bad.has(index) ? Math.floor(random() * 2 ** 42) : importMwh;
      const verdict = bench.judge({ importMwh: shown, exportMwh: KWH, activePowerMw: 1_440_000 });
      return { atMs: bench.nowMs, verdict };
    });
    const refused = steps.flatMap(({ verdict }, index) =>
      verdict.kind === "accept" && verdict.stripped === undefined ? [] : [index],
    );
    expect(refused).toEqual([...bad]);
    const runs = acceptedRuns(steps);
    expect(runs).toHaveLength(1);
    expect(runs[0]?.at(-1)?.reading.importMwh).toBe(5000 * KWH + 1102 * 2000);
  });
});

describe("a counter that went down", () => {
  /** bl0942, 24 bits; 2,636 counts were 0.492942 kWh, so it wraps at 3,137 kWh (esphome #15280). */
  const BL0942 = { ...IMPORT_ONLY, resolutionMwh: 187, rolloverMwh: 3_137_403_564 };

  it("is no rollover far below its top, however long it was not read", () => {
    for (const pauseMs of [7000, DAY_MS, 30 * DAY_MS]) {
      const bench = new Bench(BL0942);
      bench.say({ importMwh: 492_942 });
      bench.say({ importMwh: 0 }, pauseMs);
      for (let i = 0; i < 3; i += 1) bench.say({ importMwh: 0 }, 500);
      expect(bench.say({ importMwh: 187 }, 500)).toBe("hold register-down");
      expect(insist(bench, { importMwh: 187 })).toBe(
        `discontinuity ${DISCONTINUITY.registerReset} register-down`,
      );
    }
  });

  it("is one at its top where so much can have flowed, and a reset where it cannot", () => {
    const top = 3_137_403_564 - 1870;
    const wrapped = new Bench(BL0942);
    wrapped.say({ importMwh: top });
    expect(insist(wrapped, { importMwh: 374 })).toBe(`discontinuity ${DISCONTINUITY.rollover} register-down`);
    const reset = new Bench({ ...BL0942, maxImportMw: 3_680_000 });
    reset.say({ importMwh: top - 100 * KWH });
    expect(insist(reset, { importMwh: 374 })).toBe(
      `discontinuity ${DISCONTINUITY.registerReset} register-down`,
    );
  });

  it("by one step is held, too: a register never counts back", () => {
    const bench = new Bench();
    const shown = { importMwh: 5000 * KWH, exportMwh: KWH };
    bench.say(shown);
    expect(bench.say({ ...shown, importMwh: shown.importMwh - 1000 })).toBe("hold register-down");
    expect(bench.say(shown)).toBe("accept");
  });
});

describe("a zero that is none", () => {
  const AWAKE = { exportMwh: 53_000 * KWH, activePowerMw: -2_000_000 };
  const ASLEEP = { exportMwh: 0, activePowerMw: 0 };

  it("is no 53 MWh when it goes (evcc #30592), from one bad reading to a night of them", () => {
    for (const zeros of [1, 2, 4, 5000]) {
      const bench = new Bench(ROOF);
      bench.say(AWAKE);
      for (let i = 0; i < zeros; i += 1) expect(bench.judge(ASLEEP)).not.toHaveProperty("reading.exportMwh");
      expect(bench.say(AWAKE)).toBe("accept");
      expect(bench.gate.counts().discontinuities).toBe(0);
    }
  });

  it("is no register where it is the first value of all", () => {
    const bench = new Bench(ROOF);
    for (let i = 0; i < 10; i += 1) expect(bench.say(ASLEEP)).toBe("accept without register-zero");
    expect(bench.say(AWAKE)).toBe("accept");
  });

  it("is none after a restart of the agent either", () => {
    const clocks = { timeMs: 1_790_000_000_000, nowMs: 1_790_000_060_000, monotonicMs: 1000 };
    const bench = new Bench(ROOF, { exportMwh: AWAKE.exportMwh, ...clocks });
    expect(bench.say(ASLEEP)).toBe("hold register-zero");
    expect(bench.say(AWAKE)).toBe("accept");
  });

  it("is no register of a gateway that answers for a device that is not there (mbmd #226)", () => {
    const bench = new Bench();
    const nobody = { importMwh: 0, exportMwh: 0 };
    expect(Array.from({ length: 100 }, () => bench.say(nobody))).toEqual(
      Array(100).fill("reject register-zero"),
    );
  });
});

describe("a number of another scale or from another register", () => {
  const SHOWN = { importMwh: 4_711_123_000, exportMwh: 815_456_000 };

  it.each([
    ["ten times as much: a scale factor that changed between reads (pysunspec2 #42)", 47_111_230_000],
    ["a tenth", 471_112_300],
    ["its words in the other order", (0x047f << 16) * 1000],
    ["another counter of the device, 332 kWh ahead", 4_711_123_000 + 332 * KWH],
    ["another counter, 332 kWh behind", 4_711_123_000 - 332 * KWH],
    ["the export register in its place", SHOWN.exportMwh],
  ])("is held: %s", (_name, importMwh) => {
    const bench = new Bench();
    bench.say(SHOWN);
    expect(bench.say({ ...SHOWN, importMwh })).toMatch(/^hold register-(jump|down)$/);
    expect(bench.say(SHOWN)).toBe("accept");
  });

  it("that begins anew every midnight is a break every midnight, and no energy spans it", () => {
    const bench = new Bench({ ...UNKNOWN, quantities: ["import"] });
    const steps = Array.from({ length: 4 * 288 }, (_, index) => {
      const importMwh = 1000 + (index % 288) * 100_000;
      return { verdict: bench.judge({ importMwh }, 300_000), atMs: bench.nowMs };
    });
    const runs = acceptedRuns(steps);
    expect(runs).toHaveLength(4);
    for (const run of runs) {
      const rise = (run.at(-1)?.reading.importMwh ?? 0) - (run[0]?.reading.importMwh ?? 0);
      expect(rise).toBeLessThan(288 * 100_000);
    }
  });
});

describe("the step of a register", () => {
  it("of a float32 is no jump, and standing for one step is not frozen", () => {
    for (const [kilowattHours, resolutionMwh] of [
      [16_384, 2000],
      [131_072, 16_000],
    ] as const) {
      const { resolutionMwh: _, ...unstated } = ROOF;
      const bench = new Bench({ ...unstated, maxExportMw: 600_000 });
      const wattHours = (index: number): number =>
        Math.round(Math.fround(kilowattHours + (index * 500) / 3_600_000 / 5) * 1e6);
      const said = new Set<string>();
      for (let index = 0; index < 20_000; index += 1) {
        const values = { exportMwh: wattHours(index), activePowerMw: -500_000, resolutionMwh };
        said.add(bench.say(values, 200));
      }
      expect([...said]).toEqual(["accept"]);
    }
  });

  it("is no licence: two steps at once are a jump where one could have flowed", () => {
    const { resolutionMwh: _, ...unstated } = ROOF;
    const bench = new Bench({ ...unstated, maxExportMw: 600_000 });
    const exportMwh = 131_072 * KWH;
    const shown = { exportMwh, resolutionMwh: 16_000 };
    bench.say(shown);
    expect(bench.say({ ...shown, exportMwh: exportMwh + 16_000 })).toBe("accept");
    expect(bench.say({ ...shown, exportMwh: exportMwh + 32_000 })).toBe("hold register-jump");
  });
});
