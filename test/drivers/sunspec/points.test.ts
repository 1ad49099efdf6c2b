import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Fields } from "../../../drivers/sunspec/fields.ts";
import { type PointType, points, type Row } from "../../../drivers/sunspec/models.ts";
import { decodePoint, textOf } from "../../../drivers/sunspec/points.ts";
import { registerSteps } from "../../../drivers/sunspec/quantities.ts";

function fieldsOf(rows: readonly Row[], registers: readonly number[]): Fields {
  const absent = new Set<string>();
  return new Fields({
    ...{ label: "model 0", points: points(rows), base: 0, absent },
    registers: Uint16Array.from(registers),
  });
}

function decoded(type: PointType, registers: readonly number[], unit?: string): bigint | string {
  const point = points([["X", 0, type, undefined, unit]]).get("X");
  if (point === undefined) throw new Error("the table is empty");
  const result = decodePoint(Uint16Array.from(registers), point);
  return "absent" in result ? result.absent : result.value.value.numerator / result.value.value.denominator;
}

describe("a point", () => {
  const NONE: readonly (readonly [PointType, readonly number[]])[] = [
    ["int16", [0x8000]],
    ["uint16", [0xffff]],
    ["count", [0xffff]],
    ["enum16", [0xffff]],
    ["bitfield16", [0xffff]],
    ["sunssf", [0x8000]],
    ["int32", [0x8000, 0]],
    ["uint32", [0xffff, 0xffff]],
    ["bitfield32", [0xffff, 0xffff]],
    ["bitfield32", [0x8000, 0]],
    ["float32", [0x7fc0, 0]],
    ["float32", [0xffff, 0xffff]],
    ["float32", [0x7f80, 0]],
    ["uint64", [0xffff, 0xffff, 0xffff, 0xffff]],
    ["uint64", [0x8000, 0, 0, 0]],
  ];
  it.each(NONE)("of type %s is not implemented at %j", (type, registers) => {
    expect(decoded(type, registers)).toBe("not implemented");
  });

  const UNCOUNTED: readonly (readonly [PointType, readonly number[]])[] = [
    ["acc32", [0, 0]],
    ["acc32", [0xffff, 0xffff]],
    ["acc32", [0x8000, 0]],
    ["acc64", [0, 0, 0, 0]],
    ["acc64", [0xffff, 0xffff, 0xffff, 0xffff]],
    ["float32", [0, 0]],
    ["float32", [0x8000, 0]],
  ];
  it.each(UNCOUNTED)("of type %s has counted nothing at %j", (type, registers) => {
    expect(decoded(type, registers, "Wh")).toBe("not accumulated");
  });

  const VALUES: readonly (readonly [PointType, readonly number[], bigint])[] = [
    ["int16", [0xffff], -1n],
    ["int16", [0x7fff], 32_767n],
    ["uint16", [0x8000], 32_768n],
    ["uint16", [0], 0n],
    ["enum16", [0], 0n],
    ["bitfield16", [0], 0n],
    ["sunssf", [0xfff6], -10n],
    ["int32", [0xffff, 0xfffe], -2n],
    ["uint32", [0x8000, 0], 2_147_483_648n],
    ["acc32", [0, 1], 1n],
    ["acc32", [0xffff, 0xfffe], 4_294_967_294n],
    ["acc64", [0, 0, 0, 1], 1n],
    ["uint64", [0, 0, 0, 0], 0n],
    ["uint64", [0, 1, 0, 0], 4_294_967_296n],
    ["float32", [0xc4bb, 0x8000], -1500n],
  ];
  it.each(VALUES)("of type %s holds what %j says", (type, registers, value) => {
    expect(decoded(type, registers)).toBe(value);
  });

  it("beyond the end of its model is not there", () => {
    expect(decoded("acc32", [1])).toBe("not accumulated");
    expect(decoded("uint64", [1, 2, 3])).toBe("not implemented");
  });
});

