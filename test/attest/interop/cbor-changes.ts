import { concatBytes } from "../../../attest/bytes.ts";
import type { CborMap, CborValue } from "../../../attest/cbor.ts";

/** The next of endlessly many choices: an integer from 0 to below the bound. */
export type Choose = (below: number) => number;

/** Goes round in the numbers that a test was given. */
export function chooserOf(numbers: readonly number[]): Choose {
  let at = 0;
  return (below) => (numbers[at++ % numbers.length] ?? 0) % below;
}

const WIDTHS = [0, 1, 2, 4, 8] as const;

/** Well-formed CBOR of the value (RFC 8949, 3), here and there with longer heads, indefinite lengths, doubled keys. */
export function sloppy(value: CborValue, choose: Choose): Uint8Array {
  if (typeof value === "number") return value < 0 ? head(1, -1 - value, choose) : head(0, value, choose);
  if (typeof value === "string") return sloppyString(3, new TextEncoder().encode(value), choose);
  if (value instanceof Uint8Array) return sloppyString(2, value, choose);
  if (value instanceof Map) return container(5, sloppyPairs(value, choose), choose);
  const items = Array.isArray(value) ? value.map((item: CborValue) => sloppy(item, choose)) : [];
  return container(4, items, choose);
}

/** In order; or the other way round; or with the first pair given twice. */
function sloppyPairs(map: CborMap, choose: Choose): Uint8Array[] {
  const pairs = [...map].map(([key, value]) => concatBytes(sloppy(key, choose), sloppy(value, choose)));
  const order = choose(12);
  if (order === 0) return [...pairs.slice(0, 1), ...pairs];
  return order === 1 ? pairs.reverse() : pairs;
}

function sloppyString(major: number, bytes: Uint8Array, choose: Choose): Uint8Array {
  const whole = concatBytes(head(major, bytes.length, choose), bytes);
  return choose(12) === 0 ? indefinite(major, [whole]) : whole;
}

function container(major: number, parts: readonly Uint8Array[], choose: Choose): Uint8Array {
  if (choose(12) === 0) return indefinite(major, parts);
  return concatBytes(head(major, parts.length, choose), ...parts);
}

function indefinite(major: number, parts: readonly Uint8Array[]): Uint8Array {
  return concatBytes(Uint8Array.of((major << 5) | 31), ...parts, Uint8Array.of(0xff));
}

/** The shortest head, or now and then one of the longer ones. */
function head(major: number, argument: number, choose: Choose): Uint8Array {
  const shortest =
    argument < 24 ? 0 : argument < 2 ** 8 ? 1 : argument < 2 ** 16 ? 2 : argument < 2 ** 32 ? 3 : 4;
  const at = choose(12) === 0 ? Math.min(4, shortest + 1 + choose(2)) : shortest;
  const width = WIDTHS[at] ?? 8;
  if (width === 0) return Uint8Array.of((major << 5) | argument);
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setBigUint64(0, BigInt(argument));
  return concatBytes(Uint8Array.of((major << 5) | (23 + at)), new Uint8Array(bytes.buffer).slice(8 - width));
}

/** The bytes with one place changed: another byte, one less, one more, or cut off there. */
export function damaged(bytes: Uint8Array, choose: Choose): Uint8Array {
  const at = choose(Math.max(1, bytes.length));
  const another = Uint8Array.of(choose(256));
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at + 1)];
  const kind = choose(8);
  if (kind === 0) return before.slice();
  if (kind === 1) return concatBytes(before, after);
  if (kind === 2) return concatBytes(before, another, bytes.subarray(at));
  return concatBytes(before, another, after);
}
