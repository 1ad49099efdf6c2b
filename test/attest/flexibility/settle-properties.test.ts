import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dayStart } from "../../../attest/baseline/zone.ts";
import { settle } from "../../../attest/flexibility/settle.ts";
import type { SettlementEvidence } from "../../../attest/flexibility/settle-types.ts";
import { noisyLoad } from "../baseline/kit.ts";
import { BERLIN, callOf, EVENT_DAY, evidenceOf, QUARTER, type Stretch } from "./settle-kit.ts";
import { type OracleCase, oracle } from "./settle-oracle.ts";

const DAY = 86_400_000;
const LAST_DAY_MS = dayStart(BERLIN, EVENT_DAY);

/** Loads near enough to each other for events to be delivered, now and then below 0. */
function loadOf(seed: number): (startMs: number) => number {
  const noise = noisyLoad(seed, 400_000);
  const offset = (seed % 3) * 400_000 - 100_000;
  return (startMs) => offset + (noise(startMs) ?? 0);
}

const anyCase: fc.Arbitrary<OracleCase> = fc
  .record({
    method: fc.constantFrom("h10/1", "h10-sda20/1"),
    sign: fc.constantFrom<1 | -1>(1, -1),
    seed: fc.nat(),
    // From Monday to the Sunday after it, any time of day.
    atQuarter: fc.integer({ min: -2 * 96, max: 5 * 96 - 1 }),
    committed: fc.oneof(
      {
        weight: 6,
        arbitrary: fc.array(fc.integer({ min: 1, max: 300_000 }), { minLength: 1, maxLength: 12 }),
      },
      { weight: 1, arbitrary: fc.constant(Array.from({ length: 100 }, () => 90_000)) },
    ),
    // How much of it is delivered, in percent: of each interval, give or take.
    percent: fc.integer({ min: -60, max: 140 }),
    spread: fc.integer({ min: 0, max: 60 }),
    noticeMs: fc.oneof(fc.integer({ min: 1, max: 8 * 3_600_000 }), fc.integer({ min: 1, max: 3 * DAY })),
    eventDark: fc.option(
      fc.tuple(
        fc.integer({ min: -9 * 3_600_000, max: 4 * 3_600_000 }),
        fc.integer({ min: 1, max: 6 * 3_600_000 }),
      ),
    ),
    pastDark: fc.option(fc.tuple(fc.integer({ min: 1, max: 12 * DAY }), fc.integer({ min: 1, max: DAY }))),
    historyDays: fc.constantFrom(12, 17, 17, 24),
    holidays: fc.subarray([EVENT_DAY - 6, EVENT_DAY - 3, EVENT_DAY], { maxLength: 1 }),
    excluded: fc.subarray([EVENT_DAY - 9, EVENT_DAY - 5, EVENT_DAY - 1], { maxLength: 2 }),
    part: fc.option(fc.tuple(fc.nat(), fc.nat())),
  })
  .map(({ seed, atQuarter, percent, spread, noticeMs, eventDark, pastDark, historyDays, part, ...rest }) => {
    const fromMs = LAST_DAY_MS + atQuarter * QUARTER;
    const count = rest.committed.length;
    const shown = {
      fromMs: dayStart(BERLIN, EVENT_DAY - historyDays),
      toMs: fromMs + 2 * count * QUARTER + DAY,
    };
    const load = loadOf(seed);
    const spreads = noisyLoad(seed + 1, 2 * spread + 1);
    const energyAt = (startMs: number): number => {
      const committed = rest.committed[(startMs - fromMs) / QUARTER] ?? 0;
      const share = percent - spread + (spreads(startMs) ?? 0);
      return load(startMs) - rest.sign * Math.round((committed * share) / 100);
    };
    const first = part === null ? 0 : part[0] % count;
    const end = part === null ? count : first + 1 + (part[1] % (count - first));
    return {
      ...{ ...rest, fromMs, energyAt, issuedAtMs: fromMs - noticeMs, called: [first, end] },
      ...{ shownFromMs: shown.fromMs, shownToMs: shown.toMs },
      dark: apart([
        ...(pastDark === null
          ? []
          : [{ fromMs: fromMs - pastDark[0] - pastDark[1], toMs: fromMs - pastDark[0] }]),
        ...(eventDark === null
          ? []
          : [{ fromMs: fromMs + eventDark[0], toMs: fromMs + eventDark[0] + eventDark[1] }]),
      ]),
    };
  });

