import { toHex } from "./bytes.ts";
import type { CborValue } from "./cbor.ts";
import {
  decodeFault,
  encodeFault,
  FAULT_FIELDS,
  FAULT_FORMAT,
  type Fault,
  isFaultFile,
  joinObjects,
  splitObjects,
} from "./fault.ts";
import {
  decodeSettlementProof,
  encodeSettlementProof,
  isSettlementFile,
  SETTLEMENT_FORMAT,
} from "./flexibility/proof-file.ts";
import { readLeaf, readLeaves, showLeaves } from "./pretty-leaf.ts";
import {
  expectedOf,
  type Property,
  propertiesByKey,
  readFields,
  readObject,
  showFields,
  showObject,
} from "./pretty-object.ts";
import { isJsonList, isJsonMap, type Json, type JsonMap, under } from "./pretty-text.ts";
import { bytesFromJson, placedAt, requireList, requireProperties, requireText } from "./pretty-value.ts";
import { Problem } from "./problem.ts";
import {
  decodeProof,
  encodeProof,
  joinHashes,
  PART_FIELDS,
  PROOF_FORMAT,
  type ProofPart,
  splitHashes,
} from "./proof.ts";
import { HASH_BYTES } from "./tree.ts";

/**
 * Proof, settlement and fault files as JSON, exact both ways:
 *
 *     { "format": "kilowitness/1 proof", "parts": [{ "checkpoint": object, "manifests": [leaf, …], … }], "enrolment": [object, …] }
 *     { "format": "kilowitness/1 settlement", "part": { "checkpoint": object, … }, "list": object, "enrolment": [object, …] }
 *     { "format": "kilowitness/1 fault", "fault": "fork", "network": …, … }
 *
 * Byte strings that hold leaves, hashes or objects back to back are lists of them; those that do not are hexadecimal.
 */
interface Shape {
  /** Throws a Problem where the bytes are not of the shape. */
  readonly show: (bytes: Uint8Array) => Json;
  readonly read: (json: Json, path: string) => Uint8Array;
}

const LEAVES: Shape = { show: showLeaves, read: readLeaves };
const ONE_LEAF: Shape = { show: showOneLeaf, read: readLeaf };
const HASHES: Shape = {
  show: (bytes) => splitHashes(bytes).map(toHex),
  read: (json, path) => joinHashes(listOf(json, path, hashFromJson)),
};
const OBJECTS: Shape = {
  show: (bytes) => splitObjects(bytes).map(showObject),
  read: (json, path) => joinObjects(listOf(json, path, readObject)),
};

const SHAPES: ReadonlyMap<string, Shape> = new Map([
  ["manifests", LEAVES],
  ["leaves", LEAVES],
  ["leaf", ONE_LEAF],
  ["otherLeaf", ONE_LEAF],
  ["hashes", HASHES],
  ["otherHashes", HASHES],
  ["rotations", OBJECTS],
]);
const PART: readonly Property[] = propertiesByKey(PART_FIELDS);
const HEAD = [
  { name: "format", optional: false },
  { name: "fault", optional: false },
];

/** Whether `bytes` begin as a file does: a map with a text under key 0. */
export function isFile(bytes: Uint8Array): boolean {
  const [map = 0, key, name = 0] = bytes;
  return map >> 5 === 5 && key === 0 && name >> 5 === 3;
}

/**
 * The JSON of a file; nothing is verified. Throws `proof-format`, `settlement-format`, `fault-format`, `field` or
 * `unknown-key`.
 */
export function showFile(bytes: Uint8Array): JsonMap {
  if (isSettlementFile(bytes)) return showSettlement(bytes);
  return isFaultFile(bytes) ? showFault(decodeFault(bytes)) : showProof(bytes);
}

/** The way back from {@link showFile}. Throws `json-…`, `field`, and what is wrong with leaves and objects, with the path. */
export function readFile(json: JsonMap, path: string): Uint8Array {
  const format = requireText(json.get("format"), under(path, "format"));
  if (format === PROOF_FORMAT) return readProof(json, path);
  if (format === SETTLEMENT_FORMAT) return readSettlement(json, path);
  if (format === FAULT_FORMAT) return readFault(json, path);
  throw new Problem("json-form", "no file has this format", {
    where: under(path, "format"),
    expected: `"${PROOF_FORMAT}", "${SETTLEMENT_FORMAT}" or "${FAULT_FORMAT}"`,
  });
}

function showProof(bytes: Uint8Array): JsonMap {
  const { parts, enrolment } = decodeProof(bytes);
  const json = new Map<string, Json>([
    ["format", PROOF_FORMAT],
    ["parts", parts.map((part) => new Map(showShaped(PART, part)))],
  ]);
  if (enrolment !== undefined) json.set("enrolment", enrolment.map(showAny));
  return json;
}

function readProof(json: JsonMap, path: string): Uint8Array {
  const map = requireProperties(json, path, [
    ...HEAD.slice(0, 1),
    { name: "parts", optional: false },
    { name: "enrolment", optional: true },
  ]);
  const parts = listOf(map.get("parts") ?? [], under(path, "parts"), readPart);
  const enrolment = readEnrolment(map, path);
  return placedAt(path, () => encodeProof({ parts, ...enrolment }));
}

