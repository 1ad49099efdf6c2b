/** A decimal number: digits times ten to the exponent. */
export interface Decimal {
  readonly digits: bigint;
  readonly exponent: number;
}

/** The number in plain digits, nothing rounded: `{ 12565n, -3 }` gives `12.565`, `{ 35n, 3 }` gives `35000`. */
export function decimalText({ digits, exponent }: Decimal): string {
  if (exponent >= 0) return (digits * 10n ** BigInt(exponent)).toString();
  const sign = digits < 0n ? "-" : "";
  const printed = (digits < 0n ? -digits : digits).toString().padStart(1 - exponent, "0");
  return `${sign}${printed.slice(0, exponent)}.${printed.slice(exponent)}`;
}

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

/**
 * Type H: the exact value of an IEEE 754 binary32, least significant byte first. A power of two below one has a
 * finite decimal expansion, 2^-k = 5^k / 10^k, so that nothing is rounded. Text for what is no number.
 */
export function real32(bytes: Uint8Array): Decimal | "NaN" | "Infinity" | "-Infinity" {
  const bits = Number(unsignedInteger(bytes));
  const biased = (bits >>> 23) & 0xff;
  const fraction = bits & 0x7fffff;
  const negative = bits >= 0x80000000;
  if (biased === 0xff) return fraction !== 0 ? "NaN" : negative ? "-Infinity" : "Infinity";
  let mantissa = BigInt(biased === 0 ? fraction : fraction | 0x800000);
  let power = (biased === 0 ? 1 : biased) - 150;
  if (mantissa === 0n) return { digits: 0n, exponent: 0 };
  while (power < 0 && mantissa % 2n === 0n) {
    mantissa /= 2n;
    power += 1;
  }
  const signed = negative ? -mantissa : mantissa;
  if (power >= 0) return { digits: signed << BigInt(power), exponent: 0 };
  return { digits: signed * 5n ** BigInt(-power), exponent: power };
}

/** Type H: the distance from a number to the next larger one of the same power of two. */
export function realStep32(bytes: Uint8Array): number {
  const biased = Number((unsignedInteger(bytes) >> 23n) & 0xffn);
  return 2 ** (Math.max(biased, 1) - 150);
}
