import { describe, expect, it } from "vitest";
import { challengePattern, challengeSteps, patternCount } from "../../../attest/flexibility/pattern.ts";
import { nativeSuite } from "../../../attest/native.ts";
import { portableSuite } from "../../../attest/portable.ts";
import { nonceOf } from "../../../bench/challenge-cases.ts";
import { refusalOf } from "../refusal.ts";
import { allPatterns, signText } from "./challenge-kit.ts";

/** Written down from a program in Python (hashlib, math.comb) that follows the docstring and nothing else. */
const VECTORS: readonly (readonly [nonce: string, steps: number, pattern: string])[] = [
  ["counting", 8, "++++----"],
  ["counting", 14, "+-+-+-++--+-+-"],
  ["counting", 16, "+-+--+---+-++-++"],
  ["counting", 20, "-+-++-++-+++----+-+-"],
  ["counting", 24, "+++----+++-++----++-+--+"],
  ["00", 24, "-+---++----+--+-+-++++++"],
  ["ff", 24, "++----+-+--++-+++--++-+-"],
  ["first word refused", 24, "++-++-++----++--+++-+---"],
];
const NONCES: Readonly<Record<string, Uint8Array>> = {
  counting: Uint8Array.from({ length: 32 }, (_, at) => at),
  "00": new Uint8Array(32),
  ff: new Uint8Array(32).fill(0xff),
  "first word refused": Uint8Array.from({ length: 32 }, (_, at) => (at === 31 ? 245 : 0)),
};

function nonceNamed(name: string): Uint8Array {
  return NONCES[name] ?? new Uint8Array(0);
}

describe("the pattern of a challenge", () => {
  it.each(VECTORS)("of nonce %s with %i steps is what another language gets", (name, steps, pattern) => {
    for (const suite of [nativeSuite, portableSuite])
      expect(signText(challengePattern(suite, nonceNamed(name), steps))).toBe(pattern);
  });

  it("has as many steps above as below, for every number of steps", () => {
    for (let steps = 2; steps <= 24; steps += 2)
      for (let seed = 0; seed < 20; seed++) {
        const signs: readonly number[] = challengePattern(nativeSuite, nonceOf(seed, steps), steps);
        expect(signs).toHaveLength(steps);
        expect(signs.reduce((sum, sign) => sum + sign, 0)).toBe(0);
      }
  });

  it("is each of the 70 of 8 steps about as often", () => {
    const counts = new Map(allPatterns(8).map((signs) => [signText(signs), 0]));
    const draws = 14_000;
    for (let seed = 0; seed < draws; seed++) {
      const text = signText(challengePattern(nativeSuite, nonceOf(seed, 8), 8));
      counts.set(text, (counts.get(text) ?? 0) + 1);
    }
    expect(counts.size).toBe(patternCount(8));
    const mean = draws / counts.size;
    const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - mean) ** 2 / mean, 0);
    // 69 degrees of freedom: 99.9 % of fair draws stay below 111.1, and 0.1 % fall below 38.3.
    expect(chiSquare).toBeLessThan(111.1);
    expect(chiSquare).toBeGreaterThan(38.3);
  });

  it("says nothing of a later step by an earlier one but what balance does", () => {
    const draws = 4000;
    let same = 0;
    for (let seed = 0; seed < draws; seed++) {
      const signs = challengePattern(nativeSuite, nonceOf(seed, 24), 24);
      if (signs[11] === signs[12]) same += 1;
    }
    // 11 of the 23 others are like it: 0.4783, with a standard deviation of 0.0079.
    expect(Math.abs(same / draws - 11 / 23)).toBeLessThan(0.0261);
  });

  it("gives each step the middle and half a swing", () => {
    const order = { nonce: nonceNamed("counting"), steps: 8, midMw: -200, halfSwingMw: 500 };
    expect(challengeSteps(nativeSuite, order)).toEqual([300, 300, 300, 300, -700, -700, -700, -700]);
  });

  it("is refused for other numbers of steps and other nonces", () => {
    for (const steps of [0, 1, 15, 26, 2.5])
      expect(refusalOf(() => challengePattern(nativeSuite, nonceNamed("00"), steps))).toBe("challenge-steps");
    expect(refusalOf(() => challengePattern(nativeSuite, new Uint8Array(31), 8))).toBe("challenge-nonce");
  });
});
