import { equalBytes, toHex } from "../attest/bytes.ts";
import type { Checkpoint } from "../attest/checkpoint.ts";
import { decodeLeafAt } from "../attest/leaf-codec.ts";
import { Problem } from "../attest/problem.ts";
import { Frontier, leafHash } from "../attest/tree.ts";
import type { IngestContext, KnownArrival } from "./ingest-types.ts";

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
  throw await keepFork(context, arrival, {
    size: checkpoint.size,
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
  const { head, batch } = arrival;
  const tree = new Frontier(
    context.suite,
    batch.firstSeq,
    await context.store.peaks(head.log, batch.firstSeq),
  );
  let differs: number | undefined;
  for (let at = 0; at < batch.leaves.length; ) {
    const { end } = decodeLeafAt(batch.leaves, at);
    const bytes = batch.leaves.subarray(at, end);
    if (differs === undefined && !(await isStored(context, arrival, { seq: tree.size, bytes })))
      differs = tree.size;
    tree.append(leafHash(context.suite, bytes));
    at = end;
  }
  if (tree.size === checkpoint.size && equalBytes(tree.root(), checkpoint.root)) {
    const detail = `leaf ${differs} is another one there, under a signed root`;
    return keepFork(context, arrival, { size: checkpoint.size, detail });
  }
  return new Problem(
    "batch-overlap",
    "leaves differ from those stored, and the signed root is not over them",
    {
      where: `leaf ${differs ?? batch.firstSeq}`,
    },
  );
}

async function isStored(
  context: IngestContext,
  { head }: KnownArrival,
  { seq, bytes }: { readonly seq: number; readonly bytes: Uint8Array },
): Promise<boolean> {
  if (seq >= head.size) return true;
  const [stored] = await context.store.leaves(head.log, seq, seq + 1);
  return stored !== undefined && equalBytes(stored, bytes);
}

/** Keeps the device's checkpoint beside the stored one that contradicts it. */
async function keepFork(
  context: IngestContext,
  arrival: KnownArrival,
  found: { readonly size: number; readonly detail: string },
): Promise<Problem> {
  const { head, batch } = arrival;
  const size = Math.min(found.size, head.size);
  const ours = await context.store.checkpointOver(head.log, size);
  const { log } = head;
  await context.store.addFault({
    ...{ log, kind: "fork", size: found.size, detail: found.detail, nowMs: context.nowMs() },
    ours: ours?.bytes ?? new Uint8Array(0),
    theirs: batch.checkpoint,
  });
  return new Problem("fork", "the device signed two histories of one log", {
    where: `epoch ${head.epoch}`,
    got: found.detail,
    hint: "both signed checkpoints are kept as evidence",
  });
}
