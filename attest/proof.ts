import { concatBytes } from "./bytes.ts";
import { type CborMap, type CborValue, decodeCborMap, encodeCbor } from "./cbor.ts";
import { type Field, may, must, type RecordCodec, recordCodec } from "./field.ts";
import { Problem } from "./problem.ts";
import { HASH_BYTES } from "./tree.ts";

/**
 * A proof, one self-contained file:
 *
 *     { 0: "kilowitness/1 proof",
 *       1: [parts, each the CBOR of the map below],        one for each epoch of the key, ascending
 *       2: [statement, countersignature, rotations...] }   how a node enrolled the key; absent when not shown
 *
 *     { 1: checkpoint (COSE_Sign1),
 *       2: manifests, back to back, by ascending seq: the log's first,
 *       3: leaves, back to back, by ascending seq,
 *       4: hashes of the multiproof, back to back,
 *       5: [receipts over this log, by size and node key], absent when there is none
 *       6: [receipts that only anchor leaves name] }       absent when there is none
 *
 * Manifests need no place in the multiproof: the checkpoint signs the hash of the log's, and each close and each
 * flexibility leaf names the hash of its channel's.
 */
export interface Proof {
  readonly parts: readonly ProofPart[];
  readonly enrolment?: readonly Uint8Array[];
}

/** What the proof shows of one log. */
export interface ProofPart {
  readonly checkpoint: Uint8Array;
  readonly manifests: Uint8Array;
  readonly leaves: Uint8Array;
  readonly hashes: Uint8Array;
  readonly receipts?: readonly Uint8Array[];
  readonly anchoredReceipts?: readonly Uint8Array[];
}

/** What a proof file begins with, under key 0. */
export const PROOF_FORMAT = "kilowitness/1 proof";
/** Largest proof file that is read. */
export const MAX_PROOF_BYTES = 1_048_576;
const LIMITS = { maxDepth: 2, maxLength: MAX_PROOF_BYTES };

interface ProofFile {
  readonly parts: readonly Uint8Array[];
  readonly enrolment?: readonly Uint8Array[];
}

const fileCodec: RecordCodec<ProofFile> = recordCodec<ProofFile>("proof", {
  parts: must(1, "byteStrings"),
  enrolment: may(2, "byteStrings"),
});

export const PART_FIELDS: Readonly<Record<keyof ProofPart, Field>> = {
  checkpoint: must(1, "bytes"),
  manifests: must(2, "bytes"),
  leaves: must(3, "bytes"),
  hashes: must(4, "bytes"),
  receipts: may(5, "byteStrings"),
  anchoredReceipts: may(6, "byteStrings"),
};

const partCodec: RecordCodec<ProofPart> = recordCodec<ProofPart>("part", PART_FIELDS);

/** The bytes of a proof file. Throws `field` for a property outside its type. */
export function encodeProof(proof: Proof): Uint8Array {
  const parts = proof.parts.map((part) => encodeCbor(partCodec.toMap(part)));
  const file = fileCodec.toMap({ ...proof, parts });
  return encodeCbor(new Map<number, CborValue>([[0, PROOF_FORMAT], ...file]));
}

/** Decodes a proof file strictly; verifies nothing. Throws `proof-format`, `field` or `unknown-key`. */
export function decodeProof(bytes: Uint8Array): Proof {
  if (bytes.length > MAX_PROOF_BYTES) {
    throw new Problem("proof-format", "file is too large for a proof", {
      expected: `at most ${MAX_PROOF_BYTES} bytes`,
      got: String(bytes.length),
    });
  }
  const map = new Map(decodeMap(bytes));
  const format = map.get(0);
  map.delete(0);
  if (format !== PROOF_FORMAT) {
    throw new Problem("proof-format", "not a proof of this format", {
      expected: `"${PROOF_FORMAT}"`,
      got: typeof format === "string" ? JSON.stringify(format.slice(0, 64)) : typeof format,
    });
  }
  const { parts, ...rest } = fileCodec.fromMap(map);
  return { ...rest, parts: parts.map((part) => partCodec.fromMap(decodeMap(part))) };
}

/** The hashes of a multiproof as one byte string, and back. Throws `proof-format` unless whole hashes. */
export function joinHashes(hashes: readonly Uint8Array[]): Uint8Array {
  return concatBytes(...hashes);
}

export function splitHashes(bytes: Uint8Array): Uint8Array[] {
  if (bytes.length % HASH_BYTES !== 0) {
    throw new Problem("proof-format", "multiproof is cut short", {
      expected: `a multiple of ${HASH_BYTES} bytes`,
      got: String(bytes.length),
    });
  }
  return Array.from({ length: bytes.length / HASH_BYTES }, (_, at) =>
    bytes.slice(at * HASH_BYTES, (at + 1) * HASH_BYTES),
  );
}

function decodeMap(bytes: Uint8Array): CborMap {
  try {
    return decodeCborMap(bytes, LIMITS);
  } catch (cause) {
    if (!(cause instanceof Problem)) throw cause;
    throw new Problem("proof-format", `not a proof file: ${cause.message}`, {
      hint: "pass the file that 'kilowitness prove' wrote, unchanged",
      cause,
    });
  }
}
