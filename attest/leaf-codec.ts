import { type CborMap, type CborValue, decodeCborAt, encodeCbor } from "./cbor.ts";
import { checkField, type Field } from "./field.ts";
import { LEAF_KINDS, type Leaf, type LeafKind, type OpaqueLeaf, TIME_QUALITY } from "./leaf.ts";
import { COMMON_FIELDS, KIND_FIELDS } from "./leaf-fields.ts";
import { Problem } from "./problem.ts";
import { decodeReadingAt, encodeReading, endOfReading } from "./reading-codec.ts";

/** Largest encoded leaf. */
export const MAX_LEAF_BYTES = 4096;

const KIND_KEY = 0;
const FIRST_EXTENSION_KEY = 64;
const FIRST_OPAQUE_KIND = 32;
const LAST_OPAQUE_KIND = 63;

type Property = readonly [name: string, field: Field];
type DefinedKind = keyof typeof KIND_FIELDS;

const commonProperties: readonly Property[] = Object.entries(COMMON_FIELDS);
const propertiesOf: ReadonlyMap<string, readonly Property[]> = new Map(
  Object.entries(KIND_FIELDS).map(([kind, fields]) => [
    kind,
    [...commonProperties, ...Object.entries(fields)],
  ]),
);
const opaqueProperties: readonly Property[] = [
  ...commonProperties,
  ["channel", { key: 4, type: "uint", optional: true }],
];
const opaqueKeys: ReadonlySet<number> = new Set([
  KIND_KEY,
  ...opaqueProperties.map(([, field]) => field.key),
]);
const kindByNumber: ReadonlyMap<number, LeafKind> = new Map(
  Object.entries(LEAF_KINDS).map(([kind, number]) => [number, kind as LeafKind]),
);

/**
 * The one encoding of a leaf: deterministic CBOR, a map of unsigned keys.
 *
 *     { 0: kind (absent for a reading), 1: seq, 2: time, 3: time quality, 4: channel, 5: status,
 *       6..63: what the kind says, 15: salt, 64..: extensions }
 *
 * Throws `field` for a property outside its type and `leaf-size` above {@link MAX_LEAF_BYTES}.
 */
export function encodeLeaf(leaf: Leaf): Uint8Array {
  return (leaf.kind === "reading" ? encodeReading(leaf) : undefined) ?? encodeAnyLeaf(leaf);
}

/** {@link encodeLeaf} by the field tables alone: every kind, and every refusal. */
export function encodeAnyLeaf(leaf: Leaf): Uint8Array {
  if (leaf.status === 0) throw zeroStatus();
  requireQuality(leaf.timeQuality);
  const map = new Map<number, CborValue>();
  const number = leaf.kind === "opaque" ? leaf.number : LEAF_KINDS[leaf.kind];
  if (number !== LEAF_KINDS.reading) map.set(KIND_KEY, number);
  const values = new Map<string, unknown>(Object.entries(leaf));
  for (const [name, field] of leafProperties(leaf.kind)) {
    const value = values.get(name);
    if (value === undefined && field.optional) continue;
    map.set(field.key, checkField(name, field, value));
  }
  if (leaf.kind === "opaque") addOpaque(map, leaf);
  for (const [key, value] of leaf.extensions ?? []) map.set(extensionKey(key), extensionValue(key, value));
  const bytes = encodeCbor(map);
  if (bytes.length > MAX_LEAF_BYTES) {
    throw new Problem("leaf-size", "leaf is too large", {
      expected: `at most ${MAX_LEAF_BYTES} bytes`,
      got: `${bytes.length}`,
    });
  }
  return bytes;
}

/** The kind and the body of an opaque leaf must not stand for anything that this version knows. */
function addOpaque(map: Map<number, CborValue>, leaf: OpaqueLeaf): void {
  if (leaf.number < FIRST_OPAQUE_KIND || leaf.number > LAST_OPAQUE_KIND)
    throw new Problem("leaf-kind", `kind ${leaf.number} is not opaque`, {
      expected: `${FIRST_OPAQUE_KIND} to ${LAST_OPAQUE_KIND}`,
    });
  for (const [key, value] of leaf.body) {
    if (key >= FIRST_EXTENSION_KEY || opaqueKeys.has(key)) throw unknownKey(key, "opaque");
    map.set(key, value);
  }
}

/** Decodes one leaf that fills `bytes`. Throws `cbor-…` or `leaf-…` with the offset or field and the reason. */
export function decodeLeaf(bytes: Uint8Array): Leaf {
  const { leaf, end } = decodeLeafAt(bytes, 0);
  if (end === bytes.length) return leaf;
  throw new Problem("leaf-trailing", `${bytes.length - end} bytes after the leaf`, {
    where: `offset ${end}`,
  });
}

