import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concatBytes } from "../../attest/bytes.ts";
import type { Leaf } from "../../attest/leaf.ts";
import { encodeLeaf } from "../../attest/leaf-codec.ts";
import type { BatchMessage } from "../../attest/messages.ts";
import { bytesOf } from "../attest/fault-forge.ts";
import { histories, openedLog, play } from "../attest/fault-kit.ts";
import { mutated } from "../attest/fault-mutate.ts";
import { Dice } from "../attest/fault-subsets.ts";
import { worldEvents, worldOf } from "../attest/fault-world.ts";
import { refusalOf } from "../attest/refusal.ts";
import type { LogBuilder } from "../kit/log-builder.ts";
import { court, shown, signed, unsigned } from "./fault-kit.ts";

/** Most batches of one log that are sent. */
const MOST_BATCHES = 12;

/** Batches that a device may make of its log: each under one of its checkpoints, with some of the leaves below it. */
function batchesOf(log: LogBuilder, dice: Dice): BatchMessage[] {
  let sent = 0;
  return log.checkpoints.slice(-MOST_BATCHES).map(({ bytes: checkpoint, checkpoint: { size } }) => {
    const firstSeq = dice.chance(60) ? Math.min(sent, size) : dice.below(size + 1);
    sent = size;
    return { ...unsigned(log, bytesOf(log).slice(0, size), firstSeq), checkpoint };
  });
}

/** The same batches in another order, some of them more than once. */
function reordered(batches: readonly BatchMessage[], dice: Dice): BatchMessage[] {
  return batches.flatMap(() => (dice.chance(70) ? [dice.pick(batches)] : []));
}

/** What anybody on the way can make of batches that he has seen, without the device's key. */
function tampered(batch: BatchMessage, all: readonly BatchMessage[], dice: Dice): BatchMessage {
  const other = dice.pick(all);
  const at = dice.below(batch.leaves.length);
  const flipped = batch.leaves.map((byte, i) => (i === at ? byte ^ (1 << dice.below(8)) : byte));
  return dice.pick<BatchMessage>([
    { ...batch, leaves: flipped },
    { ...batch, leaves: batch.leaves.subarray(0, at) },
    { ...batch, leaves: other.leaves },
    { ...batch, leaves: concatBytes(batch.leaves, other.leaves) },
    { ...batch, firstSeq: dice.below(batch.firstSeq + 3) },
    { ...batch, epoch: other.epoch },
    { ...batch, checkpoint: other.checkpoint },
  ]);
}

describe("an honest device", () => {
  it("is never accused, however its batches are repeated, reordered, mixed and damaged on the way", async () => {
    const seen = { accepted: 0, refused: 0, closed: 0 };
    await fc.assert(
      fc.asyncProperty(worldEvents, fc.nat(), async (events, seed) => {
        const dice = new Dice(seed);
        const { logs } = await worldOf(events);
        const at = court();
        const sent = logs.map((log) => batchesOf(log, dice));
        const all = sent.flat();
        // What does not come before the next epoch is opened comes late.
        const late = sent.flatMap((batches) => batches.slice(Math.ceil(batches.length / 2)));
        const prompt = all.filter((batch) => !late.includes(batch));
        const mixed = reordered(all, dice).map((batch) => tampered(batch, all, dice));
        for (const batch of [...reordered(prompt, dice), ...mixed, ...prompt, ...late, ...mixed]) {
          const code = await at.send(batch);
          if (code === "accepted") seen.accepted += 1;
          else if (code === "epoch-closed") seen.closed += 1;
          else seen.refused += 1;
        }
        expect(await at.faults()).toEqual([]);
      }),
      { numRuns: 12 },
    );
    expect(Math.min(seen.accepted, seen.refused, seen.closed)).toBeGreaterThan(8);
  });
});

/** The leaf with one property changed, at its place; undefined if it is no leaf any more. */
function forgeryOf(honest: Leaf, dice: Dice): Leaf | undefined {
  const forged = { ...mutated(honest, dice).leaf, seq: honest.seq, salt: honest.salt };
  return refusalOf(() => encodeLeaf(forged)) === undefined ? forged : undefined;
}

describe("a device that changes one property of its next leaf", () => {
  it("is accused only where the node refuses the leaf, and the file shows why", async () => {
    const seen = { accepted: 0, proven: 0 };
    const property = fc.asyncProperty(histories, fc.nat(), async (events, seed) => {
      const dice = new Dice(seed);
      const log = await play(openedLog(), events);
      const { leaf: honest } = dice.pick(log.leaves.slice(1));
      const before = bytesOf(log).slice(0, honest.seq);
      const lastLeafMs = log.leaves[honest.seq - 1]?.leaf.timeMs ?? 0;
      const at = court();
      expect(await at.send(await signed(log, before, { checkpoint: { lastLeafMs } }))).toBe("accepted");
      for (let i = 0; i < 6; i++) {
        const forged = forgeryOf(honest, dice);
        if (forged === undefined) continue;
        const checkpoint = { lastLeafMs: forged.timeMs };
        const lie = await signed(log, [...before, encodeLeaf(forged)], {
          firstSeq: honest.seq,
          checkpoint,
        });
        if ((await at.send(lie)) === "accepted") {
          expect(await at.faults()).not.toContainEqual(expect.objectContaining({ theirs: lie.checkpoint }));
          seen.accepted += 1;
          break;
        }
      }
      const rules = await shown(at);
      expect(rules).not.toContain(null);
      seen.proven += rules.length;
    });
    const few = (): boolean => Math.min(seen.accepted, seen.proven) <= 2;
    // Until chance has shown both.
    for (let round = 0; few() && round < 10; round++) await fc.assert(property, { numRuns: 15 });
    expect(few()).toBe(false);
  });
});
