import { toHex } from "./bytes.ts";
import { DEFAULT_LIMITS } from "./cbor.ts";
import { type Field, may } from "./field.ts";
import type { Leaf } from "./leaf.ts";
import { decodeLeaf, decodeLeafAt, encodeLeaf } from "./leaf-codec.ts";
import { COMMON_FIELDS, KIND_FIELDS } from "./leaf-fields.ts";
import { expectedOf, type Property, propertiesByKey, readFields, showFields } from "./pretty-object.ts";
import { describeJson, type Json, type JsonMap, parseJson, under, writeJson } from "./pretty-text.ts";
import {
  bytesFromJson,
  type Expected,
  keyedFromJson,
  keyedToJson,
  placedAt,
  requireList,
  requireMap,
  requireNumber,
  requireProperties,
  requireText,
  valueFromJson,
  valueToJson,
} from "./pretty-value.ts";
import { Problem } from "./problem.ts";

/**
 * Leaves as JSON, exact both ways: what a leaf's interface says, in the order of the keys on the wire.
 *
 *     { "kind": "reading", "seq": 5, …, "salt": hex, "resolutionMwh": 1, "extensions": {"64": hex} }
 *     { "kind": "opaque", "number": 40, "seq": 5, …, "salt": hex, "body": {"6": value}, "extensions": … }
 */
const OPAQUE = "opaque";
const BODY_DEPTH = DEFAULT_LIMITS.maxDepth - 1;
/** What the refusals of the leaf codec speak of. */
const PROPERTY_OF_CODE: ReadonlyMap<string, string> = new Map([
  ["leaf-extension", "extensions"],
  ["leaf-kind", "number"],
  ["leaf-time-quality", "timeQuality"],
  ["leaf-unknown-key", "body"],
  ["leaf-zero-status", "status"],
]);

const tableOf: ReadonlyMap<string, readonly Property[]> = new Map([
  ...Object.entries<Readonly<Record<string, Field>>>(KIND_FIELDS).map(
    ([kind, fields]) => [kind, propertiesByKey({ ...COMMON_FIELDS, ...fields })] as const,
  ),
  [OPAQUE, propertiesByKey({ ...COMMON_FIELDS, channel: may(4, "uint") })],
]);

/** The JSON of a leaf. Throws what {@link encodeLeaf} does for what is none. */
export function leafToJson(leaf: Leaf): string {
  return writeJson(showLeaf(decodeLeaf(encodeLeaf(leaf))));
}

/** The way back from {@link leafToJson}. Throws `json-…`, `field`, `leaf-…`, `cose-…` or `cbor-…` with the property's path. */
export function leafFromJson(text: string): Leaf {
  return decodeLeaf(readLeaf(parseJson(text), "$"));
}

/** The JSON of leaves back to back: a list. Throws what {@link decodeLeafAt} does. */
export function leavesToJson(bytes: Uint8Array): string {
  return writeJson(showLeaves(bytes));
}

/** The way back from {@link leavesToJson}: the leaves' bytes, back to back. Throws as {@link leafFromJson} does. */
export function leavesFromJson(text: string): Uint8Array {
  return readLeaves(parseJson(text), "$");
}

/** {@link leavesToJson} as a value. */
export function showLeaves(bytes: Uint8Array): readonly Json[] {
  const list: Json[] = [];
  for (let at = 0; at < bytes.length; ) {
    const { leaf, end } = decodeLeafAt(bytes, at);
    list.push(showLeaf(leaf));
    at = end;
  }
  return list;
}

/** {@link leavesFromJson} of a value that stands at `path`. */
export function readLeaves(json: Json, path: string): Uint8Array {
  const leaves = requireList(json, path).map((item, at) => readLeaf(item, `${path}[${at}]`));
  const bytes = new Uint8Array(leaves.reduce((total, leaf) => total + leaf.length, 0));
  let at = 0;
  for (const leaf of leaves) {
    bytes.set(leaf, at);
    at += leaf.length;
  }
  return bytes;
}

/** {@link leafToJson} as a value, of a leaf that was decoded. */
function showLeaf(leaf: Leaf): JsonMap {
  const json = new Map<string, Json>([["kind", leaf.kind]]);
  if (leaf.kind === OPAQUE) json.set("number", leaf.number);
  const values = new Map<string, unknown>(Object.entries(leaf));
  for (const [name, value] of showFields(tableOf.get(leaf.kind) ?? [], values)) json.set(name, value);
  if (leaf.kind === OPAQUE) json.set("body", keyedToJson(leaf.body, valueToJson));
  if (leaf.extensions !== undefined) json.set("extensions", keyedToJson(leaf.extensions, toHex));
  return json;
}

/** {@link leafFromJson} of a value that stands at `path`: the leaf's bytes. */
export function readLeaf(json: Json, path: string): Uint8Array {
  const leaf = leafOf(json, path);
  return placedAt(path, () => encodeLeaf(leaf), PROPERTY_OF_CODE);
}

function leafOf(json: Json, path: string): Leaf {
  const kind = kindOf(json, path);
  const properties = tableOf.get(kind) ?? [];
  const map = requireProperties(json, path, expectedOfKind(kind, properties));
  const leaf = new Map<string, unknown>([["kind", kind], ...readFields(properties, map, path)]);
  if (kind === OPAQUE) {
    leaf.set("number", requireNumber(map.get("number"), under(path, "number")));
    const body = keyedFromJson(map.get("body"), under(path, "body"), (item, at) =>
      valueFromJson(item, at, BODY_DEPTH),
    );
    leaf.set("body", body);
  }
  if (map.has("extensions")) leaf.set("extensions", extensionsOf(map, under(path, "extensions")));
  // Every property has just been checked against the table that mirrors the interfaces.
  return Object.fromEntries(leaf) as unknown as Leaf;
}

function kindOf(json: Json, path: string): string {
  const kind = requireText(requireMap(json, path).get("kind"), under(path, "kind"));
  if (tableOf.has(kind)) return kind;
  throw new Problem("json-kind", "there is no such kind of leaf", {
    ...{ where: under(path, "kind"), expected: `one of ${[...tableOf.keys()].join(", ")}` },
    got: describeJson(kind),
  });
}

function expectedOfKind(kind: string, properties: readonly Property[]): readonly Expected[] {
  const own = (name: string): Expected[] => (kind === OPAQUE ? [{ name, optional: false }] : []);
  return [
    { name: "kind", optional: false },
    ...own("number"),
    ...properties.map(expectedOf),
    ...own("body"),
    { name: "extensions", optional: true },
  ];
}

/** No extensions have one form: the property is absent. */
function extensionsOf(map: JsonMap, path: string): ReadonlyMap<number, Uint8Array> {
  const extensions = keyedFromJson(map.get("extensions"), path, bytesFromJson);
  if (extensions.size > 0) return extensions;
  throw new Problem("json-form", "there are no extensions", {
    ...{ where: path, expected: "at least one key, or no such property", got: "a map of 0" },
  });
}
