import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compare, negated, plus, type Rational, rational, times } from "../../../drivers/modbus/rational.ts";
import { decodeBits, decodeNumber, decodeText, type NumberType } from "../../../drivers/modbus/registers.ts";
import {
  patternOf,
  stepRange,
  textWords,
  type WordLayout,
  wordsOf,
} from "../../../drivers/simulated/profile-words.ts";

/*
 * What simulated devices put into their registers, read back by the decoder of the drivers. The two share no code, so
 * each holds the other.
 */

const WIDTHS: Readonly<Record<Exclude<NumberType, "bcd">, number>> = {
  ...{ u16: 1, s16: 1, u32: 2, s32: 2, u64: 4, s64: 4, float32: 2, float64: 4 },
};
const order = fc.constantFrom("big", "little");
const number = fc
  .constantFrom<NumberType>("u16", "s16", "u32", "s32", "u64", "s64", "float32", "float64", "bcd")
  .chain((type) =>
    fc.record({
      type: fc.constant(type),
      registers: type === "bcd" ? fc.integer({ min: 1, max: 4 }) : fc.constant(WIDTHS[type]),
      wordOrder: order,
      byteOrder: order,
      notImplemented: fc.constant<ReadonlySet<bigint>>(new Set()),
    }),
  );
/** Of either sign and any size, also between two steps. */
const steps = fc
  .record({
    numerator: fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
    denominator: fc.bigInt({ min: 1n, max: 2n ** 40n }),
  })
  .map((value): Rational => value);

const DOUBLE = {
  type: "float64",
  registers: 4,
  wordOrder: "big",
  byteOrder: "big",
  notImplemented: new Set<bigint>(),
} as const;
/** Both parts beyond 2^53, and beyond every number. */
const LONG: readonly Rational[] = [
  { numerator: -46_275_303_133_845_075n, denominator: 44_168_649_705n },
  { numerator: 7n ** 400n + 1n, denominator: 7n ** 399n },
  { numerator: -(7n ** 400n), denominator: 7n ** 401n },
];

function read(
  layout: WordLayout & { readonly type: NumberType },
  words: readonly number[],
): ReturnType<typeof decodeNumber> {
  const { type, registers, wordOrder, byteOrder, notImplemented } = layout;
  const field = { offset: 1, type, wordOrder, byteOrder, notImplemented: [...notImplemented] };
  const block = Uint16Array.from([0xaaaa, ...words, 0x5555]);
  return decodeNumber(block, type === "bcd" ? { ...field, registers } : field);
}

function magnitude(value: Rational): Rational {
  return value.numerator < 0n ? negated(value) : value;
}

