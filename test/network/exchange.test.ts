import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytesOf, shortLog } from "../attest/fault-forge.ts";
import { device, openedLog } from "../attest/fault-kit.ts";
import { openEpoch, worldEvents, worldOf } from "../attest/fault-world.ts";
import type { LogBuilder } from "../kit/log-builder.ts";
import { exchangeNode, type TestNode } from "./exchange-kit.ts";
import { signed } from "./fault-kit.ts";

const DEEP = { timeout: 60_000 };

/** Two nodes that know each other. */
async function pair(): Promise<readonly [TestNode, TestNode]> {
  return [await exchangeNode({ seed: 200 }), await exchangeNode({ seed: 201 })];
}

/** Sends a log from `from` on under a checkpoint over `to` leaves of it. */
async function tell(
  node: TestNode,
  log: LogBuilder,
  { from = 0, to = log.leaves.length } = {},
): Promise<void> {
  const leaves = bytesOf(log).slice(0, to);
  const at = log.leaves[to - 1]?.leaf.timeMs ?? 0;
  const checkpoint = { lastLeafMs: at, issuedAtMs: at };
  expect(await node.send(await signed(log, leaves, { firstSeq: from, checkpoint }))).toBe("accepted");
}

/** The same first leaves, then `count` readings that differ from the first one on. */
function stories(
  shared: number,
  [ours, theirs]: readonly [number, number],
): readonly [LogBuilder, LogBuilder] {
  const logs = [shortLog(), shortLog()] as const;
  for (const log of logs) log.readMany(shared, { stepMs: 5000, risesMwh: 7 });
  logs[0].readMany(ours, { stepMs: 5000, risesMwh: 11 });
  logs[1].readMany(theirs, { stepMs: 5000, risesMwh: 13 });
  return logs;
}

describe("two histories of one log, told to two nodes", () => {
  it.each([
    ["of one size", 3, [4, 4], ["two-roots"]],
    ["the larger one here", 3, [9, 4], ["two-leaves"]],
    ["the larger one there", 3, [4, 9], ["two-leaves"]],
    ["after 700 leaves, the larger one here", 700, [300, 1], ["two-leaves"]],
    ["after 700 leaves, the larger one there", 700, [1, 300], ["two-leaves"]],
    ["at the last leaf", 200, [1, 1], ["two-roots"]],
  ] as const)("%s", async (_name, shared, [ours, theirs], rules) => {
    const [a, b] = await pair();
    const [mine, other] = stories(shared, [ours, theirs]);
    await tell(a, mine);
    await tell(b, other);
    await a.ask(b);
    expect(await a.shown()).toEqual(rules);
    await b.ask(a);
    expect(await b.shown()).toEqual(rules);
    // What is proven is proven: nothing is asked again.
    b.asked.length = 0;
    await a.ask(b);
    expect(b.asked).toEqual(["/exchange/heads"]);
    expect(await a.shown()).toEqual(rules);
  });

  it("that differ from the first leaf on", async () => {
    const [a, b] = await pair();
    const other = openedLog({ manifest: { agentVersion: "0.2.0" } });
    other.manifest({ samplingMs: 5000 });
    await tell(a, shortLog());
    await tell(b, other);
    await a.ask(b);
    expect(await a.shown()).toEqual(["two-leaves"]);
    await b.ask(a);
    expect(await b.shown()).toEqual(["two-leaves"]);
  });

  it("that part only when both went on", async () => {
    const [a, b] = await pair();
    const [mine, other] = stories(300, [30, 40]);
    const shared = mine.leaves.findIndex(
      ({ hash }, i) => hash !== other.leaves[i]?.hash && differ(mine, other, i),
    );
    await tell(a, mine, { to: shared });
    await tell(b, other);
    await a.ask(b);
    await b.ask(a);
    expect([await a.shown(), await b.shown()]).toEqual([[], []]);
    // The peer says nothing new: what it has shown is compared again because the log here went on.
    await tell(a, mine, { from: shared });
    await a.ask(b);
    expect(await a.shown()).toEqual(["two-leaves"]);
  });

  it("are told apart in few questions", async () => {
    const [a, b] = await pair();
    const [mine, other] = stories(1900, [1, 300]);
    await tell(a, mine);
    await tell(b, other);
    await a.ask(b);
    expect(await a.shown()).toEqual(["two-leaves"]);
    // Heads, peaks, twice the eleven levels by five, and the leaf.
    expect(b.asked.length).toBeLessThanOrEqual(1 + 1 + 2 * 3 + 1);
  });

  it("are caught by a third node that was told a part of one", async () => {
    const [a, b] = await pair();
    const third = await exchangeNode({ seed: 202 });
    const [mine, other] = stories(20, [50, 60]);
    await tell(a, mine);
    await tell(b, other);
    await tell(third, mine, { to: mine.leaves.length - 20 });
    await third.ask(a);
    expect(await third.shown()).toEqual([]);
    await third.ask(b);
    expect(await third.shown()).toEqual(["two-leaves"]);
  });

  it("are kept without a file where the peer does not show the leaves, and with it once it does", async () => {
    const [a, b] = await pair();
    const [mine, other] = stories(300, [90, 40]);
    await tell(a, mine);
    await tell(b, other);
    await a.ask(b, { questions: 0 });
    expect(await a.shown()).toEqual([null]);
    await a.ask(b);
    expect(await a.shown()).toEqual(["two-leaves"]);
  });
});

