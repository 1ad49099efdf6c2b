import { toHex } from "./bytes.ts";
import { type CborMap, type CborValue, DEFAULT_LIMITS } from "./cbor.ts";
import { CHECKPOINT_FIELDS } from "./checkpoint.ts";
import { assembleObject, OBJECT_TYPES, type ObjectType, parseObject } from "./cose.ts";
import { COUNTERSIGNATURE_FIELDS } from "./countersignature.ts";
import { ENROLMENT_FIELDS } from "./enrolment.ts";
import { checkField, type Field, type RecordCodec, recordCodec } from "./field.ts";
import {
  CHALLENGE_FIELDS,
  COMMITMENT_FIELDS,
  DISPATCH_FIELDS,
  DISPATCH_LIST_FIELDS,
} from "./flexibility/orders.ts";
import { HELLO_FIELDS } from "./hello.ts";
import {
  describeJson,
  isJsonList,
  isJsonMap,
  type Json,
  type JsonMap,
  parseJson,
  under,
  writeJson,
} from "./pretty-text.ts";
import {
  bytesFromJson,
  type Expected,
  isKeyed,
  keyedFromJson,
  keyedToJson,
  placedAt,
  requireMap,
  requireProperties,
  requireText,
  valueFromJson,
  valueToJson,
  wrongType,
} from "./pretty-value.ts";
import { Problem } from "./problem.ts";
import { RECEIPT_FIELDS } from "./receipt.ts";
import { REVOCATION_FIELDS } from "./revocation.ts";
import { ACCEPTANCE_FIELDS, ROTATION_FIELDS } from "./rotation.ts";

/**
 * Records and signed objects as JSON, exact both ways. An object:
 *
 *     { "type": "kilowitness/1 checkpoint",    16 of the protected header
 *       "kid": hex,                            4 of it; 1 is always -19
 *       "payload": { "size": 8, … },           by the names of the type's fields, in the order of their keys
 *       "signature": hex }
 *
 * A payload that is not its type's record, which nobody opens, is shown by its keys as what is never interpreted.
 */
const OBJECT: readonly Expected[] = ["type", "kid", "payload", "signature"].map((name) => ({
  name,
  optional: false,
}));
const DEPTH = DEFAULT_LIMITS.maxDepth - 1;
/** Every field type that holds bytes has them in its name. */
const OF_BYTES = /byte/i;

type Values = Readonly<Record<string, CborValue>>;
export type Property = readonly [name: string, field: Field];

interface RecordForm {
  readonly properties: readonly Property[];
  readonly codec: RecordCodec<Values>;
}

const RECORDS: { readonly [T in ObjectType]: RecordForm } = {
  acceptance: recordForm(ACCEPTANCE_FIELDS),
  challenge: recordForm(CHALLENGE_FIELDS),
  checkpoint: recordForm(CHECKPOINT_FIELDS),
  commitment: recordForm(COMMITMENT_FIELDS),
  countersignature: recordForm(COUNTERSIGNATURE_FIELDS),
  dispatch: recordForm(DISPATCH_FIELDS),
  dispatchList: recordForm(DISPATCH_LIST_FIELDS),
  enrolment: recordForm(ENROLMENT_FIELDS),
  hello: recordForm(HELLO_FIELDS),
  receipt: recordForm(RECEIPT_FIELDS),
  revocation: recordForm(REVOCATION_FIELDS),
  rotation: recordForm(ROTATION_FIELDS),
};
const formOfType: ReadonlyMap<string, RecordForm> = new Map(
  // The keys of OBJECT_TYPES are its own.
  Object.entries(OBJECT_TYPES).map(([name, type]) => [type, RECORDS[name as ObjectType]]),
);

function recordForm(fields: Readonly<Record<string, Field>>): RecordForm {
  return { properties: propertiesByKey(fields), codec: recordCodec<Values>("payload", fields) };
}

/** The properties of a field table in the order of their keys, which is their order in JSON, too. */
export function propertiesByKey(fields: Readonly<Record<string, Field>>): readonly Property[] {
  return Object.entries(fields).sort(([, a], [, b]) => a.key - b.key);
}

/**
 * The JSON of a COSE_Sign1 of a registered type; nothing is verified. Throws `cose-…` for what is no such object.
 */
export function objectToJson(bytes: Uint8Array): string {
  return writeJson(showObject(bytes));
}

/** The way back from {@link objectToJson}: its bytes. Throws `json-…`, `field`, `cose-…` or `cbor-…` with the property's path. */
export function objectFromJson(text: string): Uint8Array {
  return readObject(parseJson(text), "$");
}

/** {@link objectToJson} as a value. */
export function showObject(bytes: Uint8Array): JsonMap {
  const { type, kid, payload, signature } = parseObject(bytes);
  return new Map<string, Json>([
    ["type", type],
    ["kid", toHex(kid)],
    ["payload", showPayload(payload, requireRegistered(type, "type"))],
    ["signature", toHex(signature)],
  ]);
}

