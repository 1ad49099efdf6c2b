import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  clamp,
  compare,
  minus,
  over,
  plus,
  ppmOf,
  rational,
  rootPpmOf,
  roundHalfUp,
  times,
  whole,
} from "../../../attest/baseline/rational.ts";
import { refusalOf } from "../refusal.ts";

const numerators = fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n });
const denominators = fc.bigInt({ min: 1n, max: 10n ** 9n });

describe("exact fractions", () => {
  it("are in lowest terms over a positive number", () => {
    expect(rational(-6n, -4n)).toEqual({ numerator: 3n, denominator: 2n });
    expect(rational(6n, -4n)).toEqual({ numerator: -3n, denominator: 2n });
    expect(rational(0n, -7n)).toEqual({ numerator: 0n, denominator: 1n });
    expect(refusalOf(() => rational(1n, 0n))).toBe("baseline-range");
    expect(refusalOf(() => over(whole(1), whole(0)))).toBe("baseline-range");
  });

  it("add, subtract, multiply and divide as fractions do", () => {
    const [half, third] = [rational(1n, 2n), rational(1n, 3n)];
    expect(plus(half, third)).toEqual(rational(5n, 6n));
    expect(minus(third, half)).toEqual(rational(-1n, 6n));
    expect(times(half, third)).toEqual(rational(1n, 6n));
    expect(over(half, third)).toEqual(rational(3n, 2n));
    expect(clamp(half, third, third)).toEqual(third);
    expect(compare(minus(third, half), whole(0))).toBe(-1);
  });

  it.each([
    [1n, 2n, 1],
    [-1n, 2n, 0],
    [-3n, 2n, -1],
    [5n, 4n, 1],
    [-5n, 4n, -1],
    [7n, 4n, 2],
  ])("%i/%i rounds half up to %i", (numerator, denominator, expected) => {
    expect(roundHalfUp(rational(numerator, denominator))).toBe(expected);
  });

  it("round to the one integer r with r - 1/2 <= x < r + 1/2", () => {
    fc.assert(
      fc.property(numerators, denominators, (numerator, denominator) => {
        const rounded = BigInt(roundHalfUp(rational(numerator, denominator)));
        expect((2n * rounded - 1n) * denominator <= 2n * numerator).toBe(true);
        expect(2n * numerator < (2n * rounded + 1n) * denominator).toBe(true);
      }),
    );
  });

  it("refuse what no safe integer holds", () => {
    expect(refusalOf(() => roundHalfUp(rational(2n ** 53n)))).toBe("baseline-range");
    expect(roundHalfUp(rational(2n ** 53n - 1n))).toBe(Number.MAX_SAFE_INTEGER);
  });

  it("give parts per million, also of a square root", () => {
    expect(ppmOf(rational(-1n, 3n))).toBe(-333_333);
    expect(rootPpmOf(rational(1n, 25n))).toBe(200_000);
    expect(rootPpmOf(rational(2n))).toBe(1_414_214); // sqrt 2 = 1.41421356...
    expect(rootPpmOf(rational(0n))).toBe(0);
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 12n }), denominators, (numerator, denominator) => {
        const root = BigInt(rootPpmOf(rational(numerator, denominator)));
        const scaled = 4n * 10n ** 12n * numerator; // (2 root - 1)^2 <= 4 * 10^12 x < (2 root + 1)^2
        if (root > 0n) expect((2n * root - 1n) ** 2n * denominator <= scaled).toBe(true);
        expect(scaled < (2n * root + 1n) ** 2n * denominator).toBe(true);
      }),
    );
  });
});