function differ(one: LogBuilder, other: LogBuilder, seq: number): boolean {
  return String(one.leaves[seq]?.hash) !== String(other.leaves[seq]?.hash);
}

describe("one history, told to two nodes", () => {
  it("in different pieces accuses nobody, and is compared as far as both go", async () => {
    const [a, b] = await pair();
    const log = shortLog().readMany(600, { stepMs: 5000, risesMwh: 7 });
    await tell(a, log, { to: 400 });
    await tell(b, log, { to: 333 });
    await a.ask(b);
    const key = device.publicKey;
    expect(await a.archive.shown(b.signer.publicKey, key, 1)).toMatchObject({ size: 333, compared: 333 });
    await b.ask(a);
    expect(await b.archive.shown(a.signer.publicKey, key, 1)).toMatchObject({ size: 400, compared: 333 });
    await tell(b, log, { from: 333 });
    await b.ask(a);
    expect(await b.archive.shown(a.signer.publicKey, key, 1)).toMatchObject({ size: 400, compared: 400 });
    expect([await a.shown(), await b.shown()]).toEqual([[], []]);
  });

  it("is found again after a restart where it was left", async () => {
    const [a, b] = await pair();
    const log = shortLog();
    await tell(a, log);
    await tell(b, log);
    expect(await a.ask(b)).toEqual({ heads: 1, unknown: 0, refused: 0 });
    expect(await a.ask(b)).toEqual({ heads: 0, unknown: 0, refused: 0 });
    log.read({ importMwh: 9_000_000 });
    await tell(b, log, { from: log.leaves.length - 1 });
    expect(await a.ask(b)).toEqual({ heads: 1, unknown: 0, refused: 0 });
    // To another store the place means nothing.
    await a.archive.keepPage(b.signer.publicKey, { place: "0011223344556677.99", shown: [] });
    expect(await a.ask(b)).toEqual({ heads: 1, unknown: 0, refused: 0 });
  });

  it("of a device that only the peer knows is not kept", async () => {
    const [a, b] = await pair();
    await tell(b, shortLog());
    expect(await a.ask(b)).toEqual({ heads: 1, unknown: 1, refused: 0 });
    expect(await a.archive.shown(b.signer.publicKey, device.publicKey, 1)).toBeUndefined();
  });
});

