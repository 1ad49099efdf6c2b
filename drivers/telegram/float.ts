import type { Decimal } from "./text.ts";

/**
 * The exact decimal number of an IEEE 754 value: m times 2 to a negative exponent is m times a power of five, in that
 * power of ten. Nothing is rounded: 230.1 as it was sent in four bytes is 230.100006103515625.
 *
 * @returns undefined for what is no number
 */
export function floatOf(bits: bigint, size: 4 | 8): Decimal | undefined {
  const fractionBits = size === 4 ? 23 : 52;
  const exponentMask = size === 4 ? 0xff : 0x7ff;
  const fraction = bits & ((1n << BigInt(fractionBits)) - 1n);
  const biased = Number(bits >> BigInt(fractionBits)) & exponentMask;
  if (biased === exponentMask) return undefined;
  // Subnormal numbers have no hidden bit, and the exponent of the smallest normal ones.
  const magnitude = biased === 0 ? fraction : fraction | (1n << BigInt(fractionBits));
  const power = Math.max(biased, 1) - (exponentMask >>> 1) - fractionBits;
  const negative = bits >> BigInt(size * 8 - 1) === 1n;
  return decimalOf(negative ? -magnitude : magnitude, power);
}

function decimalOf(mantissa: bigint, power: number): Decimal {
  let [digits, twos] = [mantissa, power];
  while (twos < 0 && digits !== 0n && (digits & 1n) === 0n) [digits, twos] = [digits >> 1n, twos + 1];
  if (digits === 0n) return { digits: 0n, exponent: 0 };
  if (twos >= 0) return { digits: digits << BigInt(twos), exponent: 0 };
  return { digits: digits * 5n ** BigInt(-twos), exponent: twos };
}
