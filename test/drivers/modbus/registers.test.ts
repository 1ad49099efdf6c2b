import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { rational } from "../../../drivers/modbus/rational.ts";
import {
  type Decoded,
  decodeBits,
  decodeNumber,
  decodeText,
  type NumberField,
  type NumberType,
  type ScaledNumber,
  scaled,
} from "../../../drivers/modbus/registers.ts";

type Order = "big" | "little";

function given<T>(decoded: Decoded<T>): T {
  if ("absent" in decoded) throw new Error(`absent: ${decoded.absent}`);
  return decoded.value;
}

/** Registers that hold these bytes (most significant first) in both orders, behind one register of something else. */
function registersOf(bytes: Uint8Array, wordOrder: Order, byteOrder: Order): Uint16Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const words = Array.from({ length: bytes.length / 2 }, (_, at) =>
    view.getUint16(2 * at, byteOrder === "little"),
  );
  return Uint16Array.of(0x5a5a, ...(wordOrder === "little" ? words.reverse() : words), 0x5a5a);
}

const orders = fc.record({
  wordOrder: fc.constantFrom<Order>("big", "little"),
  byteOrder: fc.constantFrom<Order>("big", "little"),
});

function written(width: number, write: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(2 * width);
  write(new DataView(bytes.buffer));
  return bytes;
}

/** The float32 that follows the magnitude of `value`. */
function nextFloat32(value: number): number {
  const bits = new Uint32Array(Float32Array.of(Math.abs(value)).buffer);
  return new Float32Array(Uint32Array.of((bits[0] ?? 0) + 1).buffer)[0] ?? 0;
}

function scaledBy(scale: string | number, block: Uint16Array, field: NumberField): ScaledNumber {
  return given(scaled(given(decodeNumber(block, field)), rational(scale)));
}

