import { describe, expect, it } from "vitest";
import { toHex } from "../../attest/bytes.ts";
import type { BatchMessage } from "../../attest/messages.ts";
import { nativeSigner } from "../../attest/native.ts";
import { ingestBatch } from "../../network/ingest.ts";
import { DAY_MS, EpochQuarantine } from "../../network/quarantine/quarantine.ts";
import { RulesCache } from "../../network/rules-cache.ts";
import { bytesOf, shortLog } from "../attest/fault-forge.ts";
import { device, openedLog, otherDevice, suite } from "../attest/fault-kit.ts";
import { openEpoch } from "../attest/fault-world.ts";
import { NETWORK, START_MS, seedOf } from "../kit/device.ts";
import type { LogBuilder } from "../kit/log-builder.ts";
import { codeOf, exchangeNode, listeningLogger, openExchangeStore, type TestNode } from "./exchange-kit.ts";
import { signed } from "./fault-kit.ts";
import { temporaryFolder } from "./fixture.ts";

/** Epochs 1 to `count` of one device, each of which continues the one before. */
async function epochs(count: number): Promise<LogBuilder[]> {
  const logs = [shortLog()];
  for (let epoch = 2; epoch <= count; epoch++) {
    const old = logs.at(-1) ?? shortLog();
    await old.checkpoint();
    const log = openedLog({ epoch, startMs: old.timeMs });
    openEpoch(log, old, false);
    log.manifest({ samplingMs: 5000 });
    logs.push(log);
  }
  return logs;
}

async function batches(count: number): Promise<BatchMessage[]> {
  return Promise.all((await epochs(count)).map((log) => signed(log, bytesOf(log))));
}

/** What a guarded node answers to the first batches of as many epochs, one after the other. */
async function answers(node: TestNode, sent: readonly BatchMessage[]): Promise<string[]> {
  const codes: string[] = [];
  for (const batch of sent) codes.push(await node.send(batch));
  return codes;
}

describe("a device that opens a third epoch within a day", () => {
  it("is quarantined, which is no fault", async () => {
    const node = await exchangeNode({ seed: 200, guarded: true });
    expect(await answers(node, await batches(3))).toEqual(["accepted", "accepted", "quarantine"]);
    expect(node.quarantine.quarantineOf(device.publicKey)).toMatchObject({ epoch: 3 });
    expect(node.quarantine.census()).toEqual({ keys: 1, refused: 1 });
    expect(await node.store.faults(device.publicKey)).toEqual([]);
    expect(await node.store.head(device.publicKey, 3)).toBeUndefined();
    expect(node.lines).toMatchObject([
      { event: "quarantine", fields: { deviceKey: toHex(device.publicKey), epoch: 3, others: [2, 1] } },
    ]);
  });

  it("gets receipts for what is stored, and none for anything new, of any epoch", async () => {
    const node = await exchangeNode({ seed: 200, guarded: true });
    const logs = await epochs(4);
    const sent = await Promise.all(logs.map((log) => signed(log, bytesOf(log))));
    await answers(node, sent.slice(0, 3));
    const [, second] = logs;
    if (second === undefined) throw new Error("no second epoch");
    // Replays, and a checkpoint of its own over leaves that are stored.
    expect(await answers(node, sent.slice(0, 2))).toEqual(["accepted", "accepted"]);
    const known = second.leaves.length;
    const { timeMs } = second.leaves[known - 2]?.leaf ?? second;
    const shorter = { lastLeafMs: timeMs, issuedAtMs: timeMs };
    expect(
      await node.send(await signed(second, bytesOf(second).slice(0, known - 1), { checkpoint: shorter })),
    ).toBe("accepted");
    second.read({ importMwh: 2_000_000 });
    expect(await node.send(await signed(second, bytesOf(second), { firstSeq: known }))).toBe("quarantine");
    expect(await answers(node, sent.slice(2))).toEqual(["quarantine", "quarantine"]);
    // The first refusal stands: later ones do not prolong it.
    expect(node.quarantine.quarantineOf(device.publicKey)).toMatchObject({ epoch: 3 });
    expect(node.lines).toHaveLength(1);
  });

  it("is still caught when it breaks the rules meanwhile", async () => {
    const node = await exchangeNode({ seed: 200, guarded: true });
    const logs = await epochs(3);
    await answers(node, await Promise.all(logs.map((log) => signed(log, bytesOf(log)))));
    const [, second] = logs;
    if (second === undefined) throw new Error("no second epoch");
    const other = openedLog({ epoch: 2, manifest: { agentVersion: "0.2.0" } });
    expect(await node.send(await signed(other, bytesOf(other)))).toBe("fork");
  });

  it("is not while a day lies between", async () => {
    const node = await exchangeNode({ seed: 200, guarded: true });
    const sent = await batches(5);
    const codes: string[] = [];
    for (const [at, batch] of sent.entries()) {
      node.clock.nowMs = START_MS + at * (DAY_MS / 2 + 1000);
      codes.push(await node.send(batch));
    }
    expect(codes).toEqual(["accepted", "accepted", "accepted", "accepted", "accepted"]);
  });

  it("is, one second before the day is over, and stays so after it", async () => {
    const node = await exchangeNode({ seed: 200, guarded: true });
    const sent = await batches(3);
    await answers(node, sent.slice(0, 2));
    node.clock.nowMs = START_MS + DAY_MS - 1000;
    expect(await answers(node, sent.slice(2))).toEqual(["quarantine"]);
    node.clock.nowMs = START_MS + 30 * DAY_MS;
    expect(await answers(node, sent.slice(2))).toEqual(["quarantine"]);
  });

  it("does not count what a clock of the node that was years ahead once noted", async () => {
    const node = await exchangeNode({ seed: 200, guarded: true });
    const sent = await batches(3);
    node.clock.nowMs = START_MS + 1000 * DAY_MS;
    await answers(node, sent.slice(0, 2));
    node.clock.nowMs = START_MS;
    expect(await answers(node, sent.slice(2))).toEqual(["accepted"]);
  });

  it("leaves other devices alone", async () => {
    const node = await exchangeNode({ seed: 200, guarded: true });
    await answers(node, await batches(3));
    const log = openedLog({ signer: otherDevice });
    expect(await node.send(await signed(log, bytesOf(log)), otherDevice.publicKey)).toBe("accepted");
  });
});

