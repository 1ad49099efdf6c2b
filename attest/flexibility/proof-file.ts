import { asciiBytes } from "../bytes.ts";
import { type CborMap, type CborValue, decodeCborMap, encodeCbor } from "../cbor.ts";
import { type Field, may, must, type RecordCodec, recordCodec } from "../field.ts";
import { Problem } from "../problem.ts";
import { PART_FIELDS, type ProofPart } from "../proof.ts";

/**
 * A settlement proof, one self-contained file:
 *
 *     { 0: "kilowitness/1 settlement",
 *       1: part, as in a proof,
 *       2: dispatch list (COSE_Sign1),                      absent when not shown
 *       3: [statement, countersignature, rotations...] }    how a node enrolled the key; absent when not shown
 */
export interface SettlementProof {
  readonly part: ProofPart;
  /** The node's word on every dispatch that it has given under the commitment. */
  readonly list?: Uint8Array;
  readonly enrolment?: readonly Uint8Array[];
}

/** What a settlement proof begins with, under key 0. */
export const SETTLEMENT_FORMAT = "kilowitness/1 settlement";
/** Largest settlement proof that is read: two months of quarters of an hour are about 4 MB. */
export const MAX_SETTLEMENT_BYTES = 8_388_608;
const LIMITS = { maxDepth: 2, maxLength: MAX_SETTLEMENT_BYTES };

interface SettlementFile extends Omit<SettlementProof, "part"> {
  readonly part: Uint8Array;
}

/** The fields of the file, by property name. */
export const SETTLEMENT_FIELDS: Readonly<Record<keyof SettlementFile, Field>> = {
  part: must(1, "bytes"),
  list: may(2, "bytes"),
  enrolment: may(3, "byteStrings"),
};

const fileCodec: RecordCodec<SettlementFile> = recordCodec<SettlementFile>(
  "settlement proof",
  SETTLEMENT_FIELDS,
);
const partCodec: RecordCodec<ProofPart> = recordCodec<ProofPart>("part", PART_FIELDS);

/** The bytes of a settlement proof. Throws `field` for a property outside its type. */
export function encodeSettlementProof(proof: SettlementProof): Uint8Array {
  const file = fileCodec.toMap({ ...proof, part: encodeCbor(partCodec.toMap(proof.part)) });
  return encodeCbor(new Map<number, CborValue>([[0, SETTLEMENT_FORMAT], ...file]));
}

/** Decodes a settlement proof strictly; verifies nothing. Throws `settlement-format`, `field` or `unknown-key`. */
export function decodeSettlementProof(bytes: Uint8Array): SettlementProof {
  if (bytes.length > MAX_SETTLEMENT_BYTES)
    throw new Problem("settlement-format", "file is too large for a settlement proof", {
      expected: `at most ${MAX_SETTLEMENT_BYTES} bytes`,
      got: String(bytes.length),
    });
  const map = new Map(decodeMap(bytes));
  const format = map.get(0);
  map.delete(0);
  if (format !== SETTLEMENT_FORMAT)
    throw new Problem("settlement-format", "not a settlement proof of this format", {
      expected: `"${SETTLEMENT_FORMAT}"`,
      got: typeof format === "string" ? JSON.stringify(format.slice(0, 64)) : typeof format,
    });
  const { part, ...rest } = fileCodec.fromMap(map);
  return { ...rest, part: partCodec.fromMap(decodeMap(part)) };
}

/** Whether the bytes begin as those of a settlement proof: a map whose key 0 says so. Cheap, and no more than that. */
export function isSettlementFile(bytes: Uint8Array): boolean {
  const head = bytes[0] ?? 0;
  return head >= 0xa1 && head <= 0xb7 && BEGIN.every((byte, at) => bytes[1 + at] === byte);
}

/** Key 0, then the head of a text of 24 to 255 bytes: RFC 8949, 3. */
const BEGIN: readonly number[] = [
  0,
  0x78,
  SETTLEMENT_FORMAT.length,
  ...asciiBytes(SETTLEMENT_FORMAT, "format"),
];

function decodeMap(bytes: Uint8Array): CborMap {
  try {
    return decodeCborMap(bytes, LIMITS);
  } catch (cause) {
    if (!(cause instanceof Problem)) throw cause;
    throw new Problem("settlement-format", `not a settlement proof: ${cause.message}`, {
      hint: "pass the file as it was written, unchanged",
      cause,
    });
  }
}
