import { equalBytes } from "../attest/bytes.ts";
import type { Checkpoint } from "../attest/checkpoint.ts";
import { buildTwoEpochsFault } from "../attest/fault-build.ts";
import { logIdOf } from "../attest/identity.ts";
import type { EpochOpen } from "../attest/leaf.ts";
import { decodeLeaf } from "../attest/leaf-codec.ts";
import { Problem } from "../attest/problem.ts";
import type { VerifiedBatch } from "../attest/stream-verifier.ts";
import { Frontier } from "../attest/tree.ts";
import { signedCheckpoint } from "./claimed-history.ts";
import type { Arrival, IngestContext } from "./ingest-types.ts";
import { keepFault } from "./keep-fault.ts";
import type { LogHead } from "./store/store.ts";

/** The seq of the leaf by which a later epoch says which log it continues. */
const EPOCH_OPEN_SEQ = 1;
/** Later epochs of which one is looked for that closed the log in question. */
const MOST_LATER_EPOCHS = 8;

/**
 * The first batch of an epoch after the first must say, at seq 1, which log it continues; what it says about a log
 * that is held here must be true. Throws `epoch-open-missing` or `epoch-open-mismatch`.
 */
export async function checkEpochOpen(
  context: IngestContext,
  arrival: Arrival,
  verified: VerifiedBatch,
): Promise<void> {
  if (arrival.identity.epoch === 1) return;
  const leaf = verified.leaves.others.find(({ seq }) => seq === 1);
  if (leaf?.kind !== "epochOpen") {
    throw new Problem("epoch-open-missing", "a later epoch must say at seq 1 which log it continues", {
      expected: "an epochOpen leaf in the first batch",
      got: leaf?.kind ?? "nothing",
    });
  }
  await checkOldLog(context, arrival, leaf);
}

async function checkOldLog(context: IngestContext, arrival: Arrival, leaf: EpochOpen): Promise<void> {
  const { newest, identity } = arrival;
  const { oldLogId, oldSize, oldRoot } = leaf;
  if (newest === undefined || oldLogId === undefined) return;
  const ours = logIdOf(context.suite, { ...identity, epoch: newest.epoch });
  // A log that only other nodes have seen, or receipts that only they gave, cannot be judged here.
  if (!equalBytes(ours, oldLogId) || oldSize === undefined || oldSize > newest.size || oldSize === 0) return;
  const peaks = await context.store.peaks(newest.log, oldSize);
  const root = new Frontier(context.suite, oldSize, peaks).root();
  if (oldRoot !== undefined && equalBytes(root, oldRoot)) return;
  throw new Problem("epoch-open-mismatch", "the epoch continues a history that is not the one stored here", {
    where: `leaf 1, epoch ${identity.epoch}`,
    expected: `the root of epoch ${newest.epoch} at size ${oldSize}`,
  });
}

/**
 * Opening an epoch closed all earlier ones of the key at this node, for good. Throws `epoch-closed`; a checkpoint over
 * more than the later epoch says was signed is kept as a fault.
 */
export async function requireLiveEpoch(context: IngestContext, arrival: Arrival): Promise<void> {
  const { newest, batch } = arrival;
  if (newest === undefined || newest.epoch <= batch.epoch) return;
  const kept = await keepSignedAfterClose(context, arrival);
  throw new Problem("epoch-closed", "a later epoch of this key is open, which closed this one", {
    expected: `epoch ${newest.epoch}`,
    got: String(batch.epoch),
    ...(kept ? { hint: "it was signed after that, and is kept as evidence" } : {}),
  });
}

async function keepSignedAfterClose(context: IngestContext, arrival: Arrival): Promise<boolean> {
  const checkpoint = signedCheckpoint(context, arrival);
  if (checkpoint === undefined) return false;
  const { deviceKey, epoch } = arrival.identity;
  const laterHeads = await context.store.laterHeads(deviceKey, epoch, MOST_LATER_EPOCHS);
  for (const later of laterHeads)
    if (await keepTwoEpochs(context, arrival, { checkpoint, later })) return true;
  return false;
}

async function keepTwoEpochs(
  context: IngestContext,
  arrival: Arrival,
  { checkpoint, later }: { readonly checkpoint: Checkpoint; readonly later: LogHead },
): Promise<boolean> {
  const { identity, logId, batch } = arrival;
  const history = await context.store.history(later.log);
  const leaf = decodeLeaf(history.leaf(EPOCH_OPEN_SEQ));
  if (leaf.kind !== "epochOpen" || leaf.oldLogId === undefined || !equalBytes(leaf.oldLogId, logId))
    return false;
  const ours = await context.store.checkpointOver(later.log, EPOCH_OPEN_SEQ + 1);
  if (ours === undefined) return false;
  return keepFault(context, arrival, {
    ...{ kind: "two-epochs", size: checkpoint.size, ours: ours.bytes },
    detail: `epoch ${later.epoch} says that ${leaf.oldSignedSize} leaves were signed here, and there are ${checkpoint.size}`,
    build: () =>
      buildTwoEpochsFault(context.suite, identity, {
        checkpoint: batch.checkpoint,
        later: { ...history, checkpoint: ours.bytes, epoch: later.epoch },
      }),
  });
}
