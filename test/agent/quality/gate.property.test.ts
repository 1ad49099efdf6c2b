import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Verdict } from "../../../agent/quality/gate.ts";
import type { MeterReading } from "../../../attest/reading.ts";
import type { Doubt } from "../../../drivers/driver.ts";
import { acceptedRuns, Bench, GRID } from "./kit.ts";

const LIMIT_MW = 17_250_000 * 1.25;
const STEP_MWH = 1000;
const LATE_MS = 15_000;
const METER_TIME_MS = Date.UTC(2026, 5, 1);
const TORN: Doubt = { channel: "grid", quantities: ["import"], message: "torn" };

interface Event {
  readonly afterMs: number;
  /** Share of the limit that flows. */
  readonly load: number;
  readonly fault: "none" | "reset" | (typeof PASSING)[number];
  readonly size: number;
}

/** Faults of one reading, that are over with the next one. */
const PASSING = [
  ...(["zero", "spike", "half", "fill", "tenfold", "swapped"] as const),
  ...(["again", "old", "torn", "lost", "powerless"] as const),
] as const;

const fault = fc.oneof(
  { weight: 12, arbitrary: fc.constant("none" as const) },
  { weight: 6, arbitrary: fc.constantFrom(...PASSING) },
  { weight: 1, arbitrary: fc.constant("reset" as const) },
);
const events: fc.Arbitrary<Event[]> = fc.array(
  fc.record({
    afterMs: fc.integer({ min: 400, max: 60_000 }),
    load: fc.double({ min: 0, max: 1, noNaN: true }),
    fault,
    size: fc.integer({ min: 1, max: 2 ** 40 }),
  }),
  { minLength: 1, maxLength: 80 },
);
const start = fc.integer({ min: 1_000_000, max: 2 ** 44 });

/** A meter that counts what flows, and what a bad line makes of it. */
class Meter {
  #importMwh: number;
  #timeMs = METER_TIME_MS;
  /** The last telegrams, newest first. */
  #sent: Partial<MeterReading>[] = [];

  constructor(importMwh: number) {
    this.#importMwh = importMwh;
  }

  flow({ afterMs, load }: Event): void {
    this.#timeMs += afterMs;
    this.#importMwh += (LIMIT_MW * load * afterMs) / 3_600_000;
  }

  reset(): void {
    this.#importMwh = 0;
  }

