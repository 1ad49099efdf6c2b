import { asciiBytes } from "./bytes.ts";
import { type CborMap, type CborValue, decodeCborAt, decodeCborMap, encodeCbor } from "./cbor.ts";
import { type Field, may, must, type RecordCodec, recordCodec } from "./field.ts";
import type { LogIdentity } from "./identity.ts";
import { Problem } from "./problem.ts";

/**
 * The proof that a device key misbehaved, or that it is void, one self-contained file:
 *
 *     { 0: "kilowitness/1 fault",
 *       1: "fork", "two-epochs", "false-leaf" or "key",
 *       2: network, 3: device key, 4: epoch,          whose log: its id follows, and the checkpoint must carry it
 *       5: checkpoint of that log (COSE_Sign1),
 *       … what the kind needs, see the interfaces below }
 *
 * Nothing in it is believed: each byte is authenticated by a signature, compared, or decides only what is looked at.
 */
export type Fault = ForkFault | TwoEpochsFault | FalseLeafFault | KeyFault;
export type FaultName = Fault["fault"];

interface OfOneLog extends LogIdentity {
  readonly checkpoint: Uint8Array;
}

/** Two histories of one log: two roots at one size or, with everything from 7 to 11, two leaves at one index. */
export interface ForkFault extends OfOneLog {
  readonly fault: "fork";
  readonly otherCheckpoint: Uint8Array;
  /** Bytes of the leaf under `checkpoint`, and of the one under `otherCheckpoint`. */
  readonly leaf?: Uint8Array;
  readonly otherLeaf?: Uint8Array;
  /** Hashes of the multiproof for that leaf alone, back to back. */
  readonly hashes?: Uint8Array;
  readonly otherHashes?: Uint8Array;
  readonly index?: number;
}

/** A checkpoint in a log that a later epoch's second leaf has closed. */
export interface TwoEpochsFault extends OfOneLog {
  readonly fault: "two-epochs";
  readonly laterEpoch: number;
  readonly laterCheckpoint: Uint8Array;
  /** Bytes of leaf 1 of the later epoch. */
  readonly leaf: Uint8Array;
  readonly hashes: Uint8Array;
}

/** Leaves that contradict each other, themselves or the checkpoint. */
export interface FalseLeafFault extends OfOneLog {
  readonly fault: "false-leaf";
  /** Back to back by ascending seq; with an index, the bytes of that one leaf, whatever they are. */
  readonly leaves: Uint8Array;
  readonly hashes: Uint8Array;
  readonly index?: number;
}

/** The use of a key that is not, or no longer, to be believed. */
export interface KeyFault extends OfOneLog {
  readonly fault: "key";
  /** How a node enrolled the key, and the rotations since: see `EnrolmentRecord`. */
  readonly statement?: Uint8Array;
  readonly countersignature?: Uint8Array;
  /** CBOR byte strings back to back, oldest first: {@link joinObjects}. */
  readonly rotations?: Uint8Array;
  readonly revocations?: readonly Uint8Array[];
}

/** What a fault file begins with, under key 0. */
export const FAULT_FORMAT = "kilowitness/1 fault";
/** Largest fault file that is read. */
export const MAX_FAULT_BYTES = 1_048_576;
const LIMITS = { maxDepth: 2, maxLength: MAX_FAULT_BYTES };
const FORMAT_KEY = 0;
const NAME_KEY = 1;

type Fields<F> = { readonly [P in keyof Omit<F, "fault">]-?: Field };

const COMMON: Fields<OfOneLog> = {
  network: must(2, "text"),
  deviceKey: must(3, "bytes32"),
  epoch: must(4, "uint"),
  checkpoint: must(5, "bytes"),
};

const FORK: Fields<ForkFault> = {
  ...COMMON,
  otherCheckpoint: must(6, "bytes"),
  leaf: may(7, "bytes"),
  otherLeaf: may(8, "bytes"),
  hashes: may(9, "bytes"),
  otherHashes: may(10, "bytes"),
  index: may(11, "uint"),
};

const TWO_EPOCHS: Fields<TwoEpochsFault> = {
  ...COMMON,
  laterCheckpoint: must(6, "bytes"),
  leaf: must(8, "bytes"),
  hashes: must(10, "bytes"),
  laterEpoch: must(12, "uint"),
};

