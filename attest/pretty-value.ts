import { fromHex, toHex } from "./bytes.ts";
import type { CborMap, CborValue } from "./cbor.ts";
import { describeJson, isJsonList, isJsonMap, type Json, type JsonMap, under } from "./pretty-text.ts";
import { Problem } from "./problem.ts";

/**
 * Values as JSON, exact both ways. Where a field table names the type, bytes are text in hexadecimal; where nothing
 * does, in what is never interpreted, they stand apart from text:
 *
 *     integer -> 5    text -> "5"    bytes -> {"hex": "05"}    array -> […]    map -> {"5": …}, keys ascending
 */
const HEX = "hex";
const LOWER_HEX = /^(?:[0-9a-f]{2})*$/;
const DECIMAL = /^(?:0|[1-9][0-9]*)$/;

/** A property that a map is expected to have. */
export interface Expected {
  readonly name: string;
  readonly optional: boolean;
}

/** The map, whose properties are the expected ones in their order. Throws `json-type`, `-property`, `-missing`, `-order`. */
export function requireProperties(json: Json, path: string, expected: readonly Expected[]): JsonMap {
  const map = requireMap(json, path);
  const names = expected.map(({ name }) => name);
  for (const [name, value] of map) {
    if (names.includes(name)) continue;
    throw new Problem("json-property", "property is unknown", {
      ...{ where: under(path, name), expected: `one of ${names.join(", ")}`, got: describeJson(value) },
    });
  }
  for (const { name, optional } of expected) {
    if (optional || map.has(name)) continue;
    throw new Problem("json-missing", "property is missing", {
      ...{ where: under(path, name), expected: `"${name}"`, got: "nothing" },
    });
  }
  const inOrder = names.filter((name) => map.has(name));
  for (const [at, name] of [...map.keys()].entries()) {
    if (name === inOrder[at]) continue;
    throw new Problem("json-order", "property is out of order", {
      ...{ where: under(path, name), expected: `"${inOrder[at]}" before it`, got: `"${name}"` },
    });
  }
  return map;
}

/** Throws `json-type` unless `json` is a map. */
export function requireMap(json: Json | undefined, path: string): JsonMap {
  if (json !== undefined && isJsonMap(json)) return json;
  throw wrongType(path, "a map", json);
}

/** Throws `json-type` unless `json` is a list. */
export function requireList(json: Json, path: string): readonly Json[] {
  if (isJsonList(json)) return json;
  throw wrongType(path, "a list", json);
}

/** Throws `json-type` unless `json` is a number. */
export function requireNumber(json: Json | undefined, path: string): number {
  if (typeof json === "number") return json;
  throw wrongType(path, "a number", json);
}

/** Throws `json-type` unless `json` is text. */
export function requireText(json: Json | undefined, path: string): string {
  if (typeof json === "string") return json;
  throw wrongType(path, "a text", json);
}

/** The refusal of a value of another type, or of none at all. */
export function wrongType(path: string, expected: string, json: Json | undefined): Problem {
  const detail = { where: path, expected, got: describeJson(json) };
  if (json === undefined) return new Problem("json-missing", "property is missing", detail);
  return new Problem("json-type", "value is of another type", detail);
}

/** Bytes of lower-case hexadecimal text. Throws `json-type` or `json-hex`. */
export function bytesFromJson(json: Json | undefined, path: string): Uint8Array {
  const text = requireText(json, path);
  if (LOWER_HEX.test(text)) return fromHex(text, path);
  throw new Problem("json-hex", "not bytes in hexadecimal", {
    where: path,
    expected: "pairs of the digits 0-9 and a-f",
    got: describeJson(text),
  });
}

/**
 * What `run` returns; what it refuses is said to be at `path`, under the same code. `properties` names the property
 * that a code speaks of.
 */
export function placedAt<T>(path: string, run: () => T, properties?: ReadonlyMap<string, string>): T {
  try {
    return run();
  } catch (cause) {
    if (!(cause instanceof Problem)) throw cause;
    const { expected, got } = cause.detail;
    const property = properties?.get(cause.code);
    const where = property === undefined ? path : under(path, property);
    if (expected === undefined || got === undefined)
      throw new Problem(cause.code, cause.message, { where, cause });
    throw new Problem(cause.code, "value is not allowed", { where, expected, got, cause });
  }
}

/** Any value of the subset, by itself. */
export function valueToJson(value: CborValue): Json {
  if (typeof value === "number" || typeof value === "string") return value;
  if (value instanceof Uint8Array) return new Map([[HEX, toHex(value)]]);
  return isCborMap(value) ? keyedToJson(value, valueToJson) : value.map(valueToJson);
}

/** The way back from {@link valueToJson}, nested at most `depth` deep. Throws `json-…`. */
export function valueFromJson(json: Json, path: string, depth: number): CborValue {
  if (typeof json === "number" || typeof json === "string") return json;
  if (isJsonMap(json) && json.has(HEX)) {
    const map = requireProperties(json, path, [{ name: HEX, optional: false }]);
    return bytesFromJson(map.get(HEX), under(path, HEX));
  }
  if (depth === 0)
    throw new Problem("json-depth", "nested deeper than evidence may be", {
      where: path,
      expected: "a number, a text or bytes",
      got: describeJson(json),
    });
  if (isJsonMap(json)) return keyedFromJson(json, path, (item, at) => valueFromJson(item, at, depth - 1));
  return requireList(json, path).map((item, at) => valueFromJson(item, `${path}[${at}]`, depth - 1));
}

/** A map with integer keys, ascending as they were decoded: the keys in decimal digits. */
export function keyedToJson<V>(map: ReadonlyMap<number, V>, show: (value: V) => Json): JsonMap {
  return new Map([...map].map(([key, value]) => [String(key), show(value)]));
}

/** The way back from {@link keyedToJson}. Throws `json-type`, `json-key`, `json-order` or what `read` does. */
export function keyedFromJson<V>(
  json: Json | undefined,
  path: string,
  read: (item: Json, path: string) => V,
): ReadonlyMap<number, V> {
  const map = new Map<number, V>();
  let previous = -1;
  for (const [name, item] of requireMap(json, path)) {
    const where = under(path, name);
    const key = integerKey(name, where);
    if (key < previous)
      throw new Problem("json-order", "key is out of order", {
        ...{ where, expected: `a key above ${previous}`, got: name },
      });
    previous = key;
    map.set(key, read(item, where));
  }
  return map;
}

/** Whether all names of a map are integer keys, as they are where nothing has names. */
export function isKeyed(map: JsonMap): boolean {
  return [...map.keys()].every((name) => DECIMAL.test(name));
}

function integerKey(name: string, where: string): number {
  const key = Number(name);
  if (DECIMAL.test(name) && Number.isSafeInteger(key)) return key;
  throw new Problem("json-key", "not a key", {
    ...{ where, expected: "0 to 2^53-1 in plain digits", got: describeJson(name) },
  });
}

function isCborMap(value: CborValue): value is CborMap {
  return value instanceof Map;
}