/** Decodes the leaf that begins at `offset` of a sequence of leaves (RFC 8742); `end` is the offset behind it. */
export function decodeLeafAt(
  bytes: Uint8Array,
  offset: number,
): { readonly leaf: Leaf; readonly end: number } {
  const reading = decodeReadingAt(bytes, offset);
  return reading === undefined ? decodeAnyLeafAt(bytes, offset) : { leaf: reading, end: endOfReading() };
}

/** {@link decodeLeafAt} by the field tables alone: every kind, and every refusal. */
export function decodeAnyLeafAt(
  bytes: Uint8Array,
  offset: number,
): { readonly leaf: Leaf; readonly end: number } {
  const { value, end } = decodeCborAt(bytes, offset);
  if (!(value instanceof Map))
    throw new Problem("leaf-type", "a leaf is a map", { where: `offset ${offset}` });
  if (end - offset > MAX_LEAF_BYTES) {
    throw new Problem("leaf-size", "leaf is too large", {
      where: `offset ${offset}`,
      expected: `at most ${MAX_LEAF_BYTES} bytes`,
      got: String(end - offset),
    });
  }
  return { leaf: leafOfMap(value), end };
}

function leafOfMap(map: CborMap): Leaf {
  const number = kindNumber(map);
  const kind = number >= FIRST_OPAQUE_KIND ? "opaque" : definedKind(number);
  const leaf = new Map<string, unknown>([["kind", kind]]);
  const known = new Set<number>([KIND_KEY]);
  for (const [name, field] of leafProperties(kind)) {
    known.add(field.key);
    const value = map.get(field.key);
    if (value === undefined && field.optional) continue;
    leaf.set(name, checkField(name, field, value));
  }
  if (leaf.get("status") === 0) throw zeroStatus();
  requireQuality(leaf.get("timeQuality"));
  const rest = [...map].filter(([key]) => !known.has(key));
  const extensions = rest.filter(([key]) => key >= FIRST_EXTENSION_KEY);
  if (extensions.length > 0) leaf.set("extensions", extensionMap(extensions));
  const body = rest.filter(([key]) => key < FIRST_EXTENSION_KEY);
  if (kind === "opaque") leaf.set("number", number).set("body", new Map(body));
  else if (body[0] !== undefined) throw unknownKey(body[0][0], kind);
  // Every property has just been checked against the table that mirrors the interfaces.
  return Object.fromEntries(leaf) as unknown as Leaf;
}

function requireQuality(quality: unknown): void {
  if (typeof quality === "number" && quality <= TIME_QUALITY.anchored) return;
  throw new Problem("leaf-time-quality", "time quality is out of range", {
    expected: "0 to 4",
    got: String(quality),
  });
}

function zeroStatus(): Problem {
  return new Problem("leaf-zero-status", "status 0 is written by leaving it out");
}

function unknownKey(key: number, kind: string): Problem {
  return new Problem("leaf-unknown-key", `key ${key} is unknown in a ${kind} leaf`);
}

function kindNumber(map: CborMap): number {
  const value = map.get(KIND_KEY);
  if (value === undefined) return LEAF_KINDS.reading;
  if (typeof value !== "number" || value < 0 || value > LAST_OPAQUE_KIND) {
    throw new Problem("leaf-kind", "kind is out of range", {
      expected: `1 to ${LAST_OPAQUE_KIND}`,
      got: typeof value === "number" ? String(value) : typeof value,
    });
  }
  if (value === LEAF_KINDS.reading) throw new Problem("leaf-kind", "kind 0 is written by leaving it out");
  return value;
}

function definedKind(number: number): DefinedKind {
  const kind = kindByNumber.get(number);
  if (kind !== undefined) return kind;
  throw new Problem("leaf-kind", `kind ${number} is not assigned`, {
    hint: "verify it with a newer version",
  });
}

function leafProperties(kind: Leaf["kind"]): readonly Property[] {
  return kind === "opaque" ? opaqueProperties : (propertiesOf.get(kind) ?? []);
}

function extensionMap(pairs: readonly (readonly [number, CborValue])[]): ReadonlyMap<number, Uint8Array> {
  const extensions = new Map<number, Uint8Array>();
  for (const [key, value] of pairs) extensions.set(key, extensionValue(key, value));
  return extensions;
}

function extensionKey(key: number): number {
  if (key >= FIRST_EXTENSION_KEY) return key;
  throw new Problem("leaf-extension", `key ${key} is no extension`, {
    expected: `${FIRST_EXTENSION_KEY} or more`,
  });
}

function extensionValue(key: number, value: CborValue): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new Problem("leaf-extension", `key ${key} must hold a byte string`);
}