describe("numbers in registers", () => {
  const integers: readonly [NumberType, number, bigint, bigint, (view: DataView, value: bigint) => void][] = [
    ["u16", 1, 0n, 0xffffn, (view, value) => view.setUint16(0, Number(value))],
    ["s16", 1, -0x8000n, 0x7fffn, (view, value) => view.setInt16(0, Number(value))],
    ["u32", 2, 0n, 0xffff_ffffn, (view, value) => view.setUint32(0, Number(value))],
    ["s32", 2, -0x8000_0000n, 0x7fff_ffffn, (view, value) => view.setInt32(0, Number(value))],
    ["u64", 4, 0n, 2n ** 64n - 1n, (view, value) => view.setBigUint64(0, value)],
    ["s64", 4, -(2n ** 63n), 2n ** 63n - 1n, (view, value) => view.setBigInt64(0, value)],
  ];
  it.each(integers)("reads a %s in every order", (type, width, min, max, write) => {
    fc.assert(
      fc.property(fc.bigInt({ min, max }), orders, (value, order) => {
        const block = registersOf(
          written(width, (view) => write(view, value)),
          order.wordOrder,
          order.byteOrder,
        );
        const { value: read, step } = given(decodeNumber(block, { offset: 1, type, ...order }));
        expect(read).toEqual({ numerator: value, denominator: 1n });
        expect(step).toEqual({ numerator: 1n, denominator: 1n });
      }),
    );
  });

  const floats: readonly [
    NumberType,
    number,
    fc.Arbitrary<number>,
    (view: DataView, value: number) => void,
  ][] = [
    [
      "float32",
      2,
      fc.float({ noNaN: true, min: -(2 ** 126), max: 2 ** 126 }),
      (view, value) => view.setFloat32(0, value),
    ],
    [
      "float64",
      4,
      fc.double({ noNaN: true, min: 1e-150, max: 1e140 }),
      (view, value) => view.setFloat64(0, value),
    ],
  ];
  it.each(floats)("reads a %s exactly, in every order", (type, width, numbers, write) => {
    fc.assert(
      fc.property(numbers, orders, (value, order) => {
        const bytes = written(width, (view) => write(view, value));
        const block = registersOf(bytes, order.wordOrder, order.byteOrder);
        const { value: read, step } = given(decodeNumber(block, { offset: 1, type, ...order }));
        // Multiplied by so large a power of two, the number itself is an integer that a double holds exactly.
        const shift = type === "float32" ? 149 : 553;
        const exact = BigInt(value * 2 ** shift);
        expect(read.numerator * 2n ** BigInt(shift)).toBe(exact * read.denominator);
        const spacing = type === "float32" ? nextFloat32(value) - Math.abs(value) : undefined;
        if (spacing !== undefined) expect(Number(step.numerator) / Number(step.denominator)).toBe(spacing);
      }),
    );
  });

  it("gives a float32 the step that it has there: 2 Wh from 16,384 kWh on, 16 Wh from 131,072", () => {
    const stepMwh = (kwh: number): number => {
      const block = registersOf(
        written(2, (view) => view.setFloat32(0, kwh)),
        "big",
        "big",
      );
      return scaledBy(1_000_000, block, { offset: 1, type: "float32" }).resolution;
    };
    expect([291.627, 16_383.9, 16_384, 131_071, 131_072, 1_000_000].map(stepMwh)).toEqual([
      31, 977, 1954, 7813, 15_625, 62_500,
    ]);
  });

  it("reads binary coded decimals, and refuses what is none", () => {
    const bcd: NumberField = { offset: 0, type: "bcd", registers: 3 };
    expect(scaledBy(1, Uint16Array.of(0x0012, 0x3456, 0x7890), bcd).value).toBe(1_234_567_890);
    expect(decodeNumber(Uint16Array.of(0x0012, 0x3a56, 0x7890), bcd)).toEqual({
      absent: "not decimal digits: 00123a567890",
    });
  });

  it("says why there is no number", () => {
    const u32: NumberField = { offset: 1, type: "u32", notImplemented: [0xffff_ffffn, 0x8000_0000n] };
    const absent = (words: readonly number[], field: NumberField): unknown =>
      decodeNumber(Uint16Array.from(words), field);
    expect(absent([0, 0xffff, 0xffff], u32)).toEqual({ absent: "not implemented" });
    expect(absent([0, 0, 0x8000], { ...u32, wordOrder: "little" })).toEqual({ absent: "not implemented" });
    expect(absent([0, 0xffff], u32)).toEqual({ absent: "beyond the block: 3 registers needed, 2 there" });
    expect(absent([0x7fc0, 0], { offset: 0, type: "float32" })).toEqual({ absent: "not a number" });
    expect(absent([0xff80, 0], { offset: 0, type: "float32" })).toEqual({ absent: "infinite" });
    expect("value" in decodeNumber(Uint16Array.of(0, 0xffff, 0xfffe), u32)).toBe(true);
  });
});

describe("scales", () => {
  it("are exact where floating point is not", () => {
    expect(scaledBy(0.1, Uint16Array.of(3), { offset: 0, type: "u16" })).toEqual({ value: 0, resolution: 1 });
    expect(scaledBy("100", Uint16Array.of(0xfff7), { offset: 0, type: "s16" })).toEqual({
      ...{ value: -900, resolution: 100 },
    });
    // 0.1 Wh steps at 2^52: a double would have lost them.
    const block = Uint16Array.of(0x0010, 0, 0, 3);
    expect(scaledBy("0.1", block, { offset: 0, type: "u64" }).value).toBe(450_359_962_737_049);
    expect(scaledBy("1/3", Uint16Array.of(100), { offset: 0, type: "u16" }).value).toBe(33);
  });

  it("cut off toward zero, and never say more than there is", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(2n ** 31n), max: 2n ** 31n - 1n }),
        fc.integer({ min: -6, max: 6 }),
        (value, power) => {
          const number = { value: { numerator: value, denominator: 1n }, step: rational(1) };
          const { value: result, resolution } = given(scaled(number, rational(`1e${power}`)));
          const magnitude = value < 0n ? -value : value;
          const shown = BigInt(Math.abs(result)) * 10n ** BigInt(Math.max(0, -power));
          const held = magnitude * 10n ** BigInt(Math.max(0, power));
          expect(shown <= held && held < shown + 10n ** BigInt(Math.max(0, -power))).toBe(true);
          expect(resolution).toBe(power < 0 ? 1 : 10 ** power);
        },
      ),
    );
  });

  it("refuse what does not fit an integer, and what is no scale", () => {
    const all = Uint16Array.of(0xffff, 0xffff, 0xffff, 0xffff);
    expect(scaled(given(decodeNumber(all, { offset: 0, type: "u64" })), rational(1))).toHaveProperty(
      "absent",
    );
    for (const bad of ["", "x", "1/0", "1/2/3", "1e", "0x10", Number.NaN, "1/-2"])
      expect(() => rational(bad)).toThrow(expect.objectContaining({ code: "modbus-scale" }));
  });
});

