import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { challengePattern, patternCount, type Sign } from "../../../attest/flexibility/pattern.ts";
import { isBeyondChance, patternsOf, responseOf } from "../../../attest/flexibility/statistic.ts";
import { nativeSuite } from "../../../attest/native.ts";
import { nonceOf, randomOf } from "../../../bench/challenge-cases.ts";
import { refusalOf } from "../refusal.ts";
import { allPatterns, signText } from "./challenge-kit.ts";

/** The statistic as its docstring has it, in the most literal way. */
function literal(
  means: readonly number[],
  signs: readonly Sign[],
  halfSwingMw: number,
): readonly [bigint, bigint] {
  const most = Math.floor(2.5 * halfSwingMw);
  let [twice, changes] = [0n, 0n];
  for (let k = 1; k < means.length; k++) {
    const rise = Math.min(most, Math.max(-most, (means[k] ?? 0) - (means[k - 1] ?? 0)));
    const change = (signs[k] ?? 0) - (signs[k - 1] ?? 0);
    twice += BigInt(change) * BigInt(rise);
    changes += change === 0 ? 0n : 1n;
  }
  return [twice / 2n, changes];
}

/** Whether one T / sqrt(R) is at least another, by squares and signs. */
function isAtLeast([t, r]: readonly [bigint, bigint], [t0, r0]: readonly [bigint, bigint]): boolean {
  const [one, other] = [t * (t < 0n ? -t : t) * r0, t0 * (t0 < 0n ? -t0 : t0) * r];
  return one >= other;
}

const PATTERNS = new Map([4, 6, 8, 10].map((steps) => [steps, allPatterns(steps)]));
const series = fc
  .constantFrom(4, 6, 8, 10)
  .chain((steps) =>
    fc.tuple(
      fc.array(fc.oneof(fc.integer({ min: -5, max: 5 }), fc.integer({ min: -1e12, max: 1e12 })), {
        minLength: steps,
        maxLength: steps,
      }),
      fc.nat(patternCount(steps) - 1),
      fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 1e12 })),
    ),
  )
  .map(([means, rank, halfSwingMw]) => ({
    means,
    halfSwingMw,
    signs: PATTERNS.get(means.length)?.[rank] ?? [],
  }));

