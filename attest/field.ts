import type { CborMap, CborValue } from "./cbor.ts";
import { Problem } from "./problem.ts";

/** How one property of a leaf, payload or message stands on the wire: its key, its type, whether it may be absent. */
export interface Field {
  readonly key: number;
  readonly type: FieldType;
  readonly optional: boolean;
}

export type FieldType =
  | "uint"
  | "int"
  | "text"
  | "longText"
  | "bytes16"
  | "bytes32"
  | "bytes"
  | "byteStrings"
  | "uints"
  | "dayOfInts";

/** Longest text, in UTF-8 bytes, and longest list; the longest day has 100 quarters of an hour. */
const MAX_TEXT_BYTES = 128;
const MAX_LONG_TEXT_BYTES = 1024;
const MAX_LIST = 8;
const MAX_DAY = 100;

/** A field that is always there. */
export function must(key: number, type: FieldType): Field {
  return { key, type, optional: false };
}

/** A field that may be absent. */
export function may(key: number, type: FieldType): Field {
  return { key, type, optional: true };
}

/** Both ways between an object and its CBOR map, strict in both. */
export interface RecordCodec<T> {
  /** Throws `field` for a property outside its type. */
  toMap(value: T): CborMap;
  /** Throws `field` for a missing or wrong property and `unknown-key` for a key that is not the record's. */
  fromMap(map: CborMap): T;
}

/** The codec of a record whose properties stand under the keys of `fields`. `name` is for messages. */
export function recordCodec<T extends object>(
  name: string,
  fields: { readonly [P in keyof T]-?: Field },
): RecordCodec<T> {
  const properties: readonly (readonly [string, Field])[] = Object.entries<Field>(fields);
  const keys = new Set(properties.map(([, field]) => field.key));
  return {
    toMap: (value) => toMap(name, properties, new Map(Object.entries(value))),
    fromMap: (map) => {
      const unknown = [...map.keys()].find((key) => !keys.has(key));
      if (unknown !== undefined)
        throw new Problem("unknown-key", `key ${unknown} is unknown`, { where: name });
      // Every property has just been checked against the table that mirrors T.
      return Object.fromEntries(fromMap(name, properties, map)) as T;
    },
  };
}

function toMap(
  name: string,
  properties: readonly (readonly [string, Field])[],
  values: ReadonlyMap<string, unknown>,
): CborMap {
  const map = new Map<number, CborValue>();
  for (const [property, field] of properties) {
    const value = values.get(property);
    if (value === undefined && field.optional) continue;
    map.set(field.key, checkField(`${name}.${property}`, field, value));
  }
  return map;
}

function fromMap(
  name: string,
  properties: readonly (readonly [string, Field])[],
  map: CborMap,
): Map<string, CborValue> {
  const values = new Map<string, CborValue>();
  for (const [property, field] of properties) {
    const value = map.get(field.key);
    if (value === undefined && field.optional) continue;
    values.set(property, checkField(`${name}.${property}`, field, value));
  }
  return values;
}

/** Throws `field` unless `value` is of the field's type; returns it. Used on both ways of the codec. */
export function checkField(name: string, field: Field, value: unknown): CborValue {
  switch (field.type) {
    case "uint":
      return checkInteger(name, value, 0);
    case "int":
      return checkInteger(name, value, -Number.MAX_SAFE_INTEGER);
    case "text":
      return checkText(name, value, MAX_TEXT_BYTES);
    case "longText":
      return checkText(name, value, MAX_LONG_TEXT_BYTES);
    case "bytes16":
      return checkBytes(name, value, 16);
    case "bytes32":
      return checkBytes(name, value, 32);
    case "bytes":
      return checkAnyBytes(name, value);
    case "uints":
      return checkList(name, value, MAX_LIST).map((item) => checkInteger(name, item, 0));
    case "dayOfInts":
      return checkList(name, value, MAX_DAY).map((item) =>
        checkInteger(name, item, -Number.MAX_SAFE_INTEGER),
      );
    case "byteStrings":
      return checkList(name, value, MAX_LIST).map((item) => checkAnyBytes(name, item));
  }
}

function checkInteger(name: string, value: unknown, least: number): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= least) return value;
  throw wrong(
    name,
    least === 0 ? "an unsigned integer up to 2^53-1" : "an integer of at most 53 bits",
    value,
  );
}

function checkText(name: string, value: unknown, most: number): string {
  if (typeof value === "string" && new TextEncoder().encode(value).length <= most) return value;
  throw wrong(name, `text of at most ${most} bytes`, value);
}

function checkBytes(name: string, value: unknown, length: number): Uint8Array {
  if (value instanceof Uint8Array && value.length === length) return value;
  throw wrong(name, `${length} bytes`, value);
}

function checkAnyBytes(name: string, value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw wrong(name, "a byte string", value);
}

function checkList(name: string, value: unknown, most: number): readonly unknown[] {
  if (Array.isArray(value) && value.length > 0 && value.length <= most) return value;
  throw wrong(name, `a list of 1 to ${most}`, value);
}

function wrong(name: string, expected: string, value: unknown): Problem {
  const got = value instanceof Uint8Array ? `${value.length} bytes` : describe(value);
  return new Problem("field", `"${name}" is wrong`, { expected, got });
}

function describe(value: unknown): string {
  if (typeof value === "number") return String(value);
  if (typeof value === "string") return `text of ${value.length} characters`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return value === undefined ? "nothing" : typeof value;
}