function readPart(part: Json, path: string): ProofPart {
  const properties = requireProperties(part, path, PART.map(expectedOf));
  // Each property has been read by the table that mirrors ProofPart.
  return Object.fromEntries(readShaped(PART, properties, path)) as unknown as ProofPart;
}

function readEnrolment(map: JsonMap, path: string): { readonly enrolment?: readonly Uint8Array[] } {
  const shown = map.get("enrolment");
  return shown === undefined ? {} : { enrolment: listOf(shown, under(path, "enrolment"), readAny) };
}

function showSettlement(bytes: Uint8Array): JsonMap {
  const { part, list, enrolment } = decodeSettlementProof(bytes);
  const json = new Map<string, Json>([
    ["format", SETTLEMENT_FORMAT],
    ["part", new Map(showShaped(PART, part))],
  ]);
  if (list !== undefined) json.set("list", showAny(list));
  if (enrolment !== undefined) json.set("enrolment", enrolment.map(showAny));
  return json;
}

function readSettlement(json: JsonMap, path: string): Uint8Array {
  const map = requireProperties(json, path, [
    ...HEAD.slice(0, 1),
    { name: "part", optional: false },
    { name: "list", optional: true },
    { name: "enrolment", optional: true },
  ]);
  const part = readPart(map.get("part") ?? [], under(path, "part"));
  const shown = map.get("list");
  const list = shown === undefined ? {} : { list: readAny(shown, under(path, "list")) };
  const enrolment = readEnrolment(map, path);
  return placedAt(path, () => encodeSettlementProof({ part, ...list, ...enrolment }));
}

function showFault(fault: Fault): JsonMap {
  const { fault: name, ...values } = fault;
  const fields = showShaped(propertiesByKey(FAULT_FIELDS[name]), values);
  return new Map<string, Json>([["format", FAULT_FORMAT], ["fault", name], ...fields]);
}

function readFault(json: JsonMap, path: string): Uint8Array {
  const name = requireText(json.get("fault"), under(path, "fault"));
  const fields = Object.entries(FAULT_FIELDS).find(([fault]) => fault === name)?.[1];
  if (fields === undefined)
    throw new Problem("json-form", "there is no such fault", { where: under(path, "fault"), got: name });
  const table = propertiesByKey(fields);
  const map = requireProperties(json, path, [...HEAD, ...table.map(expectedOf)]);
  const values = Object.fromEntries(readShaped(table, map, path));
  // Each property has been read by the table that mirrors the interface of that name.
  return placedAt(path, () => encodeFault({ fault: name, ...values } as unknown as Fault));
}

function showShaped(table: readonly Property[], values: object): (readonly [string, Json])[] {
  const known = new Map<string, unknown>(Object.entries(values));
  return table.flatMap(([name, field]) => {
    const value = known.get(name);
    const shape = SHAPES.get(name);
    const shown = value instanceof Uint8Array && shape !== undefined ? attempt(shape, value) : undefined;
    return shown === undefined ? [...showFields([[name, field]], known)] : [[name, shown] as const];
  });
}

function readShaped(
  table: readonly Property[],
  map: JsonMap,
  path: string,
): (readonly [string, CborValue])[] {
  return table.flatMap(([name, field]): (readonly [string, CborValue])[] => {
    const json = map.get(name);
    const shape = SHAPES.get(name);
    if (json === undefined || shape === undefined) return [...readFields([[name, field]], map, path)];
    return [[name, readShape(shape, json, under(path, name))] as const];
  });
}

function readShape(shape: Shape, json: Json, path: string): Uint8Array {
  if (isJsonList(json) || isJsonMap(json)) return shape.read(json, path);
  const bytes = bytesFromJson(json, path);
  if (attempt(shape, bytes) === undefined) return bytes;
  throw new Problem("json-form", "the bytes are leaves, hashes or objects", {
    where: path,
    expected: "them, written out",
  });
}

function attempt(shape: Shape, bytes: Uint8Array): Json | undefined {
  try {
    return shape.show(bytes);
  } catch (cause) {
    if (cause instanceof Problem) return undefined;
    throw cause;
  }
}

function showOneLeaf(bytes: Uint8Array): Json {
  const [leaf, second] = showLeaves(bytes);
  if (leaf !== undefined && second === undefined) return leaf;
  throw new Problem("json-form", "not just one leaf");
}

const ANY: Shape = { show: showObject, read: readObject };

function showAny(bytes: Uint8Array): Json {
  return attempt(ANY, bytes) ?? toHex(bytes);
}

function readAny(json: Json, path: string): Uint8Array {
  return readShape(ANY, json, path);
}

function listOf<T>(json: Json, path: string, read: (item: Json, path: string) => T): T[] {
  return requireList(json, path).map((item, at) => read(item, `${path}[${at}]`));
}

function hashFromJson(json: Json, path: string): Uint8Array {
  const bytes = bytesFromJson(json, path);
  if (bytes.length === HASH_BYTES) return bytes;
  throw new Problem("json-hex", "wrong number of bytes", {
    where: path,
    expected: `${HASH_BYTES} bytes`,
    got: String(bytes.length),
  });
}