/** {@link objectFromJson} of a value that stands at `path`. */
export function readObject(json: Json, path: string): Uint8Array {
  const map = requireProperties(json, path, OBJECT);
  const at = (name: string): string => under(path, name);
  const type = requireText(map.get("type"), at("type"));
  const form = requireRegistered(type, at("type"));
  const object = {
    type,
    kid: bytesOfLength(map.get("kid"), at("kid"), 32),
    payload: readPayload(requireMap(map.get("payload"), at("payload")), at("payload"), form),
    signature: bytesOfLength(map.get("signature"), at("signature"), 64),
  };
  return placedAt(path, () => {
    const bytes = assembleObject(object);
    parseObject(bytes); // nothing is written that would not be read
    return bytes;
  });
}

function requireRegistered(type: string, path: string): RecordForm {
  const form = formOfType.get(type);
  if (form !== undefined) return form;
  throw new Problem("cose-type", "type is not registered", {
    ...{ where: path, expected: `one of ${[...formOfType.keys()].join(", ")}`, got: describeJson(type) },
  });
}

function showPayload(payload: CborMap, form: RecordForm): JsonMap {
  const values = recordOf(payload, form);
  if (values === undefined) return keyedToJson(payload, valueToJson);
  return showFields(form.properties, values);
}

function readPayload(json: JsonMap, path: string, form: RecordForm): CborMap {
  if (!isKeyed(json)) {
    const map = requireProperties(json, path, form.properties.map(expectedOf));
    return form.codec.toMap(Object.fromEntries(readFields(form.properties, map, path)));
  }
  const payload = keyedFromJson(json, path, (item, at) => valueFromJson(item, at, DEPTH));
  if (recordOf(payload, form) === undefined) return payload;
  throw new Problem("json-form", "the keys have names", { where: path, hint: "write the names" });
}

/** The values of a payload, or undefined where it is not a record of the form. */
function recordOf(payload: CborMap, form: RecordForm): ReadonlyMap<string, unknown> | undefined {
  try {
    return new Map(Object.entries(form.codec.fromMap(payload)));
  } catch (cause) {
    if (cause instanceof Problem) return undefined;
    throw cause;
  }
}

/** What {@link requireProperties} expects of a property of a field table. */
export function expectedOf([name, { optional }]: Property): Expected {
  return { name, optional };
}

/** The properties that have a value, by name. Throws `field` for a value of another type. */
export function showFields(
  properties: readonly Property[],
  values: ReadonlyMap<string, unknown>,
): ReadonlyMap<string, Json> {
  const json = new Map<string, Json>();
  for (const [name, field] of properties) {
    const value = values.get(name);
    if (value !== undefined) json.set(name, showValue(checkField(name, field, value)));
  }
  return json;
}

/** The values of the properties that `map` has. Throws `field`, `json-…` or what {@link readObject} does. */
export function readFields(
  properties: readonly Property[],
  map: JsonMap,
  path: string,
): ReadonlyMap<string, CborValue> {
  const values = new Map<string, CborValue>();
  for (const [name, field] of properties) {
    const json = map.get(name);
    if (json === undefined) continue;
    const at = under(path, name);
    const value = OF_BYTES.test(field.type) ? readBytes(json, at) : readPlain(json, at);
    values.set(
      name,
      placedAt(at, () => checkField(name, field, value)),
    );
  }
  return values;
}

/** Numbers and texts stand for themselves; bytes are hexadecimal text, but a signed object among them is written out. */
function showValue(value: CborValue): Json {
  if (value instanceof Uint8Array) return shownObject(value) ?? toHex(value);
  return Array.isArray(value) ? value.map(showValue) : valueToJson(value);
}

function shownObject(bytes: Uint8Array): Json | undefined {
  try {
    return showObject(bytes);
  } catch (cause) {
    if (cause instanceof Problem) return undefined;
    throw cause;
  }
}

function readPlain(json: Json, path: string): CborValue {
  if (isJsonMap(json)) throw wrongType(path, "a number, a text or a list of them", json);
  if (isJsonList(json)) return json.map((item, at) => readPlain(item, `${path}[${at}]`));
  return json;
}

function readBytes(json: Json, path: string): CborValue {
  if (isJsonMap(json)) return readObject(json, path);
  if (isJsonList(json)) return json.map((item, at) => readBytes(item, `${path}[${at}]`));
  const bytes = bytesFromJson(json, path);
  if (shownObject(bytes) === undefined) return bytes;
  throw new Problem("json-form", "the bytes are a signed object", {
    ...{ where: path, expected: "the object, written out", got: describeJson(json) },
  });
}

function bytesOfLength(json: Json | undefined, path: string, length: number): Uint8Array {
  const bytes = bytesFromJson(json, path);
  if (bytes.length === length) return bytes;
  throw new Problem("json-hex", "wrong number of bytes", {
    ...{ where: path, expected: `${length} bytes`, got: `${bytes.length} bytes` },
  });
}
