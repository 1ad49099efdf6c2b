import { equalBytes } from "./bytes.ts";
import { type Checkpoint, openCheckpoint } from "./checkpoint.ts";
import type { VerifiedLeaves } from "./leaf-walk.ts";
import type { LogRules } from "./log-rules.ts";
import { Problem } from "./problem.ts";
import type { Suite } from "./suite.ts";

/** Leaves in log order, back to back (RFC 8742), and the signed checkpoint that covers them. */
export interface Batch {
  readonly leaves: Uint8Array;
  readonly checkpoint: Uint8Array;
}

export interface VerifiedBatch {
  readonly rules: LogRules;
  readonly checkpoint: Checkpoint;
  readonly leaves: VerifiedLeaves;
}

/** Largest number of leaves in one batch. */
export const MAX_BATCH_LEAVES = 4096;

/**
 * Checks that `batch` extends the log that `rules` stand for: every leaf strict and lawful, the tree's root equal
 * to the signed one. Returns the state behind it and leaves `rules` as they were; throws a Problem whose code
 * names the fault and whose text names the leaf. The caller has checked the device key once (profile S).
 */
export function verifyBatch(suite: Suite, rules: LogRules, batch: Batch): VerifiedBatch {
  const checkpoint = openCheckpoint(suite, batch.checkpoint, {
    deviceKey: rules.identity.deviceKey,
    logId: rules.logId,
  });
  // One copy: what the caller does with its buffer later changes nothing.
  const next = rules.extended(new Uint8Array(batch.leaves), MAX_BATCH_LEAVES);
  checkRoot(next.rules, checkpoint);
  return { ...next, checkpoint };
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
