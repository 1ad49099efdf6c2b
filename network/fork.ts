import { equalBytes, toHex } from "../attest/bytes.ts";
import type { Checkpoint } from "../attest/checkpoint.ts";
import { buildForkFault, type SignedHistory } from "../attest/fault-build.ts";
import { Problem } from "../attest/problem.ts";
import { Frontier } from "../attest/tree.ts";
import { claimedHistory } from "./claimed-history.ts";
import type { IngestContext, KnownArrival } from "./ingest-types.ts";
import { keepFault } from "./keep-fault.ts";
import type { StoredHistory } from "./store/store.ts";

/**
 * A signed checkpoint over leaves that are stored here must have their root. Another root under the device's own
 * signature is a fork: both checkpoints are kept and `fork` is thrown.
 */
export async function judgeCheckpoint(
  context: IngestContext,
  arrival: KnownArrival,
  checkpoint: Checkpoint,
): Promise<void> {
  const { log } = arrival.head;
  const peaks = await context.store.peaks(log, checkpoint.size);
  const root = new Frontier(context.suite, checkpoint.size, peaks).root();
  if (equalBytes(root, checkpoint.root)) return;
  const stored = await context.store.history(log);
  throw await keepFork(context, arrival, {
    ...{ checkpoint, stored, theirs: await theirHistory(context, arrival, { checkpoint, stored }) },
    detail: `at size ${checkpoint.size} the root is ${toHex(root)} here and ${toHex(checkpoint.root)} there`,
  });
}

/**
 * Leaves that differ from the stored ones: a fork when the device signed the root over them, else only a damaged
 * batch. Returns the Problem to throw.
 */
export async function judgeLeaves(
  context: IngestContext,
  arrival: KnownArrival,
  checkpoint: Checkpoint,
): Promise<Problem> {
  const differs = `leaf ${await firstDiffering(context, arrival, checkpoint)}`;
  const stored = await context.store.history(arrival.head.log);
  const theirs = await theirHistory(context, arrival, { checkpoint, stored });
  if (theirs !== undefined) {
    const detail = `${differs} is another one there, under a signed root`;
    return keepFork(context, arrival, { checkpoint, stored, theirs, detail });
  }
  const what = "leaves differ from those stored, and the signed root is not over them";
  return new Problem("batch-overlap", what, { where: differs });
}

/** The first stored leaf that stands otherwise in the batch; where all of them stand there, the batch's first. */
async function firstDiffering(
  { store }: IngestContext,
  { head, batch }: KnownArrival,
  { size }: Checkpoint,
): Promise<number> {
  let at = 0;
  const stored = await store.leaves(head.log, batch.firstSeq, Math.min(size, head.size));
  for (const [i, leaf] of stored.entries()) {
    if (!equalBytes(batch.leaves.subarray(at, at + leaf.length), leaf)) return batch.firstSeq + i;
    at += leaf.length;
  }
  return batch.firstSeq;
}

interface Signed {
  readonly checkpoint: Checkpoint;
  readonly stored: StoredHistory;
}

/** The other history, as far as the batch shows it: it must part from the stored one within the batch. */
async function theirHistory(
  { suite, store }: IngestContext,
  { head, batch }: KnownArrival,
  { checkpoint, stored }: Signed,
): Promise<SignedHistory | undefined> {
  const size = batch.firstSeq;
  const peaks = await store.peaks(head.log, size);
  return claimedHistory(suite, { batch, checkpoint }, { size, peaks, stored });
}

interface Fork extends Signed {
  readonly theirs: SignedHistory | undefined;
  readonly detail: string;
}

/** Keeps the device's checkpoint beside the stored one that contradicts it. */
async function keepFork(context: IngestContext, arrival: KnownArrival, fork: Fork): Promise<Problem> {
  const { head, batch, identity } = arrival;
  const { size } = fork.checkpoint;
  const ours = await context.store.checkpointOver(head.log, Math.min(size, head.size));
  const one = { ...fork.stored, checkpoint: ours?.bytes ?? new Uint8Array(0) };
  const other = fork.theirs ?? { checkpoint: batch.checkpoint, leaf: notSent, tree: notSent };
  await keepFault(context, arrival, {
    ...{ kind: "fork", size, ours: one.checkpoint, detail: fork.detail },
    build: () => buildForkFault(context.suite, identity, { one, other }),
  });
  return new Problem("fork", "the device signed two histories of one log", {
    where: `epoch ${head.epoch}`,
    got: fork.detail,
    hint: "both signed checkpoints are kept as evidence",
  });
}

function notSent(): never {
  throw new Problem("fault-nothing", "the batch does not show the leaves under the other root");
}
