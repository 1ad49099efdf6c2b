import { concatBytes, equalBytes } from "../attest/bytes.ts";
import { type Checkpoint, openCheckpoint } from "../attest/checkpoint.ts";
import { logIdOf } from "../attest/identity.ts";
import { decodeLeaf } from "../attest/leaf-codec.ts";
import type { BatchMessage } from "../attest/messages.ts";
import { Problem } from "../attest/problem.ts";
import { RULE_VERSION, signReceipt } from "../attest/receipt.ts";
import { MAX_BATCH_LEAVES, type VerifiedBatch, verifyBatch } from "../attest/stream-verifier.ts";
import { checkEpochOpen, requireLiveEpoch } from "./epoch.ts";
import { judgeRefusal } from "./false-leaf.ts";
import { judgeCheckpoint, judgeLeaves } from "./fork.ts";
import type { Arrival, IngestContext, KnownArrival, KnownDevice } from "./ingest-types.ts";
import { admitted } from "./quarantine/guard.ts";
import type { AcceptedBatch } from "./store/store.ts";

/** How often a batch is tried again when another connection or process moves its log at the same instant. */
const ATTEMPTS = 3;
const MAX_EPOCH = 0xffff_ffff;

/**
 * Verifies a batch and makes it durable; returns the receipt. A batch, or a part of one, that is stored already is
 * answered with the stored receipt. Throws a Problem whose code names the fault; then nothing has changed, except
 * that a checkpoint which the device should not have signed is kept as such.
 */
export async function ingestBatch(
  context: IngestContext,
  device: KnownDevice,
  batch: BatchMessage,
): Promise<Uint8Array> {
  const arrival = await arrive(context, device, batch);
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const current = attempt === 1 ? arrival : await arrive(context, device, batch);
    const receipt = await take(context, current);
    if (receipt !== undefined) return receipt;
  }
  throw new Problem("log-busy", "the log is being moved by another connection", {
    hint: "send the batch again",
  });
}

async function arrive(context: IngestContext, device: KnownDevice, batch: BatchMessage): Promise<Arrival> {
  if (batch.epoch < 1 || batch.epoch > MAX_EPOCH) {
    throw new Problem("epoch-range", "epoch is out of range", {
      expected: `1 to ${MAX_EPOCH}`,
      got: String(batch.epoch),
    });
  }
  const identity = { network: context.network, deviceKey: device.key, epoch: batch.epoch };
  const newest = await context.store.newestHead(device.key);
  const head = newest?.epoch === batch.epoch ? newest : await context.store.head(device.key, batch.epoch);
  return { device, identity, logId: head?.logId ?? logIdOf(context.suite, identity), head, newest, batch };
}

/** The receipt, or undefined when the log moved meanwhile. */
async function take(context: IngestContext, arrival: Arrival): Promise<Uint8Array | undefined> {
  const { head, batch } = arrival;
  const size = head?.size ?? 0;
  if (batch.firstSeq > size) {
    throw new Problem("batch-gap", "the batch begins behind the end of the log", {
      expected: `first seq ${size} or lower`,
      got: String(batch.firstSeq),
    });
  }
  if (head === undefined || (batch.firstSeq === size && batch.leaves.length > 0))
    return extend(context, arrival);
  return overlap(context, { ...arrival, head });
}

/** A batch that begins where the log ends. */
async function extend(context: IngestContext, arrival: Arrival): Promise<Uint8Array | undefined> {
  await requireLiveEpoch(context, arrival);
  const { store } = context;
  const verified = await verify(context, arrival);
  if (arrival.head === undefined) await checkEpochOpen(context, arrival, verified);
  const nowMs = context.nowMs();
  const receipt = await receiptFor(context, verified.checkpoint, nowMs);
  const { deviceKey, epoch } = arrival.identity;
  const growth = { deviceKey, epoch, opens: arrival.head === undefined, nowMs };
  const accepted = acceptedBatch(arrival, verified, { receipt, nowMs });
  if (!(await admitted(context, growth, () => store.append(accepted)))) return undefined;
  context.rules.keep(verified.rules);
  return receipt;
}

/** Throws what {@link verifyBatch} does, and keeps what the device has signed against the rules. */
async function verify(context: IngestContext, arrival: Arrival): Promise<VerifiedBatch> {
  const { identity, head, batch } = arrival;
  const rules = context.rules.at(identity, head);
  try {
    return verifyBatch(context.suite, rules, batch);
  } catch (thrown) {
    if (!(thrown instanceof Problem)) throw thrown;
    throw await judgeRefusal(context, arrival, { rules, refused: thrown });
  }
}

