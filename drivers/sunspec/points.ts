import type { Point, PointType } from "./models.ts";

/** Registers that each type takes; a string says so itself. */
const WIDTH: Readonly<Record<Exclude<PointType, "string">, number>> = {
  int16: 1,
  uint16: 1,
  sunssf: 1,
  enum16: 1,
  acc32: 2,
  uint32: 2,
  int32: 2,
  bitfield32: 2,
  uint64: 4,
};

const SIGNED: ReadonlySet<PointType> = new Set(["int16", "int32", "sunssf"]);

/**
 * What a register holds when the device does not implement the point (SunSpec Device Information Model
 * Specification 1.1, 4.2; an accumulator of 0 is "not accumulated"). Beside them the fill patterns that
 * devices use instead: an accumulator of all ones, or of 0x80000000.
 */
const NOT_IMPLEMENTED: Readonly<Record<Exclude<PointType, "string">, readonly bigint[]>> = {
  int16: [0x8000n],
  uint16: [0xffffn],
  sunssf: [0x8000n],
  enum16: [0xffffn],
  acc32: [0n, 0xffffffffn, 0x80000000n],
  uint32: [0xffffffffn],
  int32: [0x80000000n],
  bitfield32: [0xffffffffn, 0x80000000n],
  uint64: [0xffffffffffffffffn],
};

/**
 * The integer of a point in the registers of its model (without ID and L), before scaling; undefined when it is
 * not implemented or beyond the end of the block.
 */
export function readInteger(registers: Uint16Array, point: Point): bigint | undefined {
  if (point.type === "string") return undefined;
  const width = WIDTH[point.type];
  if (point.offset + width > registers.length) return undefined;
  let value = 0n;
  for (const register of registers.subarray(point.offset, point.offset + width))
    value = (value << 16n) | BigInt(register);
  if (NOT_IMPLEMENTED[point.type].includes(value)) return undefined;
  return SIGNED.has(point.type) ? BigInt.asIntN(16 * width, value) : value;
}

/** A string of two characters a register, up to the first NUL and without blanks around it. Empty when absent. */
export function readText(registers: Uint16Array, point: Point): string {
  const field = registers.subarray(point.offset, point.offset + (point.length ?? 0));
  const bytes = new Uint8Array(field.length * 2);
  const view = new DataView(bytes.buffer);
  field.forEach((register, index) => {
    view.setUint16(index * 2, register);
  });
  const end = bytes.indexOf(0);
  const text = new TextDecoder("utf-8").decode(end < 0 ? bytes : bytes.subarray(0, end));
  // A field of 0xFFFF is an unimplemented one, not a name.
  return bytes.every((byte) => byte === 0xff) ? "" : text.trim();
}

/** Scale factors go from -10 to 10 (Device Information Model Specification 1.1, sunssf). */
export const MAX_SCALE = 10;

/**
 * `value * 10^exponent` in exact integer arithmetic. What is finer than one unit of the result is cut off toward
 * zero: for a register, which is never negative, that is the floor, so it never shows energy that has not flowed.
 * Undefined when the result does not fit a safe integer.
 */
export function scaleInteger(value: bigint, exponent: number): number | undefined {
  const scaled = exponent >= 0 ? value * 10n ** BigInt(exponent) : value / 10n ** BigInt(-exponent);
  const result = Number(scaled);
  return Number.isSafeInteger(result) ? result : undefined;
}