describe("texts and bits in registers", () => {
  it("are read up to the first NUL, in both orders", () => {
    const block = Uint16Array.of(0x4142, 0x4320, 0x0058);
    expect(decodeText(block, { offset: 0, registers: 3 })).toEqual({ value: "ABC" });
    expect(decodeText(block, { offset: 0, registers: 1, byteOrder: "little" })).toEqual({ value: "BA" });
    expect(decodeText(Uint16Array.of(0xffff, 0xffff), { offset: 0, registers: 2 })).toEqual({
      absent: "empty",
    });
    expect(decodeText(block, { offset: 2, registers: 2 })).toHaveProperty("absent");
  });

  it("are picked out of their integer", () => {
    const block = Uint16Array.of(0xabcd, 0x1234);
    expect(decodeBits(block, { offset: 0, type: "u16", lowest: 4, width: 8 })).toEqual({ value: 0xbcn });
    expect(decodeBits(block, { offset: 0, type: "u32", lowest: 31, width: 1 })).toEqual({ value: 1n });
    expect(decodeBits(block, { offset: 0, type: "u32", wordOrder: "little", lowest: 28, width: 4 })).toEqual({
      value: 1n,
    });
    expect(decodeBits(block, { offset: 1, type: "u32", lowest: 0, width: 1 })).toHaveProperty("absent");
  });
});

const SDM230 = join(import.meta.dirname, "../../../../shared/corpora/eastron/SDM230.yaml");
const dumpSchema = z.object({
  blocks: z.array(z.object({ fields: z.array(z.object({ id: z.string(), expression: z.string() })) })),
  tests: z.array(
    z.object({
      input: z.array(z.object({ firstAddress: z.string(), rawValues: z.string() })),
      blocks: z.array(z.object({ expected: z.record(z.string(), z.array(z.string())) })),
    }),
  ),
});

describe("a recorded meter", () => {
  if (!existsSync(SDM230)) return void it.skip("../shared/corpora/eastron is not beside the project");

  it("is decoded to what was recorded with it", () => {
    const dump = dumpSchema.parse(parse(readFileSync(SDM230, "utf8")));
    const words = new Map<string, number>();
    for (const { firstAddress, rawValues } of dump.tests[0]?.input ?? []) {
      const [table, first] = [firstAddress.slice(0, 2), Number(firstAddress.slice(3))];
      rawValues.split(/\s+/).forEach((word, at) => {
        if (word !== "----") words.set(`${table}:${first + at}`, Number.parseInt(word, 16));
      });
    }
    const expected = Object.assign({}, ...(dump.tests[0]?.blocks ?? []).map((block) => block.expected));
    let compared = 0;
    for (const { id, expression } of dump.blocks.flatMap((block) => block.fields)) {
      const [, kind, table, start] = /^(ieee754_32|uint32)\(([ih]r):(\d+) ?# 2\)$/.exec(expression) ?? [];
      if (start === undefined) continue;
      const block = Uint16Array.of(
        words.get(`${table}:${Number(start)}`) ?? 0,
        words.get(`${table}:${Number(start) + 1}`) ?? 0,
      );
      const type = kind === "uint32" ? "u32" : "float32";
      const { value } = scaledBy(1_000_000, block, { offset: 0, type });
      // Three digits were written down.
      expect(Math.abs(value - Number(expected[id]?.[0]) * 1_000_000), id).toBeLessThanOrEqual(501);
      compared += 1;
    }
    console.log(`corpora: ${compared} values of a recorded SDM230`);
    expect(compared).toBeGreaterThan(25);
  });
});
