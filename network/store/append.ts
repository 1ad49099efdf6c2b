import { equalBytes } from "../../attest/bytes.ts";
import { type Anchor, LEAF_KINDS, type Leaf } from "../../attest/leaf.ts";
import { openReceipt, receiptKeyHint } from "../../attest/receipt.ts";
import type { Suite } from "../../attest/suite.ts";
import { endOffsets } from "./batch-reader.ts";
import { addEnclosures } from "./enclosures.ts";
import type { Statements } from "./statements.ts";
import type { AcceptedBatch, StoredCheckpoint } from "./store.ts";
import { completedSubtrees, type Subtree } from "./subtrees.ts";

/** Writes all of a batch inside the caller's transaction. The log's number, or undefined when its head is not where it should be. */
export function appendBatch(statements: Statements, suite: Suite, batch: AcceptedBatch): number | undefined {
  const device = seeDevice(statements, batch);
  const subtrees = completed(statements, suite, batch);
  const log = batch.fromSize === 0 ? openLog(statements, device, batch) : moveLog(statements, batch);
  if (log === undefined) return undefined;
  addLeaves(statements, log, batch);
  for (const { place, hash } of subtrees) statements.run("add-subtree", [log, place, hash]);
  for (const leaf of batch.leaves.others) addIndexes(statements, suite, { log, leaf });
  addEnclosures(statements, log, batch.leaves.others);
  addCheckpoint(statements, log, batch);
  return log;
}

/** Before the head moves, because what it says of the log before is needed. */
function completed(statements: Statements, suite: Suite, batch: AcceptedBatch): readonly Subtree[] {
  const { logId, fromSize, leaves } = batch;
  const rulesBefore = (): string | undefined =>
    statements.get<{ rules: string }>("rules-at", [logId, fromSize])?.rules;
  return completedSubtrees(suite, { fromSize, hashes: leaves.hashes, rulesBefore });
}

function seeDevice(statements: Statements, batch: AcceptedBatch): number {
  const { agentVersion, nowMs } = batch;
  const key = batch.identity.deviceKey;
  return statements.get<{ id: number }>("see-device", { key, agentVersion, nowMs })?.id ?? 0;
}

function openLog(statements: Statements, device: number, batch: AcceptedBatch): number | undefined {
  const { network, epoch } = batch.identity;
  const { logId, rules, nowMs } = batch;
  const size = batch.checkpoint.size;
  const values = { device, network, epoch, logId, size, rules, nowMs };
  return statements.get<{ id: number }>("open-log", values)?.id;
}

function moveLog(statements: Statements, batch: AcceptedBatch): number | undefined {
  const { logId, rules, fromSize } = batch;
  const values = { logId, rules, fromSize, size: batch.checkpoint.size };
  return statements.get<{ id: number }>("move-log", values)?.id;
}

function addLeaves(statements: Statements, log: number, batch: AcceptedBatch): void {
  const { bytes, ends, latestMs } = batch.leaves;
  const { fromSize, checkpoint } = batch;
  statements.run("add-batch", [log, fromSize, checkpoint.size, latestMs, endOffsets(ends), bytes]);
}

function addCheckpoint(statements: Statements, log: number, batch: AcceptedBatch): void {
  const { size, root, bytes, receipt }: StoredCheckpoint = batch.checkpoint;
  statements.run("add-checkpoint", [log, size, root, bytes, receipt, batch.nowMs]);
}

function addIndexes(
  statements: Statements,
  suite: Suite,
  { log, leaf }: { readonly log: number; readonly leaf: Leaf },
): void {
  if (leaf.kind === "reading") return;
  const number = leaf.kind === "opaque" ? leaf.number : LEAF_KINDS[leaf.kind];
  const channel = ("channel" in leaf ? leaf.channel : undefined) ?? null;
  const [t0, t1] = spanOf(leaf);
  statements.run("add-mark", [log, leaf.seq, number, channel, t0, t1]);
  if (leaf.kind === "anchor") addAnchor(statements, suite, { log, leaf });
}

function spanOf(leaf: Leaf): readonly [number, number] {
  if (leaf.kind === "intervalClose") return [leaf.t0Ms, leaf.t1Ms];
  if (leaf.kind === "discontinuity") return [leaf.gapFromMs, leaf.gapToMs];
  return [leaf.timeMs, leaf.timeMs];
}

/** An anchor counts here when it names a receipt of this log that is stored; those of other nodes are only leaves. */
function addAnchor(
  statements: Statements,
  suite: Suite,
  { log, leaf }: { readonly log: number; readonly leaf: Anchor },
): void {
  const row = statements.get<StoredCheckpoint>("checkpoint-over", [log, leaf.receiptSize]);
  if (row?.size === leaf.receiptSize && isReceiptOf(suite, leaf, row.receipt))
    statements.run("add-anchor", [log, leaf.seq, leaf.receiptSize]);
}

/** Whether the anchor says of the receipt what it is; proofs that rest on another one would be refused. */
function isReceiptOf(suite: Suite, leaf: Anchor, bytes: Uint8Array): boolean {
  if (!equalBytes(receiptKeyHint(bytes), leaf.nodeKey)) return false;
  if (!equalBytes(suite.sha256(bytes), leaf.receiptHash)) return false;
  return openReceipt(suite, bytes, leaf.nodeKey).receivedAtMs === leaf.receivedAtMs;
}
