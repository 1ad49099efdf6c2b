import { compare, type Rational } from "../modbus/rational.ts";
import type { ProfilePoint, WordOrder } from "../profile/profile.ts";

/** How a point's bits lie in its registers. */
export interface WordLayout {
  readonly type: ProfilePoint["type"];
  /** Registers that it takes. */
  readonly registers: number;
  readonly wordOrder: WordOrder;
  readonly byteOrder: WordOrder;
  /** Lowest bit and number of bits, where it is only a part of its registers. */
  readonly bits?: readonly [number, number];
  /** Patterns that mean that there is no value. */
  readonly notImplemented: ReadonlySet<bigint>;
}

/** The bits of a value in steps of the register, and the steps that they mean. */
export interface Pattern {
  readonly bits: bigint;
  readonly steps: Rational;
}

/** Registers as a point sets them; where a mask has no bit, another point may have its own. */
export interface MaskedWords {
  readonly words: readonly number[];
  readonly masks: readonly number[];
}

const ZERO: Rational = { numerator: 0n, denominator: 1n };
const REGISTERS: Readonly<Record<string, number>> = {
  ...{ u16: 1, s16: 1, u32: 2, s32: 2, float32: 2, u64: 4, s64: 4, float64: 4, bcd: 2, text: 1 },
};
/** Values in a row that mean "none"; no device has so many. */
const MOST_SKIPPED = 16;
/** Hexadecimal digits of an integer that a number still holds, roughly: 2^1024 is beyond. */
const MOST_DIGITS = 200;

/** Layout of a point with the profile's own orders filled in. */
export function layoutOf(
  point: ProfilePoint,
  orders: Partial<Pick<WordLayout, "wordOrder" | "byteOrder">>,
): WordLayout {
  const { type, registers, bits, notImplemented } = point;
  const sized = type === "bcd" || type === "text" ? registers : undefined;
  return {
    type,
    registers: sized ?? REGISTERS[type] ?? 1,
    wordOrder: point.wordOrder ?? orders.wordOrder ?? "big",
    byteOrder: point.byteOrder ?? orders.byteOrder ?? "big",
    ...(bits === undefined ? {} : { bits }),
    notImplemented: new Set(notImplemented.map(BigInt)),
  };
}

/** The least and the most steps that the registers can show. */
export function stepRange({ type, registers, bits }: WordLayout): readonly [Rational, Rational] {
  const whole = (least: bigint, most: bigint): readonly [Rational, Rational] => [of(least), of(most)];
  const width = BigInt(bits?.[1] ?? 16 * registers);
  switch (type) {
    case "u16":
    case "u32":
    case "u64":
      return whole(0n, (1n << width) - 1n);
    case "s16":
    case "s32":
    case "s64":
      return whole(-(1n << (width - 1n)), (1n << (width - 1n)) - 1n);
    case "bcd":
      return whole(0n, 10n ** BigInt(4 * registers) - 1n);
    case "float32":
    case "float64":
      return whole(-(10n ** 30n), 10n ** 30n);
    case "text":
      return [ZERO, ZERO];
  }
}

/**
 * The pattern of a number of steps, cut off toward zero; one that would mean "not implemented" gives way to the next
 * one away from zero, or at the end of the registers toward it. Undefined outside of what the registers can show.
 */
export function patternOf(layout: WordLayout, steps: Rational): Pattern | undefined {
  const pattern = cut(layout, steps);
  if (pattern === undefined || !layout.notImplemented.has(pattern.bits)) return pattern;
  const away = steps.numerator < 0n ? -1n : 1n;
  return skipping(layout, pattern, away) ?? skipping(layout, pattern, -away);
}

function skipping(layout: WordLayout, from: Pattern, direction: bigint): Pattern | undefined {
  let pattern: Pattern | undefined = from;
  for (let skipped = 0; pattern !== undefined && layout.notImplemented.has(pattern.bits); skipped++)
    pattern = skipped < MOST_SKIPPED ? nextOf(layout, pattern, direction) : undefined;
  return pattern;
}

/** A pattern as registers in the point's orders. */
export function wordsOf(layout: WordLayout, pattern: bigint): MaskedWords {
  const { registers, bits } = layout;
  if (bits === undefined)
    return { words: ordered(layout, pattern), masks: Array.from({ length: registers }, () => 0xffff) };
  const [lowest, width] = bits;
  const mask = ((1n << BigInt(width)) - 1n) << BigInt(lowest);
  return { words: ordered(layout, pattern << BigInt(lowest)), masks: ordered(layout, mask) };
}

