import { join } from "node:path";
import Database from "better-sqlite3";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concatBytes, equalBytes } from "../../attest/bytes.ts";
import { signCheckpoint } from "../../attest/checkpoint.ts";
import { type BatchMessage, decodeMessage, encodeMessage } from "../../attest/messages.ts";
import { nativeSigner, nativeSuite } from "../../attest/native.ts";
import { Problem } from "../../attest/problem.ts";
import { openReceipt } from "../../attest/receipt.ts";
import { Frontier, leafHash } from "../../attest/tree.ts";
import { ingestBatch } from "../../network/ingest.ts";
import type { IngestContext } from "../../network/ingest-types.ts";
import { RulesCache } from "../../network/rules-cache.ts";
import { plain } from "../../network/store/sqlite-proof-source.ts";
import type { SqliteStore } from "../../network/store/sqlite-store.ts";
import { FakeDevice, NETWORK, START_MS, seedOf } from "../kit/device.ts";
import { atEnd, openStore, temporaryFolder } from "./fixture.ts";

interface Bench {
  readonly context: IngestContext;
  readonly store: SqliteStore;
  readonly take: (device: FakeDevice, batch: BatchMessage) => Promise<Uint8Array>;
  /** Changes with every write to the store by anybody. */
  readonly version: () => unknown;
  /** How many hashes of subtrees are stored. */
  readonly subtrees: () => unknown;
}

function bench(): Bench {
  const folder = temporaryFolder();
  const store = openStore(folder);
  const witness = new Database(join(folder, "node.sqlite"), { readonly: true });
  atEnd(() => {
    witness.close();
  });
  let nowMs = START_MS;
  const context = {
    ...{ network: NETWORK, suite: nativeSuite, signer: nativeSigner(seedOf(200)), store },
    ...{ rules: new RulesCache(nativeSuite, 4), nowMs: () => nowMs++ },
  };
  return {
    context,
    store,
    take: (device, batch) =>
      ingestBatch(context, { key: device.signer.publicKey, agentVersion: "test" }, batch),
    version: () => witness.pragma("data_version", { simple: true }),
    subtrees: () => witness.prepare("SELECT count(*) FROM subtree").pluck().get(),
  };
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (thrown) {
    if (thrown instanceof Problem) return thrown.code;
    throw thrown;
  }
  return "accepted";
}

/** The refusal's code; the store must not have been touched. */
async function refused(at: Bench, device: FakeDevice, batch: BatchMessage): Promise<string> {
  const before = at.version();
  const code = await codeOf(at.take(device, batch));
  expect(at.version()).toBe(before);
  return code;
}

function flipped(bytes: Uint8Array, at: number, mask: number): Uint8Array {
  const copy = new Uint8Array(bytes);
  copy[at] = (copy[at] ?? 0) ^ mask;
  return copy;
}

describe("what is stored already", () => {
  it("is answered with the same receipt bytes, and nothing is written", async () => {
    const at = bench();
    const device = new FakeDevice().open().read(30);
    const batch = await device.batch();
    const receipt = await at.take(device, batch);
    const before = at.version();
    expect(await at.take(device, batch)).toEqual(receipt);
    expect(
      await at.take(device, { ...batch, leaves: new Uint8Array(0), firstSeq: device.rules.size }),
    ).toEqual(receipt);
    expect(at.version()).toBe(before);
  });

  it("is answered the same after the log has grown", async () => {
    const at = bench();
    const device = new FakeDevice().open().read(30);
    const first = await device.batch();
    const receipt = await at.take(device, first);
    await at.take(device, await device.read(30).batch());
    expect(await at.take(device, first)).toEqual(receipt);
  });

  it("may be the beginning of a batch that goes on", async () => {
    const at = bench();
    const device = new FakeDevice().open().read(30);
    await at.take(device, await device.batch());
    const receipt = await at.take(device, await device.read(30).batch(5));
    expect(openReceipt(nativeSuite, receipt, at.context.signer.publicKey).size).toBe(device.rules.size);
    const head = await at.store.head(device.signer.publicKey, 1);
    const stored = await at.store.leaves(head?.log ?? 0, 0, device.rules.size);
    expect(concatBytes(...stored)).toEqual(concatBytes(...device.leaves));
  });

  it("gets one receipt for a checkpoint over a size that had none", async () => {
    const at = bench();
    const device = new FakeDevice().open().read(3);
    const early = await device.batch();
    const { size } = device.rules;
    const whole = await device.read(3).batch(0);
    await at.take(device, whole);
    const receipt = await at.take(device, early);
    expect(openReceipt(nativeSuite, receipt, at.context.signer.publicKey).size).toBe(size);
    expect(await at.take(device, early)).toEqual(receipt);
  });

  it("is not answered for a checkpoint that is false about what its root does not cover", async () => {
    const at = bench();
    const device = new FakeDevice().open().read(3);
    const early = await device.batch();
    const honest = device.checkpoint();
    await at.take(device, await device.read(3).batch(0));
    for (const lie of [{ lastLeafMs: 1 }, { manifestHash: new Uint8Array(32) }]) {
      const checkpoint = await signCheckpoint(device.signer, device.rules.logId, { ...honest, ...lie });
      expect(await refused(at, device, { ...early, checkpoint })).toMatch(/^checkpoint-(time|manifest)$/);
    }
  });

  it("is stored once when two connections send it at the same instant", async () => {
    const at = bench();
    const device = new FakeDevice().open().read(30);
    const batch = await device.batch();
    const receipts = await Promise.all([
      at.take(device, batch),
      at.take(device, batch),
      at.take(device, batch),
    ]);
    expect(receipts.every((receipt) => equalBytes(receipt, receipts[0] ?? new Uint8Array(0)))).toBe(true);
    expect((await at.store.logs(device.signer.publicKey))[0]?.receipts).toBe(1);
  });
});

