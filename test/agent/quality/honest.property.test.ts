import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { GateChannel } from "../../../agent/quality/gate.ts";
import { chance, FLOWS, HonestMeter } from "./honest-meter.ts";
import { Bench, GRID, inShort } from "./kit.ts";

const honest = fc.record({
  flow: fc.constantFrom(...Object.keys(FLOWS)),
  step: fc.constantFrom<number | "float32">(1, 100, 1000, 10_000, 100_000, 1_000_000, "float32"),
  startMwh: fc.oneof(
    fc.integer({ min: 1_000_000, max: 2 ** 44 }),
    // Where the steps of a float32 of kWh become 2 Wh and 16 Wh.
    fc.constantFrom(16_383_900_000, 131_071_900_000),
  ),
  noise: fc.constantFrom(0, 0.02, 0.1),
  startsAtW: fc.constantFrom(0, 20, 69),
  seed: fc.nat(),
  voltage: fc.boolean(),
  clock: fc.boolean(),
  samplingMs: fc.constantFrom(1000, 5000, 10_000, 60_000, 300_000),
  stated: fc.boolean(),
});

/** The channel of a meter, with or without a nameplate and a stated step. */
function channelOf(step: number | "float32", stated: boolean, samplingMs: number): GateChannel {
  const { maxImportMw: _i, maxExportMw: _e, resolutionMwh: _r, ...rest } = GRID;
  const nameplate = stated ? { maxImportMw: 17_250_000, maxExportMw: 17_250_000 } : {};
  return { ...rest, ...nameplate, samplingMs, ...(step === "float32" ? {} : { resolutionMwh: step }) };
}

const READINGS = 700;

describe("an honest meter", () => {
  it("of any step, float32 or not, with noise, by day and by night, is never held, stripped or refused", () => {
    fc.assert(
      fc.property(honest, ({ flow, seed, samplingMs, stated, ...how }) => {
        const random = chance(seed);
        const found = FLOWS[flow] ?? (() => 0);
        const meter = new HonestMeter({ ...how, flow: found, random });
        const bench = new Bench(channelOf(how.step, stated, samplingMs));
        for (let i = 0; i < READINGS; i += 1) {
          const afterMs = Math.round(samplingMs * (1 + 0.2 * random()));
          meter.advance(afterMs);
          expect(bench.say(meter.shown(), afterMs), `reading ${i}`).toBe("accept");
        }
      }),
      { numRuns: 150 },
    );
  });

  it("whose step nobody states is taken for as coarse as it shows itself", () => {
    for (const step of [1000, 10_000, 100_000, 1_000_000]) {
      const flow = FLOWS["car that charges at night"] ?? (() => 0);
      const random = chance(step);
      const meter = new HonestMeter({
        ...{ flow, random, step, startMwh: 5_000_000_000, noise: 0.02, startsAtW: 20 },
        ...{ voltage: false, clock: false },
      });
      const { resolutionMwh: _, ...unstated } = GRID;
      const bench = new Bench({ ...unstated, maxImportMw: 11_000_000 });
      for (let i = 0; i < 5000; i += 1) {
        meter.advance(5000);
        expect(bench.say(meter.shown(), 5000), `step ${step}, reading ${i}`).toBe("accept");
      }
    }
  });

  it("that is new and shows nothing but zero is accepted without registers until it counts", () => {
    const bench = new Bench();
    const said = [0, 0, 1000, 1000, 2000].map((importMwh) =>
      inShort(bench.judge({ importMwh, exportMwh: 0, activePowerMw: 700_000 })),
    );
    const without = "accept without register-zero";
    expect(said).toEqual([without, without, "accept", "accept", "accept"]);
  });
});
