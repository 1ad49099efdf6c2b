import { floatOf } from "../telegram/float.ts";
import type { Decimal } from "../telegram/text.ts";

/** Type C: least significant byte first (EN 13757-3, Annex A). */
export function unsignedInteger(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

/** Type B: two's complement of as many bytes as there are, least significant first (EN 13757-3, Annex A). */
export function signedInteger(bytes: Uint8Array): bigint {
  return BigInt.asIntN(bytes.length * 8, unsignedInteger(bytes));
}

/** The bytes from the most significant on: for BCD, the digits in reading order. */
export function nibbles(bytes: Uint8Array): string {
  return Buffer.from(bytes).reverse().toString("hex").toUpperCase();
}

/**
 * Type A. Meters put F into the top digit for minus; any other digit above 9 is none, and the value then is no
 * number: `undefined` (EN 13757-3, Annex A and B; seen in rscada/libmbus issue 191).
 */
export function bcdInteger(bytes: Uint8Array): bigint | undefined {
  const digits = nibbles(bytes);
  const negative = digits.startsWith("F");
  const magnitude = negative ? digits.slice(1) : digits;
  if (!/^\d+$/.test(magnitude)) return undefined;
  return negative ? -BigInt(magnitude) : BigInt(magnitude);
}

/** Type H: the exact value of an IEEE 754 binary32, least significant byte first. Text for what is no number. */
export function real32(bytes: Uint8Array): Decimal | "NaN" | "Infinity" | "-Infinity" {
  const bits = unsignedInteger(bytes);
  const value = floatOf(bits, 4);
  if (value !== undefined) return value;
  if ((bits & 0x7fffffn) !== 0n) return "NaN";
  return bits >= 0x80000000n ? "-Infinity" : "Infinity";
}

/** Type H: the distance from a number to the next larger one of the same power of two. */
export function realStep32(bytes: Uint8Array): number {
  const biased = Number((unsignedInteger(bytes) >> 23n) & 0xffn);
  return 2 ** (Math.max(biased, 1) - 150);
}
