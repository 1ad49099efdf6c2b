import { concatBytes, equalBytes } from "../../attest/bytes.ts";
import { openCheckpoint } from "../../attest/checkpoint.ts";
import { decodeAnyLeafAt } from "../../attest/leaf-codec.ts";
import type { VerifiedLeaves } from "../../attest/leaf-walk.ts";
import type { LogRules } from "../../attest/log-rules.ts";
import { nativeSuite } from "../../attest/native.ts";
import { Problem } from "../../attest/problem.ts";
import { type Batch, MAX_BATCH_LEAVES, type VerifiedBatch } from "../../attest/stream-verifier.ts";
import type { PlacedLeaf } from "../kit/log-builder.ts";
import { naiveRoot } from "./tree-kit.ts";

/** What a verifier gives out for leaves that are there as objects. */
export function verifiedLeaves(placed: readonly PlacedLeaf[]): VerifiedLeaves {
  let end = 0;
  return {
    bytes: concatBytes(...placed.map(({ bytes }) => bytes)),
    ends: Uint32Array.from(placed, ({ bytes }) => {
      end += bytes.length;
      return end;
    }),
    hashes: concatBytes(...placed.map(({ hash }) => hash)),
    others: placed.flatMap(({ leaf }) => (leaf.kind === "reading" ? [] : [leaf])),
    latestMs: Math.max(0, ...placed.map(({ leaf }) => leaf.timeMs)),
  };
}

/**
 * `verifyBatch` without any of its short cuts: each leaf decoded by the field tables and judged by the full rules,
 * each hash by itself, the root by its definition over `before`, the bytes of all leaves before, and these.
 */
export function slowlyVerify(rules: LogRules, batch: Batch, before: readonly Uint8Array[]): VerifiedBatch {
  const next = rules.clone();
  const { deviceKey } = rules.identity;
  const checkpoint = openCheckpoint(nativeSuite, batch.checkpoint, { deviceKey, logId: rules.logId });
  const placed: PlacedLeaf[] = [];
  let at = 0;
  while (at < batch.leaves.length) {
    if (placed.length === MAX_BATCH_LEAVES)
      throw new Problem("batch-size", "too many leaves in one batch", { expected: "at most 4096" });
    try {
      const { leaf, end } = decodeAnyLeafAt(batch.leaves, at);
      const bytes = batch.leaves.slice(at, end);
      // Asking for the channels makes the full rules judge the next reading.
      if (next.channels.size >= 0) placed.push({ leaf, bytes, hash: next.apply(leaf, bytes) });
      at = end;
    } catch (cause) {
      if (!(cause instanceof Problem)) throw cause;
      throw new Problem(cause.code, cause.message, { where: `leaf ${rules.size + placed.length}` });
    }
  }
  const root = naiveRoot([...before, ...placed.map(({ bytes }) => bytes)]);
  if (checkpoint.size !== next.size) {
    throw new Problem("checkpoint-size", "the checkpoint does not end where the leaves end", {
      expected: String(next.size),
      got: String(checkpoint.size),
    });
  }
  if (!equalBytes(checkpoint.root, root))
    throw new Problem("checkpoint-root", "the signed root is not the root of these leaves");
  if (!equalBytes(checkpoint.manifestHash, next.manifestHash))
    throw new Problem("checkpoint-manifest", "the checkpoint names another log manifest");
  if (checkpoint.lastLeafMs !== next.lastTime.timeMs) {
    throw new Problem("checkpoint-time", "the checkpoint names another time of its last leaf", {
      expected: String(next.lastTime.timeMs),
      got: String(checkpoint.lastLeafMs),
    });
  }
  return { rules: next, checkpoint, leaves: verifiedLeaves(placed) };
}
