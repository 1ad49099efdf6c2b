import { magnitudeUp, ONE, type Rational, times, truncated } from "./rational.ts";

export type IntegerType = "u16" | "s16" | "u32" | "s32" | "u64" | "s64";
export type NumberType = IntegerType | "float32" | "float64" | "bcd";

/** How a value lies in its registers. */
export interface RegisterLayout {
  /** Which register comes first; "big": the one with the most significant bits. Default "big". */
  readonly wordOrder?: "big" | "little";
  /** Which byte of a register comes first. Default "big", as the standard has it (v1.1b3, 4.2). */
  readonly byteOrder?: "big" | "little";
}

/** A number in a block of registers. */
export interface NumberField extends RegisterLayout {
  /** Registers before it in the block. */
  readonly offset: number;
  readonly type: NumberType;
  /** Registers that it takes; only a "bcd" has to say, 1 to 4. */
  readonly registers?: number;
  /** Bit patterns that mean "not implemented", as unsigned integers after both orders have been undone. */
  readonly notImplemented?: readonly bigint[];
}

/** A text in a block of registers, two characters in each. */
export interface TextField {
  readonly offset: number;
  readonly registers: number;
  readonly byteOrder?: "big" | "little";
}

/** Bits of an integer; bit 0 is the least significant one. */
export interface BitField extends RegisterLayout {
  readonly offset: number;
  readonly type: "u16" | "u32" | "u64";
  readonly lowest: number;
  readonly width: number;
}

/** A value, or why there is none. */
export type Decoded<T> = { readonly value: T } | { readonly absent: string };

/** A number as the device holds it, and the difference to the next one that it could hold. */
export interface ExactNumber {
  readonly value: Rational;
  readonly step: Rational;
}

/** A number in the units of a reading, cut off toward zero, with the step that it comes in: at least 1. */
export interface ScaledNumber {
  readonly value: number;
  readonly resolution: number;
}

const WIDTHS: Readonly<Record<Exclude<NumberType, "bcd">, number>> = {
  u16: 1,
  s16: 1,
  u32: 2,
  s32: 2,
  float32: 2,
  u64: 4,
  s64: 4,
  float64: 4,
};

const MOST_BCD_REGISTERS = 4;

/** Registers that a number takes. */
export function widthOf({ type, registers }: Pick<NumberField, "type" | "registers">): number {
  return type === "bcd" ? Math.min(registers ?? 2, MOST_BCD_REGISTERS) : WIDTHS[type];
}

/** The number of a field, exactly as it is in the registers. Absent: beyond the block, not implemented, no number. */
export function decodeNumber(block: Uint16Array, field: NumberField): Decoded<ExactNumber> {
  const width = widthOf(field);
  const bits = bitsOf(block, { ...field, width });
  if (bits === undefined) return beyond(block, field.offset + width);
  if (field.notImplemented?.includes(bits)) return { absent: "not implemented" };
  switch (field.type) {
    case "float32":
      return decodeFloat(bits, { exponentBits: 8, fractionBits: 23 });
    case "float64":
      return decodeFloat(bits, { exponentBits: 11, fractionBits: 52 });
    case "bcd":
      return decodeBcd(bits, width);
    case "s16":
    case "s32":
    case "s64":
      return whole(BigInt.asIntN(16 * width, bits));
    case "u16":
    case "u32":
    case "u64":
      return whole(bits);
  }
}

/** Up to the first NUL and without blanks around it; absent when empty, or nothing but 0xFF. */
export function decodeText(block: Uint16Array, { offset, registers, byteOrder }: TextField): Decoded<string> {
  if (offset + registers > block.length) return beyond(block, offset + registers);
  const bytes = new Uint8Array(2 * registers);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < registers; at++)
    view.setUint16(2 * at, block[offset + at] ?? 0, byteOrder === "little");
  const end = bytes.indexOf(0);
  const text = new TextDecoder("utf-8").decode(end < 0 ? bytes : bytes.subarray(0, end)).trim();
  if (text === "" || bytes.every((byte) => byte === 0xff)) return { absent: "empty" };
  return { value: text };
}

/** Some bits of an integer, as an unsigned number. */
export function decodeBits(block: Uint16Array, field: BitField): Decoded<bigint> {
  const width = WIDTHS[field.type];
  const bits = bitsOf(block, { ...field, width });
  if (bits === undefined) return beyond(block, field.offset + width);
  return { value: BigInt.asUintN(field.width, bits >> BigInt(field.lowest)) };
}

/**
 * The number in units of a reading: mW, mWh, mV. `scale` is what one of the device's units is in them, so 1000000 for
 * a register in kWh that is wanted in mWh. Absent when it does not fit a safe integer.
 */
export function scaled({ value, step }: ExactNumber, scale: Rational): Decoded<ScaledNumber> {
  const result = Number(truncated(times(value, scale)));
  const resolution = Math.max(1, Number(magnitudeUp(times(step, scale))));
  if (!Number.isSafeInteger(result) || !Number.isSafeInteger(resolution))
    return { absent: `too large: ${result}` };
  return { value: { value: result, resolution } };
}

/** The bits of a value as an unsigned integer; undefined beyond the block. */
function bitsOf(
  block: Uint16Array,
  { offset, width, wordOrder, byteOrder }: RegisterLayout & { offset: number; width: number },
): bigint | undefined {
  if (offset < 0 || offset + width > block.length) return undefined;
  const words = [...block.subarray(offset, offset + width)];
  if (wordOrder === "little") words.reverse();
  return words.reduce(
    (bits, word) => (bits << 16n) | BigInt(byteOrder === "little" ? swapped(word) : word),
    0n,
  );
}

function swapped(word: number): number {
  return ((word & 0xff) << 8) | (word >> 8);
}

function beyond(block: Uint16Array, end: number): { readonly absent: string } {
  return { absent: `beyond the block: ${end} registers needed, ${block.length} there` };
}

function whole(value: bigint): Decoded<ExactNumber> {
  return { value: { value: { numerator: value, denominator: 1n }, step: ONE } };
}

/** Eight-four-two-one code, a digit every four bits, the most significant first. */
function decodeBcd(bits: bigint, width: number): Decoded<ExactNumber> {
  const digits = bits.toString(16).padStart(4 * width, "0");
  return /^\d+$/.test(digits) ? whole(BigInt(digits)) : { absent: `not decimal digits: ${digits}` };
}

/** IEEE 754: sign, exponent, fraction; every such number is an integer times a power of two, and so is its step. */
function decodeFloat(
  bits: bigint,
  { exponentBits, fractionBits }: { exponentBits: number; fractionBits: number },
): Decoded<ExactNumber> {
  const fraction = BigInt.asUintN(fractionBits, bits);
  const exponent = Number(BigInt.asUintN(exponentBits, bits >> BigInt(fractionBits)));
  if (exponent === 2 ** exponentBits - 1) return { absent: fraction === 0n ? "infinite" : "not a number" };
  const negative = bits >> BigInt(exponentBits + fractionBits) === 1n;
  const significand = exponent === 0 ? fraction : fraction | (1n << BigInt(fractionBits));
  const bias = 2 ** (exponentBits - 1) - 1;
  const step = powerOfTwo(Math.max(exponent, 1) - bias - fractionBits);
  const numerator = (negative ? -significand : significand) * step.numerator;
  return { value: { value: { numerator, denominator: step.denominator }, step } };
}

function powerOfTwo(exponent: number): Rational {
  return exponent >= 0
    ? { numerator: 1n << BigInt(exponent), denominator: 1n }
    : { numerator: 1n, denominator: 1n << BigInt(-exponent) };
}
