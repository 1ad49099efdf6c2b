import { Problem } from "../problem.ts";

/** An exact fraction in lowest terms; the denominator is above 0. */
export interface Rational {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

export const ZERO: Rational = { numerator: 0n, denominator: 1n };
const PPM = 1_000_000n;

/** `numerator / denominator` in lowest terms. Throws Problem `baseline-range` for a denominator of 0. */
export function rational(numerator: bigint, denominator = 1n): Rational {
  if (denominator === 0n) throw new Problem("baseline-range", "a fraction over 0");
  const common = greatestCommonDivisor(numerator, denominator);
  const divisor = denominator < 0n ? -common : common;
  return { numerator: numerator / divisor, denominator: denominator / divisor };
}

/** A safe integer as a fraction. */
export function whole(value: number): Rational {
  return { numerator: BigInt(value), denominator: 1n };
}

export function plus(a: Rational, b: Rational): Rational {
  return rational(a.numerator * b.denominator + b.numerator * a.denominator, a.denominator * b.denominator);
}

export function minus(a: Rational, b: Rational): Rational {
  return plus(a, { numerator: -b.numerator, denominator: b.denominator });
}

export function times(a: Rational, b: Rational): Rational {
  return rational(a.numerator * b.numerator, a.denominator * b.denominator);
}

/** Throws Problem `baseline-range` for `b` = 0. */
export function over(a: Rational, b: Rational): Rational {
  return rational(a.numerator * b.denominator, a.denominator * b.numerator);
}

export function magnitude(a: Rational): Rational {
  return a.numerator < 0n ? { numerator: -a.numerator, denominator: a.denominator } : a;
}

/** Below 0 where `a` is less than `b`, 0 where they are equal. */
export function compare(a: Rational, b: Rational): number {
  const difference = a.numerator * b.denominator - b.numerator * a.denominator;
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

export function clamp(value: Rational, least: Rational, most: Rational): Rational {
  if (compare(value, least) < 0) return least;
  return compare(value, most) > 0 ? most : value;
}

export function sum(values: readonly Rational[]): Rational {
  return values.reduce(plus, ZERO);
}

/**
 * The nearest integer, a half towards plus infinity whatever the sign: floor(value + 1/2). The one rounding of a
 * baseline. Throws Problem `baseline-range` outside the safe integers.
 */
export function roundHalfUp(value: Rational): number {
  const { numerator, denominator } = value;
  return safe(floorOver(2n * numerator + denominator, 2n * denominator));
}

/** In parts per million, rounded as {@link roundHalfUp} does. */
export function ppmOf(value: Rational): number {
  return roundHalfUp(times(value, { numerator: PPM, denominator: 1n }));
}

/** The square root of `square` in parts per million, to the nearest, without ever leaving the integers. */
export function rootPpmOf(square: Rational): number {
  const { numerator, denominator } = square;
  const doubled = floorOver(4n * PPM * PPM * numerator, denominator);
  return safe((integerRoot(doubled) + 1n) / 2n); // floor(x + 1/2) = floor((floor(2x) + 1) / 2)
}

function safe(value: bigint): number {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  throw new Problem("baseline-range", "too large a number", {
    expected: "at most 2^53 - 1",
    got: String(value),
  });
}

function floorOver(numerator: bigint, denominator: bigint): bigint {
  const quotient = numerator / denominator;
  return numerator < 0n && quotient * denominator !== numerator ? quotient - 1n : quotient;
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  let [x, y] = [a < 0n ? -a : a, b < 0n ? -b : b];
  while (y !== 0n) [x, y] = [y, x % y];
  return x;
}

/** floor(sqrt(value)) by Newton's method from above. */
function integerRoot(value: bigint): bigint {
  if (value === 0n) return 0n;
  let root = 1n << BigInt((value.toString(2).length + 1) >> 1);
  for (let next = (root + value / root) >> 1n; next < root; next = (root + value / root) >> 1n) root = next;
  return root;
}