describe("the statistic of a challenge", () => {
  it("counts what going through all patterns counts", () => {
    fc.assert(
      fc.property(series, ({ means, signs, halfSwingMw }) => {
        const all = PATTERNS.get(means.length) ?? [];
        const own = literal(means, signs, halfSwingMw);
        const others = all.map((each) => literal(means, each, halfSwingMw));
        const { p, reversedP, statisticMw } = responseOf(means, signs, halfSwingMw);
        expect(BigInt(statisticMw)).toBe(own[0]);
        expect(p).toEqual({ count: others.filter((each) => isAtLeast(each, own)).length, of: all.length });
        expect(reversedP.count).toBe(others.filter((each) => isAtLeast(own, each)).length);
      }),
      { numRuns: 200 },
    );
  });

  it("is below a level no more often than that level, over all patterns that could have been drawn", () => {
    fc.assert(
      fc.property(series, ({ means, halfSwingMw }) => {
        const all = PATTERNS.get(means.length) ?? [];
        const counts = all
          .map((signs) => responseOf(means, signs, halfSwingMw).p.count)
          .sort((a, b) => a - b);
        for (const [at, count] of counts.entries()) expect(count).toBeGreaterThan(at);
      }),
      { numRuns: 25 },
    );
  });

  it("does not see a constant, and sees the opposite as the opposite", () => {
    fc.assert(
      fc.property(
        series,
        fc.integer({ min: -1e12, max: 1e12 }),
        ({ means, signs, halfSwingMw }, constant) => {
          const response = responseOf(means, signs, halfSwingMw);
          const moved = means.map((mean) => mean + constant);
          expect(responseOf(moved, signs, halfSwingMw)).toEqual(response);
          const turned = means.map((mean) => 0 - mean);
          const opposite = responseOf(turned, signs, halfSwingMw);
          expect(opposite.p).toEqual(response.reversedP);
          expect(opposite.statisticMw + response.statisticMw).toBe(0);
          expect(opposite.gainPpm + response.gainPpm).toBe(0);
        },
      ),
      { numRuns: 100 },
    );
  });

  it("is met by no other pattern where a device follows exactly, whatever the pattern", () => {
    for (const steps of [14, 16, 20, 24])
      for (let seed = 0; seed < 25; seed++) {
        const signs = challengePattern(nativeSuite, nonceOf(seed, steps), steps);
        const means = signs.map((sign) => 123_456 + sign * 1_500_000);
        const { p, reversedP, gainPpm } = responseOf(means, signs, 1_500_000);
        expect(p).toEqual({ count: 1, of: patternCount(steps) });
        expect(reversedP).toEqual({ count: p.of, of: p.of });
        expect(gainPpm).toBe(1_000_000);
      }
  });

  it("counts all 2,704,156 patterns of 24 steps", () => {
    const random = randomOf(1);
    const parts = Array.from({ length: 24 }, () => Math.floor(random() * 1e9));
    expect(patternsOf(parts).atLeast(() => 0)).toBe(2_704_156);
    expect(patternsOf(parts).atLeast(() => 24e9)).toBe(0);
    const half = parts.reduce((sum, part) => sum + part, 0) / 2;
    const more = patternsOf(parts).atLeast(() => Math.floor(half) + 1);
    const less = patternsOf(parts.map((part) => 0 - part)).atLeast(() => Math.floor(-half) + 1);
    const even = 2_704_156 - more - less;
    // Whatever is taken, what is left has the rest: as many are above the middle as below it.
    expect([more, even]).toEqual([less, patternsOf(parts).atLeast(() => half) - more]);
  });

  it("agrees with drawing patterns at random, at 24 steps", () => {
    const random = randomOf(2);
    const drift = Array.from({ length: 24 }, (_, at) => Math.floor(random() * 3e6) + 100_000 * at);
    const signs = challengePattern(nativeSuite, nonceOf(3, 24), 24);
    const means = drift.map((mean, at) => mean + 300_000 * (signs[at] ?? 0));
    const { p } = responseOf(means, signs, 1_500_000);
    const own = literal(means, signs, 1_500_000);
    const draws = 4000;
    let atLeast = 0;
    for (let seed = 0; seed < draws; seed++) {
      const other = challengePattern(nativeSuite, nonceOf(seed, 77), 24);
      if (isAtLeast(literal(means, other, 1_500_000), own)) atLeast += 1;
    }
    const share = p.count / p.of;
    expect(share).toBeGreaterThan(0.005);
    expect(share).toBeLessThan(0.9);
    expect(Math.abs(atLeast / draws - share)).toBeLessThan(4 * Math.sqrt((share * (1 - share)) / draws));
  });

  it("reaches 1 in 1000 from 14 steps on and not before", () => {
    expect(isBeyondChance({ count: 1, of: patternCount(12) })).toBe(false);
    expect(isBeyondChance({ count: 1, of: patternCount(14) })).toBe(true);
    expect(isBeyondChance({ count: 2704, of: patternCount(24) })).toBe(true);
    expect(isBeyondChance({ count: 2705, of: patternCount(24) })).toBe(false);
  });

  it("refuses signs that do not fit", () => {
    expect(refusalOf(() => responseOf([1, 2], [1, 1], 5))).toBe("challenge-steps");
    expect(refusalOf(() => responseOf([1, 2, 3, 4], [1, -1], 5))).toBe("challenge-steps");
  });
});

describe("signs as text", () => {
  it("are what the patterns of the tests go through once each", () => {
    for (const [steps, patterns] of PATTERNS)
      expect(new Set(patterns.map(signText)).size).toBe(patternCount(steps));
  });
});
