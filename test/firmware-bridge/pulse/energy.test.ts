import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { energyMwh, powerMw, stepMwh } from "../../../firmware-bridge/pulse/energy.ts";
import { readingOfFrame } from "../../../firmware-bridge/pulse/pulse-frame.ts";
import { RecentTimes } from "../../../firmware-bridge/pulse/recent-times.ts";

const S = 1_000_000_000n;
const constant = fc.record({
  pulses: fc.integer({ min: 1, max: 100_000 }),
  kwh: fc.integer({ min: 1, max: 1000 }),
});
const count = fc.integer({ min: 0, max: 1_000_000 });

describe("the energy of pulses", () => {
  it.each([
    [0, 1000, 1, 0],
    [1, 1000, 1, 1_000],
    [1, 3, 1, 333_333],
    [2, 3, 1, 666_666],
    [3, 3, 1, 1_000_000],
    [1, 1000, 3, 3_000],
    [7, 1000, 3, 21_000],
    [1, 6400, 1, 156],
    [6400, 6400, 1, 1_000_000],
  ])("%i pulses of %i in %i kWh", (pulsesCounted, pulses, kwh, mwh) => {
    expect(energyMwh(pulsesCounted, { pulses, kwh })).toBe(mwh);
  });

  it("is exact to the mWh below, and does not drift", () => {
    fc.assert(
      fc.property(count, constant, (counted, { pulses, kwh }) => {
        const mwh = BigInt(energyMwh(counted, { pulses, kwh }));
        const exact = BigInt(counted) * 1_000_000n * BigInt(kwh);
        expect(mwh * BigInt(pulses) <= exact && exact < (mwh + 1n) * BigInt(pulses)).toBe(true);
      }),
    );
  });

  it("moves by at most one step a pulse, and never down", () => {
    fc.assert(
      fc.property(count, constant, (counted, of) => {
        const rise = energyMwh(counted + 1, of) - energyMwh(counted, of);
        expect(rise).toBeGreaterThanOrEqual(0);
        expect(rise).toBeLessThanOrEqual(stepMwh(of));
      }),
    );
  });

  it("says when it is more than a reading carries", () => {
    expect(() => energyMwh(10_000_000_000, { pulses: 1, kwh: 1 })).toThrow(
      expect.objectContaining({ code: "pulse-register-range" }),
    );
  });
});

function recentOf(...timesNs: bigint[]): ReturnType<RecentTimes["recent"]> {
  const times = new RecentTimes();
  for (const timeNs of timesNs) times.add(timeNs);
  return times.recent();
}

describe("the power of pulses", () => {
  const wh = { pulses: 1000, kwh: 1 };

  it.each([
    ["3.6 s apart: 1 kW", [0n, 36n * S], 36n * S, 100_000],
    ["at once after the second", [0n, (36n * S) / 10n], (36n * S) / 10n, 1_000_000],
    ["one interval late: half", [0n, (36n * S) / 10n], (108n * S) / 10n, 500_000],
    ["an hour later: 1 W", [0n, (36n * S) / 10n], 3600n * S + (36n * S) / 10n, 1_000],
    ["three within 10 s are taken together", [0n, 2n * S, 6n * S], 6n * S, 1_200_000],
    ["what lies back longer is left out", [0n, 11n * S, 13n * S, 15n * S], 15n * S, 1_800_000],
  ] as const)("%s", (_name, times, atNs, mw) => {
    const recent = recentOf(...times);
    expect(recent).toBeDefined();
    expect(powerMw({ atNs, ...(recent === undefined ? {} : { recent }) }, wh)).toBe(mw);
  });

  it("is not known before two pulses", () => {
    expect(recentOf()).toBeUndefined();
    expect(recentOf(5n)).toBeUndefined();
    expect(powerMw({ atNs: 5n }, wh)).toBeUndefined();
  });

  it("falls while no pulse comes, is never more than one pulse in that time, and not zero at once", () => {
    const gap = fc.bigInt({ min: 40_000_000n, max: 1000n * S });
    fc.assert(
      fc.property(fc.array(gap, { minLength: 1, maxLength: 30 }), gap, gap, (gaps, wait, more) => {
        const times = [0n];
        for (const next of gaps) times.push((times.at(-1) ?? 0n) + next);
        const recent = recentOf(...times);
        if (recent === undefined) throw new Error("two pulses were counted");
        const later = (ns: bigint): number => powerMw({ recent, atNs: recent.lastNs + ns }, wh) ?? -1;
        expect(later(wait + more)).toBeLessThanOrEqual(later(wait));
        expect(later(wait) * Number(wait)).toBeLessThanOrEqual(1000 * 3.6e12);
        expect(later(wait)).toBeGreaterThan(0);
        expect(later(0n)).toBeGreaterThan(0);
      }),
    );
  });

  it("remembers no more than it needs", () => {
    const times = new RecentTimes();
    for (let at = 0n; at < 100n; at += 1n) times.add(at * 60_000_000n);
    expect(times.recent()).toEqual({ intervals: 16, spanNs: 960_000_000n, lastNs: 5_940_000_000n });
  });
});

