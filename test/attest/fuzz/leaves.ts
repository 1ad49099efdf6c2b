import type { CborValue } from "../../../attest/cbor.ts";
import type { FieldType } from "../../../attest/field.ts";
import type { Leaf } from "../../../attest/leaf.ts";
import { encodeLeaf } from "../../../attest/leaf-codec.ts";
import { COMMON_FIELDS, KIND_FIELDS } from "../../../attest/leaf-fields.ts";

/** A value of each type: the smallest that is allowed, and the largest. */
const VALUES: Readonly<Record<FieldType, readonly [unknown, unknown]>> = {
  uint: [0, Number.MAX_SAFE_INTEGER],
  int: [-1, Number.MIN_SAFE_INTEGER],
  text: ["", "é".repeat(64)],
  longText: ["", "x".repeat(1024)],
  bytes16: [new Uint8Array(16), new Uint8Array(16).fill(0xff)],
  bytes32: [new Uint8Array(32), new Uint8Array(32).fill(0xff)],
  bytes: [new Uint8Array(0), new Uint8Array(300).fill(0xd2)],
  byteStrings: [[new Uint8Array(0)], Array(8).fill(new Uint8Array(9))],
  uints: [[0], Array(8).fill(Number.MAX_SAFE_INTEGER)],
  dayOfInts: [[-1], Array(20).fill(Number.MIN_SAFE_INTEGER)],
};

/** Each kind of leaf twice: only what it must say, as small as can be, and all that it may say. */
export function anyLeaves(): readonly Uint8Array[] {
  const defined = Object.entries(KIND_FIELDS).flatMap(([kind, fields]) => [
    leafOf(kind, { ...COMMON_FIELDS, ...fields }, 0),
    leafOf(kind, { ...COMMON_FIELDS, ...fields }, 1),
  ]);
  const common = { seq: 0, timeMs: 0, timeQuality: 0, salt: new Uint8Array(16) };
  const body = new Map<number, CborValue>([
    [6, -1],
    [7, [[[1]]]],
    [63, new Map([[9, "x"]])],
  ]);
  const opaque = encodeLeaf({ kind: "opaque", ...common, number: 63, channel: 1, body });
  // Not far from the limit.
  const extensions = new Map([64, 65].map((key) => [key, new Uint8Array(1990)]));
  const large = encodeLeaf({ kind: "tamper", ...common, status: 1, input: "lid", state: 1, extensions });
  return [...defined, opaque, large];
}

function leafOf(
  kind: string,
  fields: Readonly<Record<string, { readonly type: FieldType; readonly optional: boolean }>>,
  size: 0 | 1,
): Uint8Array {
  const values = Object.entries(fields)
    .filter(([, { optional }]) => size === 1 || !optional)
    .map(([name, { type }]): [string, unknown] => [name, VALUES[type][size]]);
  const extensions = size === 0 ? {} : { extensions: new Map([[64, new Uint8Array(40)]]) };
  const leaf = { kind, ...Object.fromEntries(values), timeQuality: 3 * size, ...extensions };
  // Built out of the tables that mirror the interfaces, or the codec refuses it.
  return encodeLeaf(leaf as unknown as Leaf);
}
