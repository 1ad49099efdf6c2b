import { openObject, parseObject, requireType, signObject } from "./cose.ts";
import { type Field, must, type RecordCodec, recordCodec } from "./field.ts";
import { Problem } from "./problem.ts";
import type { Signer } from "./signature.ts";
import type { Suite } from "./suite.ts";

/** The rules that a node of this version checks before it signs a receipt. */
export const RULE_VERSION = 1;

/**
 * A node's signed statement: "I hold and have checked every leaf below `size` of the log that begins with this manifest".
 * The manifest names network, key and epoch; naming it by its hash vouches for all else that it says, too.
 */
export interface Receipt {
  /** Leaf hash of the log manifest, leaf 0. */
  readonly manifestHash: Uint8Array;
  readonly size: number;
  readonly root: Uint8Array;
  /** The node's clock, ms since 1970 UTC. */
  readonly receivedAtMs: number;
  readonly ruleVersion: number;
}

/** The fields of the payload, by property name. */
export const RECEIPT_FIELDS: Readonly<Record<keyof Receipt, Field>> = {
  manifestHash: must(1, "bytes32"),
  size: must(2, "uint"),
  root: must(3, "bytes32"),
  receivedAtMs: must(4, "uint"),
  ruleVersion: must(5, "uint"),
};
const codec: RecordCodec<Receipt> = recordCodec<Receipt>("receipt", RECEIPT_FIELDS);

/** Signs a receipt as COSE_Sign1 with kid = node key. */
export async function signReceipt(signer: Signer, receipt: Receipt): Promise<Uint8Array> {
  return signObject(signer, { type: "receipt", kid: signer.publicKey, payload: codec.toMap(receipt) });
}

/** Verifies a receipt under `nodeKey`. Throws `cose-…`, `field` or `receipt-empty`. */
export function openReceipt(suite: Suite, bytes: Uint8Array, nodeKey: Uint8Array): Receipt {
  const receipt = codec.fromMap(openObject(suite, bytes, { type: "receipt", key: nodeKey }));
  if (receipt.size > 0) return receipt;
  throw new Problem("receipt-empty", "a receipt covers at least one leaf", {
    expected: "size 1 or more",
    got: "0",
  });
}

/** The node key that a receipt names, before anything is verified. Throws `cose-…`. */
export function receiptKeyHint(bytes: Uint8Array): Uint8Array {
  const object = parseObject(bytes);
  requireType(object, "receipt");
  return object.kid;
}

/** The size that a receipt names, before anything is verified; for one's own store. Throws `cose-…` or `field`. */
export function openReceiptSize(bytes: Uint8Array): number {
  const object = parseObject(bytes);
  requireType(object, "receipt");
  return codec.fromMap(object.payload).size;
}