/** A number as a quotient, both whole, the second above 0. */
interface Quotient {
  readonly over: bigint;
  readonly under: bigint;
}

function quotient(over: bigint | number, under: bigint | number = 1): Quotient {
  return { over: BigInt(over), under: BigInt(under) };
}

function sum(a: Quotient, b: Quotient): Quotient {
  return { over: a.over * b.under + b.over * a.under, under: a.under * b.under };
}

function times(a: Quotient, b: Quotient): Quotient {
  return { over: a.over * b.over, under: a.under * b.under };
}

function isAtMost(a: Quotient, b: Quotient): boolean {
  return a.over * b.under <= b.over * a.under;
}

/** Whether it is the greatest whole number that is not above the quotient. */
function isBelow(whole: number, exact: Quotient): boolean {
  return isAtMost(quotient(whole), exact) && !isAtMost(quotient(BigInt(whole) + 1n), exact);
}

describe("the reading of a frame, against quotients of whole numbers", () => {
  const whole = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max });
  const meters = fc.record({
    ...{
      pulses: whole(999_999_999),
      kwh: whole(999),
      startMwh: fc.nat(10 ** 15 - 1),
      counted: fc.nat(10 ** 9),
    },
    ...{ intervals: whole(16), spanNs: whole(10 ** 12), sinceNs: fc.integer({ min: -1000, max: 10 ** 14 }) },
  });

  it("is the start and every pulse's part of a kWh, and the power of the intervals or of the waiting", () => {
    fc.assert(
      fc.property(meters, ({ pulses, kwh, startMwh, counted, intervals, spanNs, sinceNs }) => {
        const pulseMwh = times(quotient(1_000_000 * kwh), quotient(1, pulses));
        const registerMwh = sum(quotient(startMwh), times(quotient(counted), pulseMwh));
        fc.pre(isAtMost(registerMwh, quotient(Number.MAX_SAFE_INTEGER)));
        const recent = { intervals, spanNs: BigInt(spanNs), lastNs: 10n ** 15n };
        const reading = readingOfFrame({
          ...{
            input: "gpiochip0:17",
            role: "load",
            direction: "import",
            constant: { pulses, kwh },
            startMwh,
          },
          count: { count: counted, atNs: recent.lastNs + BigInt(sinceNs), tooShort: 0, repeated: 0, recent },
        });
        expect(isBelow(reading.importMwh ?? -1, registerMwh)).toBe(true);
        // One mWh in one ns is 3600 s of 1 mW, a billion times in each second.
        const flowing = (count: number, ns: number): Quotient =>
          times(times(quotient(count), pulseMwh), quotient(3_600n * 10n ** 9n, ns));
        const shown = flowing(intervals, spanNs);
        const most = sinceNs > 0 ? flowing(1, sinceNs) : shown;
        const exact = isAtMost(shown, most) ? shown : most;
        const { activePowerMw } = reading;
        if (activePowerMw === undefined) expect(isAtMost(quotient(2n ** 53n), exact)).toBe(true);
        else expect(isBelow(activePowerMw, exact)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});
