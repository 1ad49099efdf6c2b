import { describe, expect, it } from "vitest";
import { CHECKPOINT_LEAVES } from "../../../agent/sealing/prefix-checkpoints.ts";
import { LogRules } from "../../../attest/log-rules.ts";
import { nativeSuite } from "../../../attest/native.ts";
import { MAX_BATCH_LEAVES, verifyBatch } from "../../../attest/stream-verifier.ts";
import { fsck, nodeSigner, type Station, useStations } from "./ledger-kit.ts";

const station = useStations();

/** Takes the log from its first leaf as a node does, batch by batch; sizes of the batches. */
function taken(one: Station): number[] {
  const { journal, identity } = one.ledger.log;
  let rules = new LogRules(nativeSuite, identity);
  const sizes: number[] = [];
  for (;;) {
    const batch = journal.batchAfter(identity.epoch, rules.size, CHECKPOINT_LEAVES);
    if (batch === undefined) return sizes;
    sizes.push(batch.size - batch.firstSeq);
    expect(batch.size - batch.firstSeq).toBeLessThanOrEqual(MAX_BATCH_LEAVES);
    ({ rules } = verifyBatch(nativeSuite, rules, batch));
  }
}

describe("a checkpoint over more than one batch takes", () => {
  it("comes behind others, so that a node takes everything that was sealed before anybody could sign", async () => {
    const one = station();
    await one.read(5).ledger.checkpoint();
    one.read(5419).ledger.commit();
    const size = await one.ledger.checkpoint();
    const sizes = taken(one);
    expect(sizes.reduce((sum, count) => sum + count, 0)).toBe(size);
    expect(Math.max(...sizes)).toBe(CHECKPOINT_LEAVES);
    expect(fsck(one.path)).toEqual([]);
  });

  it("does so behind a take-over of a long backlog, too", async () => {
    const one = station({ nodes: [nodeSigner.publicKey] });
    await one.read(10).witness();
    one.read(9000).ledger.commit();
    one.ledger.nextEpoch({ epoch: 2, reason: "test" });
    await one.settle();
    await one.ledger.checkpoint();
    expect(Math.max(...taken(one))).toBe(CHECKPOINT_LEAVES);
    expect(one.registers()).toEqual(one.sealed.slice(10));
  });
});