describe("a text", () => {
  const [point] = points([["X", 1, "string", 3]]).values();
  if (point === undefined) throw new Error("the table is empty");

  it.each([
    [[0, 0x4142, 0x4300, 0x5858], "ABC"],
    [[0, 0x2041, 0x4220, 0x2020], "AB"],
    [[0, 0xffff, 0xffff, 0xffff], ""],
    [[0, 0, 0, 0], ""],
    [[0, 0x4142], "AB"],
    [[0], ""],
  ])("of %j is %j", (registers, text) => {
    expect(textOf(Uint16Array.from(registers), point)).toBe(text);
  });
});

describe("a scaled value", () => {
  const rows: readonly Row[] = [
    ["V", 0, "int32", "S", "W"],
    ["S", 2, "sunssf"],
  ];

  it("is exact for every value and scale factor, and cut off toward zero below a thousandth", () => {
    const value = fc.integer({ min: -(2 ** 31) + 1, max: 2 ** 31 - 1 });
    const exponent = fc.integer({ min: -10, max: 3 });
    fc.assert(
      fc.property(value, exponent, (v, s) => {
        const fields = fieldsOf(rows, [(v >>> 16) & 0xffff, v & 0xffff, s & 0xffff]);
        const power = s + 3;
        const exact = power >= 0 ? BigInt(v) * 10n ** BigInt(power) : BigInt(v) / 10n ** BigInt(-power);
        expect(fields.milli("V")).toBe(Number(exact));
      }),
    );
  });

  it("is absent without a scale factor, or with one that cannot be", () => {
    for (const scale of [0x8000, 11, 0xfff5]) {
      const fields = fieldsOf(rows, [0, 5, scale]);
      expect(fields.milli("V")).toBeUndefined();
      expect(fields.stepMilli("V")).toBeUndefined();
    }
  });

  it("is absent when it is no exact integer any more", () => {
    expect(fieldsOf(rows, [0x7fff, 0xffff, 10]).milli("V")).toBeUndefined();
  });
});

describe("the steps of an energy register", () => {
  const acc = (scale: number): Fields =>
    fieldsOf(
      [
        ["E", 0, "acc32", "S", "Wh"],
        ["S", 2, "sunssf"],
      ],
      [0, 5, scale & 0xffff],
    );

  it.each([
    [0, { resolutionMwh: 1000, rolloverMwh: 2 ** 32 * 1000 }],
    [3, { resolutionMwh: 1_000_000, rolloverMwh: 2 ** 32 * 1_000_000 }],
    [-3, { resolutionMwh: 1, rolloverMwh: 2 ** 32 }],
    [-4, { resolutionMwh: 1 }],
    [10, { resolutionMwh: 10 ** 13 }],
  ])("with a scale factor of %i", (scale, steps) => {
    expect(registerSteps(acc(scale), ["E"])).toEqual(steps);
  });

  it("of 64 bits never wrap", () => {
    const rows: readonly Row[] = [
      ["E", 0, "uint64", "S", "Wh"],
      ["S", 4, "sunssf"],
    ];
    expect(registerSteps(fieldsOf(rows, [0, 0, 0, 5, 0]), ["E"])).toEqual({ resolutionMwh: 1000 });
  });

  it("of a float grow with it", () => {
    const float = (value: number): Fields => {
      const view = new DataView(new ArrayBuffer(4));
      view.setFloat32(0, value);
      return fieldsOf([["E", 0, "float32", undefined, "Wh"]], [view.getUint16(0), view.getUint16(2)]);
    };
    // 2 Wh from 16,777,216 Wh on, 16 Wh from 134,217,728 Wh on.
    for (const [value, step] of [
      [16_777_214, 1000],
      [16_777_216, 2000],
      [26_320_000, 2000],
      [134_217_728, 16_000],
      [1000, 1],
    ] as const)
      expect(registerSteps(float(value), ["E"]), `${value} Wh`).toEqual({ resolutionMwh: step });
  });
});
