import { fromHex, toHex } from "../../../attest/bytes.ts";
import { isFields, type Json, type JsonFields } from "./schema.ts";

/** What the checks take out of a vector's JSON, and how their results become JSON again. */

/** A property that must be there as text. */
export function textOf(fields: JsonFields, name: string): string {
  const value = fields[name];
  if (typeof value === "string") return value;
  throw new Error(`"${name}" is no text`);
}

/** A property that must be there as a number. */
export function numberOf(fields: JsonFields, name: string): number {
  const value = fields[name];
  if (typeof value === "number") return value;
  throw new Error(`"${name}" is no number`);
}

/** A property that must be there as bytes: lower-case hexadecimal text. */
export function bytesOf(fields: JsonFields, name: string): Uint8Array {
  return bytesIn(fields[name], name);
}

/** A property that may be absent. */
export function optional<T>(
  fields: JsonFields,
  name: string,
  read: (fields: JsonFields, name: string) => T,
): T | undefined {
  return fields[name] === undefined ? undefined : read(fields, name);
}

/** A list of byte strings. */
export function byteListOf(fields: JsonFields, name: string): Uint8Array[] {
  return listOf(fields, name).map((item) => bytesIn(item, name));
}

/** A list of whole numbers. */
export function numbersOf(fields: JsonFields, name: string): number[] {
  return listOf(fields, name).map((item) => {
    if (typeof item === "number") return item;
    throw new Error(`"${name}" holds something else than numbers`);
  });
}

/** A list of JSON objects. */
export function recordsOf(fields: JsonFields, name: string): JsonFields[] {
  return listOf(fields, name).map((item) => {
    if (isFields(item)) return item;
    throw new Error(`"${name}" holds something else than objects`);
  });
}

function listOf(fields: JsonFields, name: string): readonly Json[] {
  const value = fields[name];
  if (Array.isArray(value)) return value;
  throw new Error(`"${name}" is no list`);
}

function bytesIn(value: Json | undefined, name: string): Uint8Array {
  if (typeof value === "string" && /^(?:[0-9a-f]{2})*$/.test(value)) return fromHex(value, name);
  throw new Error(`"${name}" is not bytes in lower-case hexadecimal`);
}

/** How bytes are written: bare where the field says that they are bytes, apart from text where nothing does. */
type ShowBytes = (bytes: Uint8Array) => Json;

/** A value as JSON: bytes as hexadecimal, maps as objects; what is undefined is left out. */
export function show(value: unknown, showBytes: ShowBytes = toHex): Json {
  if (typeof value === "number" || typeof value === "string" || typeof value === "boolean") return value;
  if (value instanceof Uint8Array) return showBytes(value);
  if (Array.isArray(value)) return value.map((item: unknown) => show(item, showBytes));
  if (value instanceof Map) return showPairs([...value], showBytes);
  if (typeof value === "object" && value !== null) return showPairs(Object.entries(value), showBytes);
  throw new Error(`${typeof value} has no JSON here`);
}

/** {@link show} of an object's properties. */
export function showFields(value: object): JsonFields {
  return showPairs(Object.entries(value), toHex);
}

/** The body of an opaque leaf is the one place without known types. */
function showPairs(pairs: readonly (readonly [unknown, unknown])[], showBytes: ShowBytes): JsonFields {
  const known = pairs.filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    known.map(([name, value]) => {
      const untyped = name === "body" && value instanceof Map;
      return [String(name), show(value, untyped ? (bytes) => ({ hex: toHex(bytes) }) : showBytes)];
    }),
  );
}
