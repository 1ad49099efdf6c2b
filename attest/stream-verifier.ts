import { equalBytes } from "./bytes.ts";
import { type Checkpoint, openCheckpoint } from "./checkpoint.ts";
import type { Leaf } from "./leaf.ts";
import { decodeLeafAt } from "./leaf-codec.ts";
import type { LogRules } from "./log-rules.ts";
import { Problem } from "./problem.ts";
import type { Suite } from "./suite.ts";

/** Leaves in log order, back to back (RFC 8742), and the signed checkpoint that covers them. */
export interface Batch {
  readonly leaves: Uint8Array;
  readonly checkpoint: Uint8Array;
}

/** A leaf of an accepted batch with its bytes and its tree hash. */
export interface VerifiedLeaf {
  readonly leaf: Leaf;
  readonly bytes: Uint8Array;
  readonly hash: Uint8Array;
}

export interface VerifiedBatch {
  readonly rules: LogRules;
  readonly checkpoint: Checkpoint;
  readonly leaves: readonly VerifiedLeaf[];
}

/** Largest number of leaves in one batch. */
export const MAX_BATCH_LEAVES = 4096;

/**
 * Checks that `batch` extends the log that `rules` stand for: every leaf strict and lawful, the tree's root equal
 * to the signed one. Returns the state behind it and leaves `rules` as they were; throws a Problem whose code
 * names the fault and whose text names the leaf. The caller has checked the device key once (profile S).
 */
export function verifyBatch(suite: Suite, rules: LogRules, batch: Batch): VerifiedBatch {
  const next = rules.clone();
  const checkpoint = openCheckpoint(suite, batch.checkpoint, {
    deviceKey: rules.identity.deviceKey,
    logId: rules.logId,
  });
  const leaves = applyLeaves(next, batch.leaves);
  checkRoot(next, checkpoint);
  return { rules: next, checkpoint, leaves };
}

function applyLeaves(rules: LogRules, sent: Uint8Array): VerifiedLeaf[] {
  // One copy, of which every leaf shows its part: what the caller does with its buffer later changes nothing.
  const bytes = new Uint8Array(sent);
  const leaves: VerifiedLeaf[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (leaves.length === MAX_BATCH_LEAVES) {
      throw new Problem("batch-size", "too many leaves in one batch", {
        expected: `at most ${MAX_BATCH_LEAVES}`,
      });
    }
    at = applyNext(rules, bytes, { at, leaves });
  }
  return leaves;
}

/** Applies the leaf that begins at `at` and adds it to `leaves`; returns the offset behind it. */
function applyNext(
  rules: LogRules,
  bytes: Uint8Array,
  { at, leaves }: { readonly at: number; readonly leaves: VerifiedLeaf[] },
): number {
  try {
    const { leaf, end } = decodeLeafAt(bytes, at);
    const own = new Uint8Array(bytes.buffer, at, end - at);
    leaves.push({ leaf, bytes: own, hash: rules.apply(leaf, own) });
    return end;
  } catch (cause) {
    if (!(cause instanceof Problem)) throw cause;
    throw new Problem(cause.code, cause.message, { where: `leaf ${rules.size}`, cause });
  }
}

function checkRoot(rules: LogRules, checkpoint: Checkpoint): void {
  if (checkpoint.size !== rules.size) {
    throw new Problem("checkpoint-size", "the checkpoint does not end where the leaves end", {
      expected: String(rules.size),
      got: String(checkpoint.size),
    });
  }
  if (!equalBytes(checkpoint.root, rules.root()))
    throw new Problem("checkpoint-root", "the signed root is not the root of these leaves");
  if (!equalBytes(checkpoint.manifestHash, rules.manifestHash)) {
    throw new Problem("checkpoint-manifest", "the checkpoint names another log manifest");
  }
  if (checkpoint.lastLeafMs !== rules.lastTime.timeMs) {
    throw new Problem("checkpoint-time", "the checkpoint names another time of its last leaf", {
      expected: String(rules.lastTime.timeMs),
      got: String(checkpoint.lastLeafMs),
    });
  }
}
