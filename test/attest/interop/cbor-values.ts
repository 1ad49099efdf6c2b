import fc from "fast-check";
import { type CborMap, type CborValue, encodeCbor } from "../../../attest/cbor.ts";

/** Below the limit of an object and of a leaf, so that nothing is refused for its size alone. */
const MAX_BYTES = 4000;

/** Integers of the subset, and often those on either side of a longer head (RFC 8949, 3). */
export const anyInteger: fc.Arbitrary<number> = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.constantFrom(23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER),
  fc.constantFrom(-24, -25, -256, -257, -65_536, -65_537, -(2 ** 32), Number.MIN_SAFE_INTEGER),
);
const anyKey: fc.Arbitrary<number> = fc.oneof(fc.nat(80), fc.nat(70_000), fc.maxSafeNat());
const anyScalar: fc.Arbitrary<CborValue> = fc.oneof(
  anyInteger,
  fc.uint8Array({ maxLength: 40 }),
  fc.string({ unit: "binary", maxLength: 30 }),
  fc.constantFrom("\ufeff", "\ufeffx", "\u0000", "e\u0301"),
  fc.constantFrom(255, 256).map((length) => new Uint8Array(length)),
);

const { value, map } = fc.letrec<{ value: CborValue; map: CborMap }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, depthSize: "medium" },
    anyScalar,
    fc.array(tie("value"), { maxLength: 4 }),
    tie("map"),
  ),
  map: fc.array(fc.tuple(anyKey, tie("value")), { maxLength: 4 }).map(ascending),
}));

/** Any value of the subset, of at most three levels; its maps hold their keys ascending. */
export const anyValue: fc.Arbitrary<CborValue> = value.filter(isSmall);
/** Any map of the subset, of at most four levels, keys ascending. */
export const anyMap: fc.Arbitrary<CborMap> = map.filter(isSmall);

/** A map that holds its pairs in the order of their keys, each key once. */
export function ascending<V>(pairs: readonly (readonly [number, V])[]): Map<number, V> {
  return new Map([...new Map(pairs)].sort(([a], [b]) => a - b));
}

/** Whether a value stays below every limit of length. */
export function isSmall(any: CborValue): boolean {
  return encodeCbor(any).length <= MAX_BYTES;
}