/** A text as registers, filled up with NUL; undefined when it is too long for them. */
export function textWords({ registers, byteOrder }: WordLayout, text: string): MaskedWords | undefined {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length > 2 * registers) return undefined;
  const words = Array.from({ length: registers }, (_, at) => {
    const [first = 0, second = 0] = [bytes[2 * at], bytes[2 * at + 1]];
    return byteOrder === "big" ? first * 256 + second : second * 256 + first;
  });
  return { words, masks: words.map(() => 0xffff) };
}

function ordered({ registers, wordOrder, byteOrder }: WordLayout, pattern: bigint): number[] {
  const words: number[] = [];
  for (let at = 0; at < registers; at++) {
    const word = Number((pattern >> BigInt(16 * at)) & 0xffffn);
    words.push(byteOrder === "big" ? word : Math.floor(word / 256) + (word % 256) * 256);
  }
  // Collected from the least significant word on.
  return wordOrder === "big" ? words.reverse() : words;
}

function cut(layout: WordLayout, steps: Rational): Pattern | undefined {
  const { type, registers, bits } = layout;
  const whole = steps.numerator / steps.denominator;
  const [least, most] = stepRange(layout);
  if (whole < least.numerator || whole > most.numerator) return undefined;
  if (type === "float32" || type === "float64") return floatPattern(type, nearestBelow(type, steps));
  if (type === "bcd") return { bits: BigInt(`0x${whole}`), steps: of(whole) };
  return { bits: BigInt.asUintN(bits?.[1] ?? 16 * registers, whole), steps: of(whole) };
}

function nextOf(layout: WordLayout, { bits, steps }: Pattern, direction: bigint): Pattern | undefined {
  const { type } = layout;
  if (type !== "float32" && type !== "float64") return cut(layout, of(steps.numerator + direction));
  // The bits of a magnitude are in the order of the magnitudes.
  return floatPattern(type, fromBits(type, bits + (steps.numerator < 0n ? -direction : direction)));
}

type FloatType = "float32" | "float64";

function floatPattern(type: FloatType, value: number): Pattern | undefined {
  return Number.isFinite(value) ? { bits: toBits(type, value), steps: exactly(value) } : undefined;
}

/** The representable number of the largest magnitude that is not beyond the wanted one, which is in range. */
function nearestBelow(type: FloatType, wanted: Rational): number {
  const near = nearly(wanted);
  let value = type === "float32" ? Math.fround(near) : near;
  // Parts beyond 2^53 were rounded before they were divided, so it may be some numbers off.
  while (isBeyond(value, wanted)) value = neighbour(type, value, -1n);
  for (let next = neighbour(type, value, 1n); !isBeyond(next, wanted); next = neighbour(type, value, 1n))
    value = next;
  return value;
}

/** The next number of a larger or smaller magnitude: the bits of a magnitude are in the order of the magnitudes. */
function neighbour(type: FloatType, value: number, direction: bigint): number {
  return fromBits(type, toBits(type, value) + direction);
}

/** Both parts are shortened alike where they are too long for a number. */
function nearly({ numerator, denominator }: Rational): number {
  const digits = Math.max(numerator.toString(16).length, denominator.toString(16).length);
  const excess = BigInt(4 * Math.max(0, digits - MOST_DIGITS));
  return Number(numerator >> excess) / Number(denominator >> excess);
}

function isBeyond(value: number, wanted: Rational): boolean {
  const magnitude = (of: Rational): Rational =>
    of.numerator < 0n ? { ...of, numerator: -of.numerator } : of;
  return compare(magnitude(exactly(value)), magnitude(wanted)) > 0n;
}

function toBits(type: FloatType, value: number): bigint {
  const view = new DataView(new ArrayBuffer(8));
  // Minus zero is a pattern that some devices take for a fault.
  if (type === "float32") view.setFloat32(4, value + 0);
  else view.setFloat64(0, value + 0);
  return view.getBigUint64(0);
}

function fromBits(type: FloatType, bits: bigint): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, bits);
  return type === "float32" ? view.getFloat32(4) : view.getFloat64(0);
}

/** A finite number as the fraction that it is: halved until it is whole. */
function exactly(value: number): Rational {
  let [whole, denominator] = [value, 1n];
  while (!Number.isInteger(whole)) {
    whole *= 2;
    denominator *= 2n;
  }
  return { numerator: BigInt(whole), denominator };
}

function of(whole: bigint): Rational {
  return { numerator: whole, denominator: 1n };
}
