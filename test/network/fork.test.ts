import { describe, expect, it } from "vitest";
import { decodeFault } from "../../attest/fault.ts";
import { bytesOf, shortLog } from "../attest/fault-forge.ts";
import { device, openedLog } from "../attest/fault-kit.ts";
import { openEpoch } from "../attest/fault-world.ts";
import type { LogBuilder } from "../kit/log-builder.ts";
import { type Court, court, shown, signed, unsigned } from "./fault-kit.ts";

/** One log that goes on in two ways, and a node that has taken the first. */
async function forked(
  readings = 0,
): Promise<{ readonly at: Court; readonly ours: LogBuilder; readonly theirs: LogBuilder }> {
  const at = court();
  const [ours, theirs] = [shortLog(), shortLog()];
  for (const log of [ours, theirs]) log.readMany(readings, { stepMs: 5000, risesMwh: 7 });
  ours.read({ importMwh: 2_000_000 });
  theirs.read({ importMwh: 3_000_000 });
  expect(await at.send(await signed(ours, bytesOf(ours)))).toBe("accepted");
  return { at, ours, theirs };
}

describe("a fork", () => {
  it("at one size is shown by its two roots", async () => {
    const { at, theirs } = await forked();
    const batch = await signed(theirs, bytesOf(theirs), { firstSeq: 3 });
    expect(await at.send(batch)).toBe("fork");
    expect(await shown(at)).toEqual(["two-roots"]);
    expect(await at.faults()).toMatchObject([{ kind: "fork", theirs: batch.checkpoint }]);
  });

  it("at one size needs no leaves", async () => {
    const { at, theirs } = await forked();
    const firstSeq = theirs.leaves.length;
    expect(await at.send(await signed(theirs, bytesOf(theirs), { firstSeq }))).toBe("fork");
    expect(await shown(at)).toEqual(["two-roots"]);
  });

  it.each([0, 700])(
    "of a longer history is shown by the two leaves, %i readings behind",
    async (readings) => {
      const { at, ours, theirs } = await forked(readings);
      const index = ours.leaves.length - 1;
      theirs.read({ importMwh: 4_000_000 });
      const firstSeq = index - 5;
      expect(await at.send(await signed(theirs, bytesOf(theirs), { firstSeq }))).toBe("fork");
      expect(await shown(at)).toEqual(["two-leaves"]);
      expect(await fileOf(at)).toMatchObject({
        ...{ index, leaf: ours.leaves[index]?.bytes, otherLeaf: theirs.leaves[index]?.bytes },
        otherCheckpoint: (await at.faults())[0]?.theirs,
      });
    },
  );

  it("of a shorter history is shown where the batch has the leaf that differs", async () => {
    const { at, ours, theirs } = await forked();
    const index = ours.leaves.length - 1;
    for (const importMwh of [5_000_000, 6_000_000]) ours.read({ importMwh });
    await at.send(await signed(ours, bytesOf(ours), { firstSeq: index + 1 }));
    // Of this size there is no checkpoint of ours, only a larger one.
    theirs.read({ importMwh: 7_000_000 });
    const silent = await signed(theirs, bytesOf(theirs), { firstSeq: theirs.leaves.length });
    expect(await at.send(silent)).toBe("fork");
    expect(await shown(at)).toEqual([null]);
    expect((await at.faults())[0]?.detail).toContain("; no fault file: ");
    // The same checkpoint with the leaves: the fault that is kept gets its file.
    const telling = { ...unsigned(theirs, bytesOf(theirs)), checkpoint: silent.checkpoint };
    expect(await at.send(telling)).toBe("fork");
    expect(await shown(at)).toEqual(["two-leaves"]);
    expect((await at.faults())[0]?.detail).not.toContain("no fault file");
    expect(await fileOf(at)).toMatchObject({ index });
  });

  it("is one where the other leaf is no leaf at all", async () => {
    const { at, theirs } = await forked();
    const leaves = [...bytesOf(theirs).slice(0, -1), Uint8Array.of(0xa1, 1, 0x18, 5), Uint8Array.of(0)];
    expect(await at.send(await signed(theirs, leaves))).toBe("fork");
    expect(await shown(at)).toEqual(["two-leaves"]);
  });

  it("is none without the signature over the leaves", async () => {
    const { at, ours, theirs } = await forked();
    const before = at.version();
    for (const log of [ours, theirs]) log.read({ importMwh: 4_000_000 });
    const { checkpoint } = await signed(ours, bytesOf(ours));
    expect(await at.send({ ...unsigned(theirs, bytesOf(theirs)), checkpoint })).toBe("batch-overlap");
    expect(at.version()).toBe(before);
  });
});

describe("a checkpoint of an epoch that a later one has closed", () => {
  interface Epochs {
    readonly at: Court;
    readonly old: LogBuilder;
    /** Size of the old log when the later epoch was opened. */
    readonly size: number;
  }

  /** Epochs 1, 2 and 4; the node need not have seen the first. */
  async function epochs(sure: boolean, sees = true): Promise<Epochs> {
    const at = court();
    const old = shortLog();
    if (sees) await at.send(await signed(old, bytesOf(old)));
    await old.checkpoint();
    const [second, fourth] = [openedLog({ epoch: 2 }), openedLog({ epoch: 4 })];
    openEpoch(second, old, sure);
    await second.checkpoint();
    openEpoch(fourth, second, sure);
    for (const log of [second, fourth])
      expect(await at.send(await signed(log, bytesOf(log)))).toBe("accepted");
    return { at, old, size: old.leaves.length };
  }

  it.each([true, false])("above what that one says was signed is kept; old log stored: %s", async (sees) => {
    const { at, old, size } = await epochs(true, sees);
    old.read({ importMwh: 2_000_000 });
    const batch = await signed(old, bytesOf(old), { firstSeq: sees ? size : 0 });
    expect(await at.send(batch)).toBe("epoch-closed");
    expect(await shown(at)).toEqual(["signed-after-close"]);
    expect(await at.faults()).toMatchObject([
      { kind: "two-epochs", epoch: 1, size: size + 1, theirs: batch.checkpoint },
    ]);
    expect(await fileOf(at)).toMatchObject({ laterEpoch: 2, laterCheckpoint: (await at.faults())[0]?.ours });
  });

  it("accuses nobody where the later one does not say what was signed", async () => {
    const { at, old, size } = await epochs(false);
    const before = at.version();
    old.read({ importMwh: 2_000_000 });
    expect(await at.send(await signed(old, bytesOf(old), { firstSeq: size }))).toBe("epoch-closed");
    expect(at.version()).toBe(before);
  });

  it("accuses nobody where it came late, or bears no signature of the device", async () => {
    const { at, old, size } = await epochs(true, false);
    const before = at.version();
    const late = await signed(old, bytesOf(old));
    expect(await at.send(late)).toBe("epoch-closed");
    old.read({ importMwh: 2_000_000 });
    const { checkpoint } = await signed(old, bytesOf(old), { firstSeq: size });
    const forged = checkpoint.map((byte, i) => (i === checkpoint.length - 1 ? byte ^ 1 : byte));
    expect(await at.send({ ...late, checkpoint: forged })).toBe("epoch-closed");
    expect(at.version()).toBe(before);
  });
});

async function fileOf({ store, faults }: Court): Promise<unknown> {
  const [fault] = await faults();
  const file = await store.faultProof(device.publicKey, fault?.id ?? 0);
  return file && decodeFault(file);
}