  get shown(): Partial<MeterReading> {
    const meterTimeMs = this.#timeMs;
    return { importMwh: this.#cut(this.#importMwh), exportMwh: 2_000_000, activePowerMw: 0, meterTimeMs };
  }

  shownWith(event: Event): Partial<MeterReading> {
    const good = this.shown;
    this.#sent = [good, ...this.#sent.slice(0, 3)];
    const importMwh = good.importMwh ?? 0;
    const { importMwh: _i, exportMwh, ...live } = good;
    switch (event.fault) {
      case "zero":
        return { ...good, importMwh: 0, exportMwh: 0 };
      case "spike":
        return { ...good, importMwh: importMwh + event.size };
      case "half":
        return { ...good, importMwh: this.#cut(importMwh / 2) };
      case "fill":
        return { ...good, importMwh: 0xffff_ffff * STEP_MWH };
      case "tenfold":
        return { ...good, importMwh: importMwh * 10 };
      case "swapped":
        return { ...good, importMwh: 2_000_000, exportMwh: importMwh };
      case "again":
        return this.#sent[1] ?? good;
      case "old":
        return this.#sent[3] ?? good;
      case "lost":
        return { ...live, ...(exportMwh === undefined ? {} : { exportMwh }) };
      case "powerless":
        return live;
      default:
        return good;
    }
  }

  #cut(energyMwh: number): number {
    return Math.floor(energyMwh / STEP_MWH) * STEP_MWH;
  }
}

interface Step {
  readonly atMs: number;
  readonly verdict: Verdict;
}

function run(initial: number, history: readonly Event[]): Step[] {
  const bench = new Bench(GRID);
  const meter = new Meter(initial);
  return history.map((event) => {
    if (event.fault === "reset") meter.reset();
    meter.flow(event);
    const doubts = event.fault === "torn" ? [TORN] : [];
    const verdict = bench.judge(meter.shownWith(event), event.afterMs, doubts);
    return { atMs: bench.nowMs, verdict };
  });
}

/** What {@link acceptedRuns} gives, of those that carry the registers. */
function runs(steps: readonly Step[]): { atMs: number; importMwh: number; exportMwh: number }[][] {
  return acceptedRuns(steps).map((points) =>
    points.flatMap(({ atMs, reading: { importMwh, exportMwh } }) =>
      importMwh === undefined || exportMwh === undefined ? [] : [{ atMs, importMwh, exportMwh }],
    ),
  );
}

describe("whatever a meter and its line do", () => {
  it("no accepted register ever falls, and no energy is more than can have flowed", () => {
    fc.assert(
      fc.property(start, events, (initial, history) => {
        for (const points of runs(run(initial, history))) {
          for (const [index, point] of points.entries()) {
            for (const earlier of points.slice(0, index)) {
              const elapsedMs = point.atMs - earlier.atMs;
              const most = (LIMIT_MW * (elapsedMs + LATE_MS)) / 3_600_000 + STEP_MWH;
              for (const name of ["importMwh", "exportMwh"] as const) {
                expect(point[name]).toBeGreaterThanOrEqual(earlier[name]);
                expect(point[name] - earlier[name]).toBeLessThanOrEqual(Math.ceil(most));
              }
            }
          }
        }
      }),
      { numRuns: 400 },
    );
  });

  it("readings without any sense seal no more than can have flowed, and one reserve for each beginning", () => {
    const register = fc.oneof(fc.integer({ min: 0, max: 40_000 }), fc.integer({ min: 0, max: 2 ** 46 }));
    const power = fc.integer({ min: -21_000_000, max: 21_000_000 });
    const senseless = fc.record(
      {
        importMwh: register,
        exportMwh: register,
        activePowerMw: power,
        meterTimeMs: fc.nat({ max: 90_000 }),
      },
      { requiredKeys: [] },
    );
    const story = fc.array(fc.tuple(senseless, fc.integer({ min: 0, max: 20_000 }), fc.boolean()));
    fc.assert(
      fc.property(story, (readings) => {
        const bench = new Bench({ ...GRID, samplingMs: 5000, rolloverMwh: 2 ** 45 });
        const steps = readings.map(([values, afterMs, torn]) => {
          const verdict = bench.judge(values, afterMs, torn ? [TORN] : []);
          return { atMs: bench.nowMs, verdict };
        });
        for (const points of runs(steps)) {
          const [first, last] = [points[0], points.at(-1)];
          if (first === undefined || last === undefined) continue;
          const most = (LIMIT_MW * (last.atMs - first.atMs + LATE_MS)) / 3_600_000 + STEP_MWH;
          expect(last.importMwh - first.importMwh).toBeLessThanOrEqual(Math.ceil(most));
          expect(last.exportMwh - first.exportMwh).toBeLessThanOrEqual(Math.ceil(most));
        }
      }),
      { numRuns: 400 },
    );
  });

  it("nothing that was doubted, refused or seen before is sealed", () => {
    fc.assert(
      fc.property(start, events, (initial, history) => {
        const steps = run(initial, history);
        const sealed = acceptedRuns(steps).flat();
        const telegrams = sealed.map(
          ({ reading: { meterTimeMs, importMwh } }) => `${meterTimeMs} ${importMwh}`,
        );
        const withRegister = telegrams.filter((text) => !text.endsWith("undefined"));
        expect(new Set(withRegister).size).toBe(withRegister.length);
        for (const [index, { fault: kind }] of history.entries())
          if (kind === "torn" || kind === "lost")
            expect(steps[index]?.verdict).not.toHaveProperty("reading.importMwh");
      }),
    );
  });

  it("a true history is accepted reading by reading", () => {
    fc.assert(
      fc.property(start, events, (initial, history) => {
        const honest = history.map((event): Event => ({ ...event, fault: "none" }));
        expect(run(initial, honest).map(({ verdict }) => verdict.kind)).toEqual(honest.map(() => "accept"));
      }),
    );
  });

  it("one bad reading of any kind changes nothing after it", () => {
    fc.assert(
      fc.property(start, events, fc.nat(), fc.constantFrom(...PASSING), (initial, history, place, kind) => {
        const calm: Event = { afterMs: 5000, load: 0.1, fault: "none", size: 1 };
        const honest = [calm, calm, calm, ...history.map((event): Event => ({ ...event, fault: "none" }))];
        const at = 3 + (place % (honest.length - 2));
        const event: Event = { afterMs: 500, load: 0, fault: kind, size: 2 ** 40 };
        const disturbed = [...honest.slice(0, at), event, ...honest.slice(at)];
        const quiet = [...honest.slice(0, at), { ...event, fault: "none" as const }, ...honest.slice(at)];
        const without = (steps: readonly Step[]) => steps.filter((_, index) => index !== at);
        const [bad] = run(initial, disturbed).slice(at);
        expect(run(initial, quiet)[at]?.verdict).not.toEqual(bad?.verdict);
        expect(without(run(initial, disturbed))).toEqual(without(run(initial, quiet)));
      }),
    );
  });

  it("a true reset always becomes a discontinuity, and only one", () => {
    fc.assert(
      fc.property(start, events, events, (initial, before, later) => {
        const calm = (list: readonly Event[]) => list.map((event): Event => ({ ...event, fault: "none" }));
        const reset: Event = { afterMs: 5000, load: 0, fault: "reset", size: 1 };
        const grown: Event = { afterMs: 5000, load: 0.9, fault: "none", size: 1 };
        const steps = run(initial + 4e9, [
          ...calm(before),
          reset,
          ...Array<Event>(8).fill(grown),
          ...calm(later),
        ]);
        const breaks = steps.filter(({ verdict }) => verdict.kind === "discontinuity");
        expect(breaks.map(({ verdict }) => verdict)).toMatchObject([{ classification: 1 }]);
        expect(steps.at(-1)?.verdict.kind).toBe("accept");
      }),
    );
  });
});
