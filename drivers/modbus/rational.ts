import { Problem } from "../../attest/problem.ts";

/** An exact number. The denominator is positive. */
export interface Rational {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

export const ONE: Rational = { numerator: 1n, denominator: 1n };

const DECIMAL = /^([+-]?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,3}))?$/;

/**
 * A decimal or a fraction as it is written: "0.1", "-2.5e-3", "1/3". A number is taken as the shortest decimal that
 * means it.
 *
 * @throws Problem `modbus-scale`
 */
export function rational(text: string | number): Rational {
  const [over, under, more] = String(text).split("/");
  const numerator = decimal(over ?? "");
  const denominator = under === undefined ? ONE : decimal(under);
  if (
    numerator === undefined ||
    denominator === undefined ||
    more !== undefined ||
    denominator.numerator <= 0n
  )
    throw new Problem("modbus-scale", "not a scale", {
      expected: 'a decimal or a fraction, such as "0.1", "1e3" or "1/3"',
      got: JSON.stringify(text),
    });
  return {
    numerator: numerator.numerator * denominator.denominator,
    denominator: numerator.denominator * denominator.numerator,
  };
}

export function times(a: Rational, b: Rational): Rational {
  return { numerator: a.numerator * b.numerator, denominator: a.denominator * b.denominator };
}

export function plus(a: Rational, b: Rational): Rational {
  return {
    numerator: a.numerator * b.denominator + b.numerator * a.denominator,
    denominator: a.denominator * b.denominator,
  };
}

export function negated({ numerator, denominator }: Rational): Rational {
  return { numerator: -numerator, denominator };
}

/** Below 0 when `a` is less than `b`, above 0 when it is more. */
export function compare(a: Rational, b: Rational): bigint {
  return a.numerator * b.denominator - b.numerator * a.denominator;
}

/** For messages, and where a nearby number will do. */
export function approximate({ numerator, denominator }: Rational): number {
  return Number(numerator) / Number(denominator);
}

/** Cut off toward zero: what is left never says more than there is. */
export function truncated({ numerator, denominator }: Rational): bigint {
  return numerator / denominator;
}

/** The least integer that is not below the value's magnitude. */
export function magnitudeUp({ numerator, denominator }: Rational): bigint {
  const magnitude = numerator < 0n ? -numerator : numerator;
  return (magnitude + denominator - 1n) / denominator;
}

function decimal(text: string): Rational | undefined {
  const parts = DECIMAL.exec(text.trim());
  if (parts === null) return undefined;
  const [, sign = "", whole = "", fraction = "", power = "0"] = parts;
  const digits = BigInt(`${whole}${fraction}`) * (sign === "-" ? -1n : 1n);
  const exponent = Number(power) - fraction.length;
  return exponent >= 0
    ? { numerator: digits * 10n ** BigInt(exponent), denominator: 1n }
    : { numerator: digits, denominator: 10n ** BigInt(-exponent) };
}