describe("a log that comes in pieces", () => {
  it("has the tree and the leaves of the device, whatever the pieces are", async () => {
    const at = bench();
    const device = new FakeDevice().open();
    for (const count of [1, 250, 3, 1, 700, 40]) await at.take(device, await device.read(count).batch());
    const { log = 0, size } = (await at.store.head(device.signer.publicKey, 1)) ?? {};
    expect(size).toBe(device.rules.size);
    expect(await at.store.leaves(log, 0, device.rules.size)).toEqual(device.leaves);
    const tree = new Frontier(nativeSuite);
    for (const leaf of device.leaves) {
      tree.append(leafHash(nativeSuite, leaf));
      if (tree.size % 256 > 1 && tree.size % 37 > 0) continue;
      expect((await at.store.peaks(log, tree.size)).map(plain)).toEqual(tree.hashes);
    }
    expect(at.subtrees()).toBe(Math.floor(device.rules.size / 256));
  });
});

describe("a batch that is wrong", () => {
  it("is refused whatever single byte of a new batch is changed", async () => {
    const at = bench();
    const device = new FakeDevice().open().read(5);
    await at.take(device, await device.batch());
    const bytes = encodeMessage(await device.read(10).batch());
    await everyFlipRefused(at, device, bytes);
    expect(await codeOf(at.take(device, batchOf(bytes)))).toBe("accepted");
  });

  it("is refused whatever single byte of a stored or overlapping batch is changed", async () => {
    const at = bench();
    const device = new FakeDevice().open().read(5);
    const stored = await device.batch();
    await at.take(device, stored);
    await everyFlipRefused(at, device, encodeMessage(stored));
    await everyFlipRefused(at, device, encodeMessage(await device.read(3).batch(0)));
    expect(await at.store.faults(device.signer.publicKey)).toEqual([]);
  });

  it("is refused whatever single byte of the first batch is changed", async () => {
    const at = bench();
    const device = new FakeDevice().open().read(3);
    await everyFlipRefused(at, device, encodeMessage(await device.batch()));
    expect(await at.store.newestHead(device.signer.publicKey)).toBeUndefined();
  });

  it("is refused under a root that is not the leaves'", async () => {
    const at = bench();
    const device = new FakeDevice().open().read(3);
    const batch = await device.batch();
    const lie = { ...device.checkpoint(), root: new Uint8Array(32) };
    const checkpoint = await signCheckpoint(device.signer, device.rules.logId, lie);
    expect(await refused(at, device, { ...batch, checkpoint })).toBe("checkpoint-root");
  });

  it("is refused when another device sends it", async () => {
    const at = bench();
    const device = new FakeDevice().open().read(3);
    const other = new FakeDevice({ seed: seedOf(2) });
    expect(await refused(at, other, await device.batch())).toBe("cose-kid");
  });

  it("is refused when it is of another network", async () => {
    const at = bench();
    const device = new FakeDevice({ network: "other-network" }).open().read(3);
    expect(await refused(at, device, await device.batch())).toBe("cose-kid");
  });

  it("is refused when it leaves something out", async () => {
    const at = bench();
    const device = new FakeDevice().open().read(3);
    expect(await refused(at, device, await device.batch(1))).toBe("batch-gap");
    await at.take(device, await device.batch(0));
    await device.read(3).batch();
    expect(await refused(at, device, await device.read(3).batch())).toBe("batch-gap");
  });

  it("is refused when a register falls without a word", async () => {
    const at = bench();
    const device = new FakeDevice().open().read(3);
    const liar = new FakeDevice().open().read(2);
    liar.importMwh += 1_000_000;
    const ahead = await liar.read(1).batch();
    await at.take(liar, ahead);
    // Both logs have the same size; the device's own next readings are below what is stored.
    const next = await device.read(1).batch();
    const lower = { ...next, firstSeq: liar.rules.size, leaves: last(device) };
    expect(await refused(at, device, lower)).toBe("register-drop");
  });

  it("is refused in an epoch that a later one has closed, except for what is stored", async () => {
    const at = bench();
    const old = new FakeDevice().open().read(3);
    const first = await old.batch();
    const receipt = await at.take(old, first);
    const next = new FakeDevice({ epoch: 2 }).open(namesOf(old)).read(1);
    await at.take(next, await next.batch());
    expect(await refused(at, old, await old.read(1).batch())).toBe("epoch-closed");
    expect(await at.take(old, first)).toEqual(receipt);
    const between = new FakeDevice({ epoch: 1, seed: seedOf(1) }).open().read(9);
    expect(await refused(at, between, await between.batch())).toBe("epoch-closed");
  });

  it("is refused when a later epoch does not say what it continues, or says what is not so", async () => {
    const at = bench();
    const old = new FakeDevice().open().read(3);
    await at.take(old, await old.batch());
    const silent = new FakeDevice({ epoch: 2 }).open();
    // A batch that ends before the epoch's open leaf.
    const cut = new FakeDevice({ epoch: 2 });
    cut.append({
      ...{ kind: "logManifest", network: NETWORK, epoch: 2, deviceKey: cut.signer.publicKey },
      ...{ agentVersion: "test", assuranceTier: 0, bootCount: 1, intervalMs: 60_000 },
      ...{ timeMs: START_MS, timeQuality: 3 },
    });
    expect(await refused(at, cut, await cut.batch())).toBe("epoch-open-missing");
    const liar = new FakeDevice({ epoch: 2 }).open({ ...namesOf(old), oldRoot: new Uint8Array(32) });
    expect(await refused(at, liar, await liar.batch())).toBe("epoch-open-mismatch");
    expect(await codeOf(at.take(silent, await silent.batch()))).toBe("accepted");
  });
});

