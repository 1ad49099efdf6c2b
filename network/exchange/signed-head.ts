import { equalBytes } from "../../attest/bytes.ts";
import { openCheckpoint } from "../../attest/checkpoint.ts";
import { type LogIdentity, logIdOf } from "../../attest/identity.ts";
import { Problem } from "../../attest/problem.ts";
import { openReceipt } from "../../attest/receipt.ts";
import type { Suite } from "../../attest/suite.ts";
import type { Head } from "./exchange-archive.ts";
import type { SignedTree } from "./peer-tree.ts";

/** A checkpoint whose signature by the device has been verified. */
export interface SignedHead extends SignedTree {
  readonly identity: LogIdentity;
  readonly checkpoint: Uint8Array;
}

/** The checkpoint, verified under the device's key for that very log. Throws as `openCheckpoint` does. */
export function signedHead(
  suite: Suite,
  identity: LogIdentity,
  checkpoint: Uint8Array,
): SignedHead & { readonly manifestHash: Uint8Array } {
  const logId = logIdOf(suite, identity);
  const { deviceKey } = identity;
  const { size, root, manifestHash } = openCheckpoint(suite, checkpoint, { deviceKey, logId });
  return { identity, logId, size, root, checkpoint, manifestHash };
}

/**
 * A head as a peer names it: signed by the device, receipted by the peer, and what is said beside them is what they say.
 * Throws `cose-…`, `field`, `checkpoint-empty`, `receipt-empty` or `exchange-head`.
 */
export function openHead(
  suite: Suite,
  head: Head,
  { network, peerKey }: { readonly network: string; readonly peerKey: Uint8Array },
): SignedHead {
  const { deviceKey, epoch } = head;
  const signed = signedHead(suite, { network, deviceKey, epoch }, head.checkpoint);
  const receipt = openReceipt(suite, head.receipt, peerKey);
  const isOfIt =
    receipt.size === signed.size &&
    equalBytes(receipt.root, signed.root) &&
    equalBytes(receipt.manifestHash, signed.manifestHash);
  if (isOfIt && head.size === signed.size) return signed;
  throw new Problem("exchange-head", "size, checkpoint and receipt of a head are not of one another", {
    ...{ expected: String(signed.size), got: `${head.size}, receipted ${receipt.size}` },
  });
}
