import fc from "fast-check";
import type { CborMap, CborValue } from "../../../attest/cbor.ts";
import { type Field, type FieldType, may } from "../../../attest/field.ts";
import { LEAF_KINDS, type Leaf } from "../../../attest/leaf.ts";
import { COMMON_FIELDS, KIND_FIELDS } from "../../../attest/leaf-fields.ts";
import { anyInteger, anyValue, ascending, isSmall } from "./cbor-values.ts";

/** A leaf, and the pairs that its bytes have to hold by the field tables, keys ascending. */
export interface LeafSample {
  readonly leaf: Leaf;
  readonly pairs: CborMap;
}

export type DefinedKind = keyof typeof KIND_FIELDS;
export const DEFINED_KINDS: readonly DefinedKind[] = Object.keys(KIND_FIELDS) as DefinedKind[];

const uint = anyInteger.map(Math.abs);
const text = (maxLength: number): fc.Arbitrary<string> => fc.string({ unit: "binary", maxLength });
const bytes = (minLength: number, maxLength: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength, maxLength });
const listOf = (item: fc.Arbitrary<CborValue>, maxLength: number): fc.Arbitrary<CborValue> =>
  fc.array(item, { minLength: 1, maxLength });

/** At most 128 bytes of text are 32 code points; six days of twelve quarters fit into one leaf. */
const anyOf: Readonly<Record<FieldType, fc.Arbitrary<CborValue>>> = {
  uint,
  int: anyInteger,
  text: text(32),
  longText: text(256),
  bytes16: bytes(16, 16),
  bytes32: bytes(32, 32),
  bytes: bytes(0, 300),
  byteStrings: listOf(bytes(0, 40), 8),
  uints: listOf(uint, 8),
  dayOfInts: listOf(anyInteger, 12),
};
/** What the codec asks for beyond the type. */
const NARROWER: Readonly<Record<string, fc.Arbitrary<CborValue>>> = {
  timeQuality: fc.nat(4),
  status: fc.integer({ min: 1, max: 0xffff_ffff }),
};
const extensions = fc.uniqueArray(fc.tuple(fc.integer({ min: 64, max: 100_000 }), bytes(0, 20)), {
  maxLength: 3,
  selector: ([key]) => key,
});

/** Any leaf of a kind; `whole` ones have every property that the tables name. */
export function leafOf(kind: DefinedKind, whole: boolean): fc.Arbitrary<LeafSample> {
  const fields = Object.entries<Field>({ ...COMMON_FIELDS, ...KIND_FIELDS[kind] });
  return fc.tuple(properties(fields, whole), extensions).map(([values, extra]) => {
    const number: Pair[] = kind === "reading" ? [] : [[0, LEAF_KINDS[kind]]];
    const pairs = ascending([...number, ...pairsOf(fields, values), ...extra]);
    const more = extra.length === 0 ? {} : { extensions: new Map(extra) };
    return sampleOf({ kind, ...values, ...more }, pairs);
  });
}

const opaqueFields = Object.entries<Field>({ ...COMMON_FIELDS, channel: may(4, "uint") });
const opaqueKey = fc.integer({ min: 6, max: 63 }).filter((key) => key !== COMMON_FIELDS.salt.key);
const opaqueBody = fc.uniqueArray(fc.tuple(opaqueKey, anyValue), { maxLength: 3, selector: ([key]) => key });

/** Any leaf of kinds 32 to 63, whose own keys hold what they like. */
export const opaqueLeaf: fc.Arbitrary<LeafSample> = fc
  .tuple(fc.integer({ min: 32, max: 63 }), properties(opaqueFields, false), opaqueBody)
  .map(([number, values, body]) => {
    const pairs = ascending([[0, number], ...pairsOf(opaqueFields, values), ...body]);
    return sampleOf({ kind: "opaque", number, ...values, body: new Map(body) }, pairs);
  })
  .filter(({ pairs }) => isSmall(pairs));

type Pair = readonly [number, CborValue];

function properties(
  fields: readonly (readonly [string, Field])[],
  whole: boolean,
): fc.Arbitrary<Record<string, CborValue>> {
  const model = fields.map(([name, field]) => [name, NARROWER[name] ?? anyOf[field.type]] as const);
  const required = fields.filter(([, field]) => whole || !field.optional).map(([name]) => name);
  return fc.record(Object.fromEntries(model), { requiredKeys: required });
}

function pairsOf(
  fields: readonly (readonly [string, Field])[],
  values: Readonly<Record<string, CborValue>>,
): Pair[] {
  return fields.flatMap(([name, field]): Pair[] => {
    const value = values[name];
    return value === undefined ? [] : [[field.key, value]];
  });
}

function sampleOf(leaf: object, pairs: CborMap): LeafSample {
  // Made of the tables, which mirror the interfaces.
  return { leaf: leaf as Leaf, pairs };
}