describe("an epoch that was closed, and signed on at another node", () => {
  /** Epoch 1 and epoch 2, which closes it; the old one can be signed on. */
  async function epochs(sure: boolean): Promise<{ readonly old: LogBuilder; readonly later: LogBuilder }> {
    const old = shortLog();
    await old.checkpoint();
    const later = openedLog({ epoch: 2 });
    openEpoch(later, old, sure);
    later.manifest({ samplingMs: 5000 });
    return { old, later };
  }

  it.each([true, false])("is shown where the device says what it had signed: %s", async (sure) => {
    const [a, b] = await pair();
    const { old, later } = await epochs(sure);
    await tell(a, old);
    await tell(a, later);
    await tell(b, old);
    await a.ask(b);
    await b.ask(a);
    expect([await a.shown(), await b.shown()]).toEqual([[], []]);
    old.read({ importMwh: 2_000_000 });
    await tell(b, old, { from: old.leaves.length - 1 });
    const rules = sure ? ["signed-after-close"] : [];
    await a.ask(b);
    expect(await a.shown()).toEqual(rules);
    // The other way: only the peer holds the later epoch.
    await b.ask(a);
    expect(await b.shown()).toEqual(rules);
  });

  it("is shown where the later epoch came after the peer had shown the old one", async () => {
    const [a, b] = await pair();
    const { old, later } = await epochs(true);
    await tell(a, old);
    old.read({ importMwh: 2_000_000 });
    await tell(b, old);
    await a.ask(b);
    expect(await a.shown()).toEqual([]);
    await tell(a, later);
    await a.ask(b);
    expect(await a.shown()).toEqual(["signed-after-close"]);
  });

  it("is shown where there were no questions left at first", async () => {
    const [a, b] = await pair();
    const { old, later } = await epochs(true);
    await tell(a, later);
    old.read({ importMwh: 2_000_000 });
    await tell(b, old);
    await b.ask(a, { questions: 1 });
    expect(await b.shown()).toEqual([]);
    await b.ask(a);
    expect(await b.shown()).toEqual(["signed-after-close"]);
  });
});

describe("whatever an honest device lives through", () => {
  /** Sends a node some prefix of some epochs, in order, in pieces. */
  async function part(node: TestNode, logs: readonly LogBuilder[], cuts: readonly number[]): Promise<void> {
    for (const [at, log] of logs.entries()) {
      let from = 0;
      const sizes = log.checkpoints.map(({ checkpoint }) => checkpoint.size);
      const most = sizes[(cuts[at] ?? 0) % (sizes.length + 1)] ?? 0;
      for (const [i, { checkpoint, bytes }] of log.checkpoints.entries()) {
        const isPiece = ((cuts[at] ?? 0) >> (i % 8)) % 2 === 0 || checkpoint.size === most;
        if (!isPiece || checkpoint.size > most || checkpoint.size <= from) continue;
        const leaves = bytesOf(log).slice(from, checkpoint.size);
        const batch = { type: "batch", epoch: log.rules.identity.epoch, firstSeq: from } as const;
        await node.send({
          ...batch,
          leaves: Uint8Array.from(leaves.flatMap((leaf) => [...leaf])),
          checkpoint: bytes,
        });
        from = checkpoint.size;
      }
    }
  }

  it("no pair of nodes ever accuses it", DEEP, async () => {
    const cuts = fc.array(fc.nat(0xffff), { minLength: 3, maxLength: 3 });
    let compared = 0;
    await fc.assert(
      fc.asyncProperty(worldEvents, fc.array(cuts, { minLength: 4, maxLength: 4 }), async (events, told) => {
        const logs = (await worldOf(events)).logs.slice(0, 3);
        const [a, b] = await pair();
        for (const [at, node] of [a, b, a, b].entries()) {
          await part(node, logs, told[at] ?? []);
          const other = node === a ? b : a;
          await other.ask(node);
          await node.ask(other);
        }
        for (const [node, peer] of [
          [a, b],
          [b, a],
        ] as const) {
          expect(await node.store.faults(device.publicKey)).toEqual([]);
          expect(node.lines).toEqual([]);
          for (const epoch of [1, 2, 4])
            compared +=
              (await node.archive.shown(peer.signer.publicKey, device.publicKey, epoch))?.compared ?? 0;
        }
      }),
      { numRuns: 8 },
    );
    expect(compared).toBeGreaterThan(100);
  });
});
