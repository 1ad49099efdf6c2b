import fc from "fast-check";
import { concatBytes } from "../../attest/bytes.ts";
import { type CborMap, type CborValue, encodeCbor } from "../../attest/cbor.ts";
import { CHECKPOINT_FIELDS } from "../../attest/checkpoint.ts";
import { OBJECT_TYPES, type ObjectType } from "../../attest/cose.ts";
import { COUNTERSIGNATURE_FIELDS } from "../../attest/countersignature.ts";
import { ENROLMENT_FIELDS } from "../../attest/enrolment.ts";
import { checkField, type Field } from "../../attest/field.ts";
import {
  CHALLENGE_FIELDS,
  COMMITMENT_FIELDS,
  DISPATCH_FIELDS,
  DISPATCH_LIST_FIELDS,
} from "../../attest/flexibility/orders.ts";
import { HELLO_FIELDS } from "../../attest/hello.ts";
import { LEAF_KINDS, type Leaf, type LeafKind } from "../../attest/leaf.ts";
import { COMMON_FIELDS, KIND_FIELDS } from "../../attest/leaf-fields.ts";
import { Problem } from "../../attest/problem.ts";
import { RECEIPT_FIELDS } from "../../attest/receipt.ts";
import { REVOCATION_FIELDS } from "../../attest/revocation.ts";
import { ACCEPTANCE_FIELDS, ROTATION_FIELDS } from "../../attest/rotation.ts";

type Fields = Readonly<Record<string, Field>>;

export const KINDS: readonly LeafKind[] = Object.keys(KIND_FIELDS).filter(
  (kind) => kind in LEAF_KINDS,
) as LeafKind[];

export const OBJECT_FIELDS: { readonly [T in ObjectType]: Fields } = {
  acceptance: ACCEPTANCE_FIELDS,
  challenge: CHALLENGE_FIELDS,
  checkpoint: CHECKPOINT_FIELDS,
  commitment: COMMITMENT_FIELDS,
  countersignature: COUNTERSIGNATURE_FIELDS,
  dispatch: DISPATCH_FIELDS,
  dispatchList: DISPATCH_LIST_FIELDS,
  enrolment: ENROLMENT_FIELDS,
  hello: HELLO_FIELDS,
  receipt: RECEIPT_FIELDS,
  revocation: REVOCATION_FIELDS,
  rotation: ROTATION_FIELDS,
};
export const TYPES: readonly ObjectType[] = Object.keys(OBJECT_TYPES) as ObjectType[];

/** Text with everything in it that JSON or a terminal may stumble over. */
const text = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 12 }),
  fc.string({
    unit: fc.constantFrom(
      ...'"\\/\0\b\t\n\r\u001b\u007f\u0085\u2028\u202e\ufeff\u{1f50c}é{}[]:,0-'.split(/(?:)/u),
    ),
    maxLength: 12,
  }),
);
const integer = fc.oneof(
  fc.maxSafeInteger(),
  fc.integer({ min: -300, max: 300 }),
  fc.constantFrom(-(2 ** 53 - 1)),
);
const natural = fc.oneof(fc.maxSafeNat(), fc.nat(300), fc.constantFrom(0, 2 ** 53 - 1));
const someBytes = [0, 1, 16, 20, 32, 33, 48, 64].map((length) =>
  fc.uint8Array({ minLength: length, maxLength: length }),
);
const some = <T>(item: fc.Arbitrary<T>, most = 8): fc.Arbitrary<T[]> =>
  fc.array(item, { minLength: 1, maxLength: most });
const candidates: readonly fc.Arbitrary<CborValue>[] = [
  ...[natural, integer, text, ...someBytes],
  ...[
    some(natural),
    some(integer),
    some(integer, 100),
    some(text),
    ...someBytes.map((bytes) => some(bytes, 3)),
  ],
];
const known = new Map<string, fc.Arbitrary<CborValue>>();

/** Any value of a field's type, whatever types there are: what {@link checkField} takes of each sort. */
export function anyOf(field: Field): fc.Arbitrary<CborValue> {
  const arbitrary =
    known.get(field.type) ?? fc.oneof(...candidates.filter((values) => isTaken(field, values)));
  known.set(field.type, arbitrary);
  return arbitrary;
}

function isTaken(field: Field, values: fc.Arbitrary<CborValue>): boolean {
  return fc.sample(values, { numRuns: 40, seed: 1 }).every((value) => {
    try {
      checkField("sample", field, value);
      return true;
    } catch (thrown) {
      if (thrown instanceof Problem) return false;
      throw thrown;
    }
  });
}

/** Any properties of a field table, each present or, where it may be, absent. */
export function recordOf(fields: Fields): fc.Arbitrary<Readonly<Record<string, CborValue>>> {
  const entries = Object.entries(fields);
  const model = Object.fromEntries(entries.map(([name, field]) => [name, anyOf(field)]));
  const requiredKeys = entries.filter(([, field]) => !field.optional).map(([name]) => name);
  return fc.record(model, { requiredKeys });
}

const extensions = fc.dictionary(
  fc.oneof(fc.integer({ min: 64, max: 200 }), fc.integer({ min: 64, max: 2 ** 53 - 1 })).map(String),
  fc.uint8Array({ maxLength: 20 }),
  { minKeys: 1, maxKeys: 4 },
);
const common = {
  timeQuality: fc.nat(4),
  status: fc.option(fc.integer({ min: 1, max: 2 ** 32 - 1 }), { nil: 0 }),
};

