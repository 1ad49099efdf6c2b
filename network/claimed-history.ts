import { equalBytes } from "../attest/bytes.ts";
import { type Checkpoint, openCheckpoint } from "../attest/checkpoint.ts";
import type { SignedHistory } from "../attest/fault-build.ts";
import type { NodeSource } from "../attest/node-source.ts";
import { Problem } from "../attest/problem.ts";
import { MAX_BATCH_LEAVES } from "../attest/stream-verifier.ts";
import type { Suite } from "../attest/suite.ts";
import { Frontier, HASH_BYTES, nodeHash } from "../attest/tree.ts";
import { hashLeaves } from "../attest/tree-level.ts";
import type { Arrival, IngestContext } from "./ingest-types.ts";
import { leafEnds } from "./leaf-ends.ts";
import type { StoredHistory } from "./store/store.ts";

/** The stored leaves that a batch's own stand behind. */
export interface Ground {
  readonly size: number;
  /** Frontier of that many leaves. */
  readonly peaks: readonly Uint8Array[];
  /** Absent where the size is 0. */
  readonly stored?: StoredHistory;
}

/** The checkpoint of a batch, if the device has signed it for that very log: nothing else may be held against it. */
export function signedCheckpoint(
  { suite }: IngestContext,
  { identity, logId, batch }: Arrival,
): Checkpoint | undefined {
  try {
    return openCheckpoint(suite, batch.checkpoint, { deviceKey: identity.deviceKey, logId });
  } catch (cause) {
    if (cause instanceof Problem) return undefined;
    throw cause;
  }
}

/**
 * What the device has signed with a batch: the leaves of `ground` and behind them the batch's, be they leaves or not.
 * Undefined unless the checkpoint is over exactly these: then anybody may have put them beside it.
 */
export function claimedHistory(
  suite: Suite,
  { batch, checkpoint }: Pick<Arrival, "batch"> & { readonly checkpoint: Checkpoint },
  ground: Ground,
): SignedHistory | undefined {
  const count = checkpoint.size - ground.size;
  if (count < 1 || count > MAX_BATCH_LEAVES) return undefined;
  const bytes = batch.leaves;
  const ends = leafEnds(bytes, count);
  if (ends === undefined) return undefined;
  const hashes = hashLeaves(suite, { bytes, ends });
  const frontier = new Frontier(suite, ground.size, ground.peaks);
  frontier.appendAll(hashes);
  if (!equalBytes(frontier.root(), checkpoint.root)) return undefined;
  return {
    checkpoint: batch.checkpoint,
    leaf: (seq) => {
      const at = seq - ground.size;
      if (at < 0 && ground.stored !== undefined) return ground.stored.leaf(seq);
      return bytes.subarray(at === 0 ? 0 : ends[at - 1], ends[at]);
    },
    tree: () => grownTree(suite, ground, hashes),
  };
}

/** The tree over stored leaves and others behind them, of which there is only a batch. */
function grownTree(suite: Suite, { size, stored }: Ground, hashes: Uint8Array): NodeSource {
  const before = stored?.tree();
  const subtree = (level: number, index: number): Uint8Array => {
    if (before !== undefined && (index + 1) * 2 ** level <= size) return before.subtree(level, index);
    if (level > 0) return nodeHash(suite, subtree(level - 1, 2 * index), subtree(level - 1, 2 * index + 1));
    const at = HASH_BYTES * (index - size);
    return hashes.slice(at, at + HASH_BYTES);
  };
  return { suite, size: size + hashes.length / HASH_BYTES, subtree };
}
