import { concatBytes } from "./bytes.ts";
import { type CborMap, type CborValue, decodeCborMap, encodeCbor } from "./cbor.ts";
import { may, must, type RecordCodec, recordCodec } from "./field.ts";
import { Problem } from "./problem.ts";
import { HASH_BYTES } from "./tree.ts";

/**
 * The proof of an interval, one self-contained file:
 *
 *     { 0: "kilowitness/1 proof",
 *       1: network, 2: device key, 3: epoch,          whose log: hints, compared with what is signed
 *       4: channel, 5: t0, 6: t1,                     what is claimed, compared with the closes
 *       7: checkpoint (COSE_Sign1),
 *       8: [receipts over that checkpoint],           absent when there is none
 *       9: leaves, back to back, by ascending seq: closes, discontinuities, an anchor,
 *      10: hashes of the multiproof, back to back,
 *      11: receipt that the anchor leaf among 9 names,    absent when there is none
 *      12: manifests, back to back, by ascending seq }
 *
 * Manifests need no place in the multiproof: the checkpoint signs the hash of the log's, each close names the hash of
 * its channel's.
 */
export interface Proof {
  readonly network: string;
  readonly deviceKey: Uint8Array;
  readonly epoch: number;
  readonly channel: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly checkpoint: Uint8Array;
  readonly receipts?: readonly Uint8Array[];
  readonly leaves: Uint8Array;
  readonly hashes: Uint8Array;
  readonly anchoredReceipt?: Uint8Array;
  readonly manifests: Uint8Array;
}

const FORMAT = "kilowitness/1 proof";
/** Largest proof file that is read. */
export const MAX_PROOF_BYTES = 1_048_576;
const LIMITS = { maxDepth: 3, maxLength: MAX_PROOF_BYTES };

const codec: RecordCodec<Proof> = recordCodec<Proof>("proof", {
  network: must(1, "text"),
  deviceKey: must(2, "bytes32"),
  epoch: must(3, "uint"),
  channel: must(4, "uint"),
  fromMs: must(5, "uint"),
  toMs: must(6, "uint"),
  checkpoint: must(7, "bytes"),
  receipts: may(8, "byteStrings"),
  leaves: must(9, "bytes"),
  hashes: must(10, "bytes"),
  anchoredReceipt: may(11, "bytes"),
  manifests: must(12, "bytes"),
});

/** The bytes of a proof file. */
export function encodeProof(proof: Proof): Uint8Array {
  return encodeCbor(new Map<number, CborValue>([[0, FORMAT], ...codec.toMap(proof)]));
}

/** Decodes a proof file strictly; verifies nothing. Throws `proof-format`, `cbor-…`, `field` or `unknown-key`. */
export function decodeProof(bytes: Uint8Array): Proof {
  if (bytes.length > MAX_PROOF_BYTES) {
    throw new Problem("proof-format", "file is too large for a proof", {
      expected: `at most ${MAX_PROOF_BYTES} bytes`,
      got: String(bytes.length),
    });
  }
  const map = new Map(decodeFile(bytes));
  const format = map.get(0);
  map.delete(0);
  if (format === FORMAT) return codec.fromMap(map);
  throw new Problem("proof-format", "not a proof of this format", {
    expected: `"${FORMAT}"`,
    got: typeof format === "string" ? JSON.stringify(format.slice(0, 64)) : typeof format,
  });
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

function decodeFile(bytes: Uint8Array): CborMap {
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
