import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Verdict } from "../../../agent/quality/gate.ts";
import type { MeterReading } from "../../../attest/reading.ts";
import { Bench, GRID } from "./kit.ts";

const LIMIT_MW = 17_250_000 * 1.25;
const STEP_MWH = 1000;
const LATE_MS = 15_000;

interface Event {
  readonly afterMs: number;
  /** Share of the limit that flows. */
  readonly load: number;
  readonly fault: "none" | "zero" | "spike" | "half" | "fill" | "reset";
  readonly size: number;
}

const fault = fc.oneof(
  { weight: 12, arbitrary: fc.constant("none" as const) },
  { weight: 4, arbitrary: fc.constantFrom("zero", "spike", "half", "fill") },
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

  constructor(importMwh: number) {
    this.#importMwh = importMwh;
  }

  flow({ afterMs, load }: Event): void {
    this.#importMwh += (LIMIT_MW * load * afterMs) / 3_600_000;
  }

  reset(): void {
    this.#importMwh = 0;
  }

  get shown(): Partial<MeterReading> {
    return { importMwh: this.#cut(this.#importMwh), exportMwh: 2_000_000, activePowerMw: 0 };
  }

  shownWith(event: Event): Partial<MeterReading> {
    const good = this.shown;
    const importMwh = good.importMwh ?? 0;
    switch (event.fault) {
      case "zero":
        return { ...good, importMwh: 0, exportMwh: 0 };
      case "spike":
        return { ...good, importMwh: importMwh + event.size };
      case "half":
        return { ...good, importMwh: this.#cut(importMwh / 2) };
      case "fill":
        return { ...good, importMwh: 0xffff_ffff * STEP_MWH };
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
    const verdict = bench.judge(meter.shownWith(event), event.afterMs);
    return { atMs: bench.nowMs, verdict };
  });
}

/** Accepted registers, cut into runs without a discontinuity. */
function runs(steps: readonly Step[]): { atMs: number; importMwh: number }[][] {
  const found: { atMs: number; importMwh: number }[][] = [[]];
  for (const { atMs, verdict } of steps) {
    if (verdict.kind === "discontinuity") found.push([]);
    if (verdict.kind !== "accept" && verdict.kind !== "discontinuity") continue;
    const { importMwh } = verdict.reading;
    if (importMwh !== undefined) found.at(-1)?.push({ atMs, importMwh });
  }
  return found;
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
              expect(point.importMwh).toBeGreaterThanOrEqual(earlier.importMwh);
              expect(point.importMwh - earlier.importMwh).toBeLessThanOrEqual(Math.ceil(most));
            }
          }
        }
      }),
      { numRuns: 300 },
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

  it("one bad zero, spike, half or fill changes nothing after it", () => {
    fc.assert(
      fc.property(
        start,
        events,
        fc.nat(),
        fc.constantFrom("zero", "half", "fill", "spike"),
        (initial, history, place, kind) => {
          const honest = history.map((event): Event => ({ ...event, fault: "none" }));
          const at = 1 + (place % honest.length);
          const event: Event = { afterMs: 500, load: 0, fault: kind, size: 2 ** 40 };
          const disturbed = [...honest.slice(0, at), event, ...honest.slice(at)];
          const quiet = [...honest.slice(0, at), { ...event, fault: "none" as const }, ...honest.slice(at)];
          const without = (steps: readonly Step[]) => steps.filter((_, index) => index !== at);
          const [bad] = run(initial, disturbed).slice(at);
          expect(["hold", "reject"]).toContain(bad?.verdict.kind);
          expect(without(run(initial, disturbed))).toEqual(without(run(initial, quiet)));
        },
      ),
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
