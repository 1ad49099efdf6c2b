import { equalBytes } from "../attest/bytes.ts";
import { logIdOf } from "../attest/identity.ts";
import type { EpochOpen } from "../attest/leaf.ts";
import { Problem } from "../attest/problem.ts";
import type { VerifiedBatch } from "../attest/stream-verifier.ts";
import { Frontier } from "../attest/tree.ts";
import type { Arrival, IngestContext } from "./ingest-types.ts";

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
  const leaf = verified.leaves[1]?.leaf;
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