describe("an operator's release", () => {
  it("lets two further epochs in within the next day, and survives restarts as the quarantine does", async () => {
    const folder = temporaryFolder();
    const sent = await batches(6);
    let nowMs = START_MS;
    const session = async (work: (node: Guarded) => Promise<void>): Promise<void> => {
      const { store, quarantine: archive, close } = openExchangeStore(folder);
      const quarantine = new EpochQuarantine({
        archive,
        logger: listeningLogger().logger,
        nowMs: () => nowMs++,
      });
      const rules = new RulesCache(suite, 4);
      const signer = nativeSigner(seedOf(200));
      const context = { network: NETWORK, suite, signer, store, rules, nowMs: () => nowMs++, quarantine };
      const known = { key: device.publicKey, agentVersion: "test" };
      const send = (at: number): Promise<string> => {
        const batch = sent[at];
        if (batch === undefined) throw new Error(`no epoch ${at + 1}`);
        return codeOf(ingestBatch(context, known, batch));
      };
      await work({ quarantine, send, approvals: () => archive.approvals(device.publicKey, 9) });
      await close();
    };
    await session(async ({ send }) => {
      expect([await send(0), await send(1), await send(2)]).toEqual(["accepted", "accepted", "quarantine"]);
    });
    await session(async ({ quarantine, send, approvals }) => {
      expect(await send(2)).toBe("quarantine");
      expect(quarantine.release(device.publicKey, " Ada ")).toMatchObject({ epoch: 3 });
      expect(quarantine.quarantineOf(device.publicKey)).toBeUndefined();
      expect(approvals()).toMatchObject([{ approvedBy: "Ada", ended: { epoch: 3 } }]);
    });
    await session(async ({ quarantine, send }) => {
      expect([await send(2), await send(3), await send(4)]).toEqual(["accepted", "accepted", "quarantine"]);
      nowMs += 2 * DAY_MS;
      expect(await send(4)).toBe("quarantine");
      quarantine.release(device.publicKey, "Ada");
      expect([await send(4), await send(5)]).toEqual(["accepted", "accepted"]);
    });
  });

  it("can come in advance, and names who gives it", async () => {
    const node = await exchangeNode({ seed: 200, guarded: true });
    const sent = await batches(4);
    await answers(node, sent.slice(0, 2));
    expect(node.quarantine.release(device.publicKey, "Ada")).toBeUndefined();
    expect(await answers(node, sent.slice(2))).toEqual(["accepted", "accepted"]);
    expect(() => node.quarantine.release(device.publicKey, "  ")).toThrow(
      expect.objectContaining({ code: "approval" }),
    );
    expect(() => node.quarantine.release(device.publicKey, "x".repeat(201))).toThrow(
      expect.objectContaining({ code: "approval" }),
    );
  });
});

interface Guarded {
  readonly quarantine: EpochQuarantine;
  readonly send: (epochAt: number) => Promise<string>;
  readonly approvals: () => unknown;
}

describe("epochs that arrive at the same instant", () => {
  it("are never more than two", async () => {
    const node = await exchangeNode({ seed: 200, guarded: true });
    const sent = await batches(6);
    const codes = await Promise.all(sent.map((batch) => node.send(batch)));
    const stored = await Promise.all(
      sent.map(async (_batch, at) =>
        (await node.store.head(device.publicKey, at + 1)) === undefined ? 0 : 1,
      ),
    );
    expect(stored.reduce<number>((sum, one) => sum + one, 0)).toBeLessThanOrEqual(2);
    expect(codes).toContain("quarantine");
    expect(codes.filter((code) => code === "accepted").length).toBeLessThanOrEqual(2);
  });

  it("count once however often they are sent", async () => {
    const node = await exchangeNode({ seed: 200, guarded: true });
    const [first, second] = await batches(2);
    if (first === undefined || second === undefined) throw new Error("no epochs");
    expect(await node.send(first)).toBe("accepted");
    const codes = await Promise.all(Array.from({ length: 5 }, () => node.send(second)));
    expect(codes).toEqual(["accepted", "accepted", "accepted", "accepted", "accepted"]);
  });
});