function acceptedBatch(
  arrival: Arrival,
  verified: VerifiedBatch,
  answer: { readonly receipt: Uint8Array; readonly nowMs: number },
): AcceptedBatch {
  const { size, root } = verified.checkpoint;
  return {
    identity: arrival.identity,
    logId: arrival.logId,
    agentVersion: arrival.device.agentVersion,
    fromSize: arrival.head?.size ?? 0,
    leaves: verified.leaves,
    rules: verified.rules.toText(),
    checkpoint: { size, root, bytes: arrival.batch.checkpoint, receipt: answer.receipt },
    nowMs: answer.nowMs,
  };
}

/** A batch whose first leaves are stored already: they must be the same bytes; what is new extends the log. */
async function overlap(context: IngestContext, arrival: KnownArrival): Promise<Uint8Array | undefined> {
  const { head, batch } = arrival;
  const checkpoint = openCheckpoint(context.suite, batch.checkpoint, {
    deviceKey: arrival.identity.deviceKey,
    logId: arrival.logId,
  });
  requireLeafCount(checkpoint, batch);
  if (checkpoint.size <= head.size) await judgeCheckpoint(context, arrival, checkpoint);
  const end = Math.min(checkpoint.size, head.size);
  const stored = concatBytes(...(await context.store.leaves(head.log, batch.firstSeq, end)));
  if (!equalBytes(batch.leaves.subarray(0, stored.length), stored))
    throw await judgeLeaves(context, arrival, checkpoint);
  const rest = batch.leaves.subarray(stored.length);
  if (checkpoint.size <= head.size) return repeat(context, arrival, { checkpoint, rest });
  return extend(context, { ...arrival, batch: { ...batch, firstSeq: head.size, leaves: rest } });
}

/** A checkpoint over leaves that are all stored, and under it nothing that differs: it gets the receipt of its size. */
async function repeat(
  context: IngestContext,
  arrival: KnownArrival,
  { checkpoint, rest }: { readonly checkpoint: Checkpoint; readonly rest: Uint8Array },
): Promise<Uint8Array> {
  if (rest.length > 0)
    throw new Problem("checkpoint-size", "the checkpoint does not end where the leaves end");
  const { head, batch } = arrival;
  const { size, root } = checkpoint;
  const known = await context.store.checkpointOver(head.log, size);
  if (known?.size === size) return known.receipt;
  await requireTrueDetails(context, arrival, checkpoint);
  const nowMs = context.nowMs();
  const receipt = await receiptFor(context, checkpoint, nowMs);
  const entry = { size, root, bytes: batch.checkpoint, receipt };
  return (await context.store.addCheckpoint(head.log, entry, nowMs)).receipt;
}

/** What a checkpoint says beside its root must be so too, as for one that extends the log. */
async function requireTrueDetails(
  context: IngestContext,
  { head, identity }: KnownArrival,
  checkpoint: Checkpoint,
): Promise<void> {
  if (!equalBytes(checkpoint.manifestHash, context.rules.at(identity, head).manifestHash))
    throw new Problem("checkpoint-manifest", "the checkpoint names another log manifest");
  const [bytes] = await context.store.leaves(head.log, checkpoint.size - 1, checkpoint.size);
  const timeMs = bytes && decodeLeaf(bytes).timeMs;
  if (checkpoint.lastLeafMs === timeMs) return;
  throw new Problem("checkpoint-time", "the checkpoint names another time of its last leaf", {
    expected: String(timeMs),
    got: String(checkpoint.lastLeafMs),
  });
}

function receiptFor(context: IngestContext, checkpoint: Checkpoint, nowMs: number): Promise<Uint8Array> {
  const { manifestHash, size, root } = checkpoint;
  const receipt = { manifestHash, size, root, receivedAtMs: nowMs, ruleVersion: RULE_VERSION };
  return signReceipt(context.signer, receipt);
}

function requireLeafCount(checkpoint: Checkpoint, batch: BatchMessage): void {
  const count = checkpoint.size - batch.firstSeq;
  if (count >= 0 && count <= MAX_BATCH_LEAVES) return;
  throw new Problem("checkpoint-size", "the checkpoint does not end where the leaves end", {
    expected: `first seq plus 0 to ${MAX_BATCH_LEAVES}`,
    got: String(checkpoint.size),
  });
}
