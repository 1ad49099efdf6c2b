import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type BaselineRequest, baselineOf } from "../../../attest/baseline/baseline.ts";
import type { EnergyAt } from "../../../attest/baseline/energies.ts";
import { rational, times } from "../../../attest/baseline/rational.ts";
import { dayNumber, localDay, type Zone } from "../../../attest/baseline/zone.ts";
import { daySet, HISTORY_METHODS, noisyLoad, plainRequest, QUARTER, windowOf, ZONES } from "./kit.ts";
import { oracleBaseline } from "./oracle.ts";

const methods = fc.constantFrom(...HISTORY_METHODS);
const seeds = fc.integer({ min: 0, max: 0x7fff_ffff });
const EVENT_DAY = dayNumber("2026-06-17");
const START = windowOf(ZONES.berlin, "2026-06-17", 14, 2).fromMs;

describe("a baseline of like days", () => {
  it("scales with the load, exactly", () => {
    fc.assert(
      fc.property(methods, seeds, fc.integer({ min: 1, max: 1000 }), (method, seed, factor) => {
        const load = noisyLoad(seed, 1_000_000);
        const once = baselineOf(plainRequest(method, load));
        const scaled = baselineOf(plainRequest(method, (ms) => factor * (load(ms) ?? 0)));
        expect(scaled.days).toEqual(once.days);
        expect(scaled.exactMwh).toEqual(once.exactMwh.map((mwh) => times(mwh, rational(BigInt(factor)))));
      }),
      { numRuns: 60 },
    );
  });

  it("does not look at what excluded, incomplete or unlike days hold", () => {
    fc.assert(
      fc.property(
        methods,
        seeds,
        fc.uniqueArray(fc.integer({ min: 1, max: 20 }), { maxLength: 6 }),
        (method, seed, back) => {
          const excluded = new Set(back.map((days) => EVENT_DAY - days));
          const [load, other] = [noisyLoad(seed), noisyLoad(seed + 1)];
          const request = { ...plainRequest(method, load) };
          const calendar = { ...request.calendar, excluded };
          const once = baselineOf({ ...request, calendar });
          const unused = new Set(
            once.days.excluded.filter(({ reason }) => reason !== "notChosen").map(({ day }) => day),
          );
          const mixed: EnergyAt = (ms) => (unused.has(localDay(ZONES.berlin, ms)) ? other(ms) : load(ms));
          const reversed = new Set([...excluded].reverse());
          const again = baselineOf({
            ...request,
            energyAt: mixed,
            calendar: { ...calendar, excluded: reversed },
          });
          expect(again).toEqual(once);
          for (const day of excluded) expect(once.days.used).not.toContain(day);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("does not move with what happens after the notice", () => {
    fc.assert(
      fc.property(methods, seeds, fc.integer({ min: 0, max: 14 * 60 }), (method, seed, minutes) => {
        const noticeMs = START - minutes * 60_000;
        const load = noisyLoad(seed);
        const burnt: EnergyAt = (ms) => (load(ms) ?? 0) + (ms + QUARTER > noticeMs ? 3_000_000 : 0);
        const request = { ...plainRequest(method, load), noticeMs };
        expect(baselineOf({ ...request, energyAt: burnt })).toEqual(baselineOf(request));
      }),
      { numRuns: 60 },
    );
  });

  it("agrees within 1 mWh with plain floating point, on days when the clock is set and after them", () => {
    const places: readonly (readonly [zone: Zone, days: readonly string[]])[] = [
      [ZONES.berlin, ["2026-03-29", "2026-03-30", "2026-04-12", "2026-10-25", "2026-10-26", "2026-11-08"]],
      [
        ZONES.losAngeles,
        ["2026-03-08", "2026-03-09", "2026-03-29", "2026-11-01", "2026-11-02", "2026-11-22"],
      ],
      [ZONES.lordHowe, ["2026-04-05", "2026-04-06", "2026-04-19", "2026-10-04", "2026-10-05", "2026-10-18"]],
    ];
    let compared = 0;
    for (const [zone, days] of places)
      for (const [at, day] of days.entries())
        for (const [nth, method] of HISTORY_METHODS.entries())
          for (const fromHour of nth % 2 === 0 ? [0.5, 2] : [2, 15]) {
            const request: BaselineRequest = {
              ...plainRequest(method, noisyLoad(at * 100 + nth)),
              calendar: {
                zone,
                holidays: daySet("2026-04-06"),
                excluded: daySet("2026-03-19", "2026-10-17"),
              },
              windows: [windowOf(zone, day, fromHour, 2)],
            };
            const { baselineMwh } = baselineOf(request);
            const floats = oracleBaseline(request);
            expect(floats).toHaveLength(8);
            for (const [index, mwh] of baselineMwh.entries())
              expect(Math.abs(mwh - (floats[index] ?? Number.NaN))).toBeLessThanOrEqual(1);
            compared += 1;
          }
    expect(compared).toBe(180);
  });
});
