import {
  type Decoded,
  decodeNumber,
  decodeText,
  type ExactNumber,
  type NumberType,
} from "../modbus/registers.ts";
import type { Point, PointType } from "./models.ts";

interface Storage {
  readonly type: NumberType;
  /**
   * What the registers hold when the device does not implement the point (SunSpec Device Information Model
   * Specification 1.1, 4.2). Beside them the fill patterns that devices use instead: all ones, and the highest bit alone.
   */
  readonly none: readonly bigint[];
}

const ONES_32 = 0xffff_ffffn;
const ONES_64 = 0xffff_ffff_ffff_ffffn;
const TOP_32 = 0x8000_0000n;
const TOP_64 = 0x8000_0000_0000_0000n;

const STORAGE: Readonly<Record<Exclude<PointType, "string">, Storage>> = {
  int16: { type: "s16", none: [0x8000n] },
  uint16: { type: "u16", none: [0xffffn] },
  count: { type: "u16", none: [0xffffn, 0x8000n] },
  enum16: { type: "u16", none: [0xffffn] },
  bitfield16: { type: "u16", none: [0xffffn, 0x8000n] },
  sunssf: { type: "s16", none: [0x8000n] },
  acc32: { type: "u32", none: [0n, ONES_32, TOP_32] },
  uint32: { type: "u32", none: [ONES_32] },
  int32: { type: "s32", none: [TOP_32] },
  bitfield32: { type: "u32", none: [ONES_32, TOP_32] },
  // Every NaN is "not implemented", not only the specified one.
  float32: { type: "float32", none: [] },
  acc64: { type: "u64", none: [0n, ONES_64, TOP_64] },
  uint64: { type: "u64", none: [ONES_64, TOP_64] },
};

/** Values at which an accumulator begins anew: one more than it can hold. Undefined for what does not wrap. */
export function wrapOf({ type }: Point): number | undefined {
  return type === "acc32" ? 2 ** 32 : undefined;
}

/** An accumulator of 0 says "not accumulated" (4.2); a float32 has no pattern of its own for that. */
function isAccumulator({ type, unit }: Point): boolean {
  return type === "acc32" || type === "acc64" || (type === "float32" && unit === "Wh");
}

/**
 * The number of a point in the registers of its model, without ID and L and before scaling, exactly as it is there.
 * `base` is where the point's group begins. Absent: not implemented, not accumulated, or beyond the end of the model.
 */
export function decodePoint(registers: Uint16Array, point: Point, base = 0): Decoded<ExactNumber> {
  if (point.type === "string") return { absent: "not a number" };
  const { type, none } = STORAGE[point.type];
  const decoded = decodeNumber(registers, { type, offset: base + point.offset, notImplemented: none });
  const absent = { absent: isAccumulator(point) ? "not accumulated" : "not implemented" };
  if ("absent" in decoded) return absent;
  return isAccumulator(point) && decoded.value.value.numerator === 0n ? absent : decoded;
}

/** Text of a point up to the first NUL and without blanks around it. Empty when absent. */
export function textOf(registers: Uint16Array, point: Point, base = 0): string {
  const whole = { offset: base + point.offset, registers: point.width };
  // A model that ends within the text still says its beginning.
  const there = Math.max(0, Math.min(whole.registers, registers.length - whole.offset));
  const text = decodeText(registers, { ...whole, registers: there });
  return "absent" in text ? "" : text.value;
}

/** Scale factors go from -10 to 10 (Device Information Model Specification 1.1, sunssf). */
export const MAX_SCALE = 10;