/** A leaf's common properties set right, and extensions or none; `status` 0 stands for none. */
function completed(properties: fc.Arbitrary<object>): fc.Arbitrary<Leaf> {
  return fc
    .tuple(properties, fc.record(common), fc.option(extensions, { nil: undefined }))
    .map(([record, { timeQuality, status }, extra]) => {
      const leaf = new Map<string, unknown>(Object.entries({ ...record, timeQuality, status }));
      if (status === 0) leaf.delete("status");
      if (extra !== undefined) {
        leaf.set("extensions", new Map(Object.entries(extra).map(([key, value]) => [Number(key), value])));
      }
      // The record mirrors the tables, which mirror the interfaces.
      return Object.fromEntries(leaf) as unknown as Leaf;
    });
}

/** Any leaf of a kind. */
export function leafOf(kind: LeafKind): fc.Arbitrary<Leaf> {
  const fields: Fields = { ...COMMON_FIELDS, ...KIND_FIELDS[kind] };
  return completed(recordOf(fields).map((record) => ({ kind, ...record })));
}

/** Any value of the subset, nested as often as this. */
export function subset(depth: number): fc.Arbitrary<CborValue> {
  const flat: fc.Arbitrary<CborValue> = fc.oneof(integer, text, fc.uint8Array({ maxLength: 8 }));
  if (depth === 0) return flat;
  const inner = subset(depth - 1);
  return fc.oneof(flat, fc.array(inner, { maxLength: 3 }), mapOf(fc.oneof(fc.nat(30), natural), inner));
}

export function mapOf(keys: fc.Arbitrary<number>, values: fc.Arbitrary<CborValue>): fc.Arbitrary<CborMap> {
  return fc.array(fc.tuple(keys, values), { maxLength: 4 }).map((pairs) => new Map(pairs));
}

/** Any leaf of kinds 32 to 63. */
export const opaqueLeaf: fc.Arbitrary<Leaf> = completed(
  fc
    .tuple(
      recordOf({ ...COMMON_FIELDS, channel: { key: 4, type: "uint", optional: true } }),
      fc.integer({ min: 32, max: 63 }),
      mapOf(fc.oneof(fc.integer({ min: 6, max: 14 }), fc.integer({ min: 16, max: 63 })), subset(3)),
    )
    .map(([record, number, body]) => ({ kind: "opaque", ...record, number, body })),
);

/** A COSE_Sign1 put together by hand, as RFC 9052 draws it. */
export function assembled(
  type: string,
  payload: CborMap,
  parts: { readonly kid: Uint8Array; readonly signature: Uint8Array },
): Uint8Array {
  const header: CborMap = new Map<number, CborValue>([
    [1, -19],
    [4, parts.kid],
    [16, type],
  ]);
  return concatBytes(
    Uint8Array.of(0xd2, 0x84),
    encodeCbor(encodeCbor(header)),
    Uint8Array.of(0xa0),
    encodeCbor(encodeCbor(payload)),
    encodeCbor(parts.signature),
  );
}

/** Any object of a type over any of these payloads. Who would have signed it is no matter here. */
export function objectOver(type: ObjectType, payloads: fc.Arbitrary<CborMap>): fc.Arbitrary<Uint8Array> {
  const parts = fc.record({
    kid: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    signature: fc.uint8Array({ minLength: 64, maxLength: 64 }),
  });
  return fc.tuple(payloads, parts).map(([payload, rest]) => assembled(OBJECT_TYPES[type], payload, rest));
}

/** Any payload of a type's record. */
export function payloadOf(type: ObjectType): fc.Arbitrary<CborMap> {
  const fields = OBJECT_FIELDS[type];
  const keyed = (record: Readonly<Record<string, CborValue>>): CborMap =>
    new Map(Object.entries(record).map(([name, value]) => [fields[name]?.key ?? -1, value]));
  return recordOf(fields).map(keyed);
}

/** A value as JSON.parse should give it: bytes in hexadecimal, maps as objects. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [key, plain(item)]));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
}

/** JSON text without the white space between its tokens. */
export function squeezed(json: string): string {
  return json.replace(/("(?:[^"\\]|\\.)*")|[ \t\n\r]+/g, "$1");
}

/** One small change of a text: what people and other programs do to JSON, and plain damage. */
export function changed(json: string): fc.Arbitrary<string> {
  const at = fc.nat(Math.max(0, json.length - 1));
  const lines = json.split("\n");
  const line = fc.nat(lines.length - 1);
  const piece = fc.constantFrom(
    ...[
      " ",
      "\n",
      "\t",
      "\u00a0",
      "0",
      "-",
      "1",
      "a",
      "A",
      '"',
      "\\",
      ",",
      ":",
      "{",
      "}",
      "[",
      "]",
      "e0",
      ".0",
    ],
    ...["\\u0061", "\\/", "+", "null", '"hex"', '"64": "00",', '"status": 0,', "\ufeff", "//"],
  );
  return fc.oneof(
    fc.tuple(at, piece).map(([i, text]) => json.slice(0, i) + text + json.slice(i)),
    fc.tuple(at, piece).map(([i, text]) => json.slice(0, i) + text + json.slice(i + 1)),
    at.map((i) => json.slice(0, i) + json.slice(i + 1)),
    at.map((i) => json.slice(0, i) + json.charAt(i).toUpperCase() + json.slice(i + 1)),
    line.map((i) => lines.toSpliced(i, 1).join("\n")),
    line.map((i) => lines.toSpliced(i, 0, lines[i] ?? "").join("\n")),
    fc.tuple(line, line).map(([i, j]) =>
      lines
        .toSpliced(i, 1)
        .toSpliced(j, 0, lines[i] ?? "")
        .join("\n"),
    ),
  );
}