/** Two stretches only where a reading fits between them: a whole interval. */
function apart([first, second]: readonly Stretch[]): readonly Stretch[] {
  if (first === undefined) return [];
  return second === undefined || second.fromMs < first.toMs + 2 * QUARTER ? [first] : [first, second];
}

function evidence(of: OracleCase): SettlementEvidence {
  const { fromMs, issuedAtMs, called, shownFromMs, shownToMs, dark } = of;
  const window = { fromMs: fromMs + called[0] * QUARTER, toMs: fromMs + called[1] * QUARTER };
  return evidenceOf({
    ...{ fromMs, issuedAtMs, shownFromMs, shownToMs, dark },
    terms: {
      ...{ direction: of.sign === 1 ? 1 : 2, baselineMethod: of.method, noticeMs: 0 },
      ...(of.holidays.length === 0 ? {} : { holidays: of.holidays }),
      ...(of.excluded.length === 0 ? {} : { excludedDays: of.excluded }),
    },
    deltaMwh: of.committed.map((mwh) => -of.sign * mwh),
    load: of.energyAt,
    calls: [callOf({ ...window, issuedAtMs })],
  });
}

describe("a settlement", () => {
  it("is what its definition says, computed another way", () => {
    const results = new Map<number, number>();
    fc.assert(
      fc.property(anyCase, (of) => {
        const { result, baseline, counted, shortfall, rebound } = oracle(of);
        const settled = settle(evidence(of));
        results.set(result, (results.get(result) ?? 0) + 1);
        expect({
          result: settled.result,
          baseline:
            settled.days.length === 0 ? undefined : settled.intervals.map(({ baselineMwh }) => baselineMwh),
          counted: settled.intervals.map(({ countedMwh }) => countedMwh),
          shortfall: settled.totals.shortfallMwh,
          rebound: settled.totals.reboundMwh,
        }).toEqual({ result, baseline, counted, shortfall, rebound });
      }),
      { numRuns: 130, seed: 20_260_617 },
    );
    expect([...results.keys()].sort()).toEqual([1, 2, 3, 5, 6]);
  });

  it("is not escaped by going dark after the notice: what is lost counts as minus the commitment", () => {
    fc.assert(
      fc.property(anyCase, fc.nat(), fc.integer({ min: 1, max: 4 * 3_600_000 }), (of, after, lengthMs) => {
        const lit = { ...of, dark: [] };
        const endMs = of.fromMs + of.committed.length * QUARTER;
        const fromMs = of.issuedAtMs + 1 + (after % (endMs - of.issuedAtMs - 1));
        const gone = { ...of, dark: [{ fromMs, toMs: Math.min(fromMs + lengthMs, of.shownToMs) }] };
        const [honest, dark] = [lit, gone].map((each) => settle(evidence(each)));
        if (honest === undefined || dark === undefined || honest.days.length === 0) return;
        expect(dark.result).not.toBe(5);
        const isInvalid = dark.result === 6;
        for (const each of dark.intervals.filter(({ called }) => called))
          if (isInvalid || each.missing !== undefined) expect(each.countedMwh).toBe(-each.committedMwh);
        // Whoever delivers the opposite of what is committed, and more than that of it, loses less in the dark.
        const isWorse = honest.intervals.some((each) => each.countedMwh < -each.committedMwh);
        const isLost = dark.intervals.some(({ called, missing }) => called && missing !== undefined);
        if (isLost && !isWorse) expect(dark.totals.countedMwh).toBeLessThanOrEqual(honest.totals.countedMwh);
      }),
      { numRuns: 40, seed: 20_260_618 },
    );
  });

  it("depends on nothing before what it looked back to", () => {
    fc.assert(
      fc.property(anyCase, (of) => {
        const whole = evidence(of);
        const settled = settle(whole);
        const back = settled.lookedBackToMs ?? 0;
        const first = whole.closes.findIndex(({ t1Ms }) => t1Ms > back);
        const closes = whole.closes.slice(Math.max(first - 1, 0));
        expect(settle({ ...whole, closes })).toEqual(settled);
      }),
      { numRuns: 20, seed: 20_260_619 },
    );
  });
});