const FALSE_LEAF: Fields<FalseLeafFault> = {
  ...COMMON,
  leaves: must(7, "bytes"),
  hashes: must(9, "bytes"),
  index: may(11, "uint"),
};

const KEY: Fields<KeyFault> = {
  ...COMMON,
  statement: may(13, "bytes"),
  countersignature: may(14, "bytes"),
  rotations: may(15, "bytes"),
  revocations: may(16, "byteStrings"),
};

/** The fields of every kind, by property name. */
export const FAULT_FIELDS: Readonly<Record<FaultName, Readonly<Record<string, Field>>>> = {
  fork: FORK,
  "two-epochs": TWO_EPOCHS,
  "false-leaf": FALSE_LEAF,
  key: KEY,
};

const codecs: ReadonlyMap<string, RecordCodec<object>> = new Map(
  Object.entries(FAULT_FIELDS).map(([name, fields]) => [
    name,
    recordCodec<object>(`fault "${name}"`, fields),
  ]),
);

/** The bytes of a fault file. Throws `field` for a property outside its type. */
export function encodeFault(fault: Fault): Uint8Array {
  const head: [number, CborValue][] = [
    [FORMAT_KEY, FAULT_FORMAT],
    [NAME_KEY, fault.fault],
  ];
  return encodeCbor(new Map([...head, ...codecOf(fault.fault).toMap(fault)]));
}

/** Decodes a fault file strictly; verifies nothing. Throws `fault-format`, `field` or `unknown-key`. */
export function decodeFault(bytes: Uint8Array): Fault {
  if (bytes.length > MAX_FAULT_BYTES) {
    throw new Problem("fault-format", "file is too large for a fault proof", {
      expected: `at most ${MAX_FAULT_BYTES} bytes`,
      got: String(bytes.length),
    });
  }
  const map = new Map(decodeFile(bytes));
  const format = map.get(FORMAT_KEY);
  const name = map.get(NAME_KEY);
  if (format !== FAULT_FORMAT || typeof name !== "string") {
    throw new Problem("fault-format", "not a fault proof of this format", {
      expected: `"${FAULT_FORMAT}"`,
      got: typeof format === "string" ? JSON.stringify(format.slice(0, 64)) : typeof format,
    });
  }
  map.delete(FORMAT_KEY);
  map.delete(NAME_KEY);
  // Every property has just been checked against the table that mirrors the interface of that name.
  return { fault: name, ...codecOf(name).fromMap(map) } as Fault;
}

/** Whether the bytes begin as those of a fault file: a map whose key 0 says so. Cheap, and no more than that. */
export function isFaultFile(bytes: Uint8Array): boolean {
  const head = bytes[0] ?? 0;
  return head >= 0xa1 && head <= 0xb7 && BEGIN.every((byte, at) => bytes[1 + at] === byte);
}

const BEGIN: readonly number[] = [
  FORMAT_KEY,
  0x60 + FAULT_FORMAT.length,
  ...asciiBytes(FAULT_FORMAT, "format"),
];

/** Signed objects as CBOR byte strings back to back, and back. */
export function joinObjects(objects: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(objects.flatMap((object) => [...encodeCbor(object)]));
}

/** Throws `fault-format` for anything but byte strings. */
export function splitObjects(bytes: Uint8Array): Uint8Array[] {
  const objects: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const { value, end } = strictly(() => decodeCborAt(bytes, at, LIMITS));
    if (!(value instanceof Uint8Array)) throw new Problem("fault-format", "a signed object is a byte string");
    objects.push(value);
    at = end;
  }
  return objects;
}

function codecOf(name: string): RecordCodec<object> {
  const codec = codecs.get(name);
  if (codec !== undefined) return codec;
  throw new Problem("fault-format", "this version knows no such fault", {
    expected: [...codecs.keys()].join(", "),
    got: JSON.stringify(name.slice(0, 64)),
    hint: "verify it with a newer version",
  });
}

function decodeFile(bytes: Uint8Array): CborMap {
  return strictly(() => decodeCborMap(bytes, LIMITS));
}

function strictly<T>(decode: () => T): T {
  try {
    return decode();
  } catch (cause) {
    if (!(cause instanceof Problem)) throw cause;
    throw new Problem("fault-format", `not a fault file: ${cause.message}`, { cause });
  }
}