describe("registers of simulated devices", () => {
  it("hold any number, cut off toward zero to less than one step", () => {
    fc.assert(
      fc.property(number, steps, (layout, wanted) => {
        const pattern = patternOf(layout, wanted);
        const [least, most] = stepRange(layout);
        const whole = { numerator: wanted.numerator / wanted.denominator, denominator: 1n };
        expect(pattern !== undefined).toBe(compare(whole, least) >= 0n && compare(whole, most) <= 0n);
        if (pattern === undefined) return;
        const decoded = read(layout, wordsOf(layout, pattern.bits).words);
        if ("absent" in decoded) throw new Error(decoded.absent);
        const { value, step } = decoded.value;
        expect(compare(value, pattern.steps)).toBe(0n);
        const missing = plus(magnitude(wanted), negated(magnitude(value)));
        expect(missing.numerator >= 0n).toBe(true);
        expect(compare(missing, step) < 0n).toBe(true);
      }),
      {
        numRuns: 500,
        examples: LONG.map((wanted): [WordLayout & { readonly type: NumberType }, Rational] => [
          DOUBLE,
          wanted,
        ]),
      },
    );
  });

  it("hold a scaled value as the drivers scale it", () => {
    const scales = fc.constantFrom("0.1", "0.01", "1", "10", "1/3", "6553.6", "1e-3", "-0.1");
    const values = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
    fc.assert(
      fc.property(number, scales, values, (layout, scale, raw) => {
        const factor = rational(scale);
        const value = times({ numerator: BigInt(raw), denominator: 1n }, factor);
        const inverse = { numerator: factor.denominator, denominator: factor.numerator };
        const sign = inverse.denominator < 0n ? -1n : 1n;
        const divided = times(value, {
          numerator: inverse.numerator * sign,
          denominator: inverse.denominator * sign,
        });
        const pattern = patternOf(layout, divided);
        if (pattern === undefined || layout.type === "float32") return;
        const decoded = read(layout, wordsOf(layout, pattern.bits).words);
        if ("absent" in decoded) throw new Error(decoded.absent);
        expect(compare(times(decoded.value.value, factor), value)).toBe(0n);
      }),
    );
  });

  it("never hold by chance what means that there is no value", () => {
    const edges = fc.integer({ min: -4, max: 4 });
    fc.assert(
      fc.property(number, edges, fc.boolean(), (plain, near, negative) => {
        const [least, most] = stepRange(plain);
        const edge = negative ? least : most;
        const wanted = plus(plain.type.startsWith("float") ? rational(1) : edge, rational(near));
        const first = patternOf(plain, wanted);
        if (first === undefined) return;
        const layout = { ...plain, notImplemented: new Set([first.bits, 0n]) };
        const pattern = patternOf(layout, wanted);
        if (pattern === undefined) throw new Error("nothing else was found");
        const decoded = read(layout, wordsOf(layout, pattern.bits).words);
        if ("absent" in decoded) throw new Error(decoded.absent);
        const moved = magnitude(plus(decoded.value.value, negated(first.steps)));
        expect(compare(moved, times(decoded.value.step, rational(2))) <= 0n).toBe(true);
        expect(moved.numerator).not.toBe(0n);
      }),
    );
  });

  it("leave the bits of others alone", () => {
    const field = fc
      .constantFrom("u16", "u32", "u64")
      .chain((type) =>
        fc
          .record({ from: fc.nat(16 * WIDTHS[type] - 1), to: fc.nat(16 * WIDTHS[type] - 1) })
          .map(({ from, to }) => ({ type, bits: [Math.min(from, to), Math.abs(to - from) + 1] as const })),
      );
    fc.assert(
      fc.property(
        field,
        order,
        order,
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        (part, wordOrder, byteOrder, any) => {
          const { type, bits } = part;
          const registers = WIDTHS[type];
          const layout: WordLayout = { ...part, registers, wordOrder, byteOrder, notImplemented: new Set() };
          const wanted = BigInt.asUintN(bits[1], any);
          const pattern = patternOf(layout, { numerator: wanted, denominator: 1n });
          const { words, masks } = wordsOf(layout, pattern?.bits ?? -1n);
          const block = Uint16Array.from(words.map((word, at) => word | (0xffff & ~(masks[at] ?? 0))));
          const decoded = decodeBits(block, {
            offset: 0,
            type,
            lowest: bits[0],
            width: bits[1],
            wordOrder,
            byteOrder,
          });
          expect(decoded).toEqual({ value: wanted });
          const set = masks.reduce((count, mask) => count + mask.toString(2).replaceAll("0", "").length, 0);
          expect(set).toBe(bits[1]);
        },
      ),
    );
  });

  it("hold texts, and refuse those that are too long", () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1, maxLength: 20 }),
        order,
        fc.integer({ min: 1, max: 12 }),
        (text, byteOrder, registers) => {
          const wanted = text.replaceAll(/[^!-~]/g, "x");
          const layout: WordLayout = {
            type: "text",
            registers,
            wordOrder: "big",
            byteOrder,
            notImplemented: new Set(),
          };
          const shown = textWords(layout, wanted);
          expect(shown === undefined).toBe(wanted.length > 2 * registers);
          if (shown === undefined) return;
          const block = Uint16Array.from(shown.words);
          expect(decodeText(block, { offset: 0, registers, byteOrder })).toEqual({ value: wanted });
        },
      ),
    );
  });
});