describe("a fork", () => {
  it("is kept with both signed checkpoints when they are of one size", async () => {
    const at = bench();
    const device = new FakeDevice().open().read(3);
    const ours = await device.batch();
    await at.take(device, ours);
    const clone = new FakeDevice().open().read(2);
    clone.importMwh += 5000;
    const theirs = await clone.read(1).batch();
    expect(await codeOf(at.take(clone, theirs))).toBe("fork");
    expect(await codeOf(at.take(clone, theirs))).toBe("fork");
    const faults = await at.store.faults(device.signer.publicKey);
    expect(faults).toMatchObject([{ kind: "fork", ours: ours.checkpoint, theirs: theirs.checkpoint }]);
    expect(await at.store.newestCheckpoint(device.signer.publicKey)).toMatchObject({
      bytes: ours.checkpoint,
    });
  });

  it("is kept when a longer history differs in what is stored", async () => {
    const at = bench();
    const device = new FakeDevice().open().read(3);
    const ours = await device.batch();
    await at.take(device, ours);
    const clone = new FakeDevice().open().read(2);
    clone.importMwh += 5000;
    const theirs = await clone.read(9).batch();
    expect(await codeOf(at.take(clone, theirs))).toBe("fork");
    expect(await at.store.faults(device.signer.publicKey)).toMatchObject([
      {
        kind: "fork",
        ours: ours.checkpoint,
        theirs: theirs.checkpoint,
        detail: expect.stringContaining("leaf 4"),
      },
    ]);
    expect(await codeOf(at.take(device, await device.read(3).batch()))).toBe("accepted");
  });
});

function batchOf(bytes: Uint8Array): BatchMessage {
  const message = decodeMessage(bytes);
  if (message.type === "batch") return message;
  throw new Problem("message-unexpected", "not a batch");
}

/** Every byte with one random change each, and random changes anywhere. */
async function everyFlipRefused(at: Bench, device: FakeDevice, bytes: Uint8Array): Promise<void> {
  const before = at.version();
  const attempt = async (place: number, mask: number): Promise<void> => {
    const code = await codeOf(
      Promise.resolve().then(() => at.take(device, batchOf(flipped(bytes, place, mask)))),
    );
    expect(code, `byte ${place} ^ ${mask}`).not.toBe("accepted");
  };
  for (let place = 0; place < bytes.length; place++) await attempt(place, 1 << (place % 8));
  const anywhere = fc.record({ place: fc.nat(bytes.length - 1), mask: fc.integer({ min: 1, max: 255 }) });
  await fc.assert(
    fc.asyncProperty(anywhere, ({ place, mask }) => attempt(place, mask)),
    { numRuns: 500 },
  );
  expect(at.version()).toBe(before);
}

function last(device: FakeDevice): Uint8Array {
  return device.leaves.at(-1) ?? new Uint8Array(0);
}

function namesOf(old: FakeDevice): { oldLogId: Uint8Array; oldSize: number; oldRoot: Uint8Array } {
  return { oldLogId: old.rules.logId, oldSize: old.rules.size, oldRoot: old.rules.root() };
}
