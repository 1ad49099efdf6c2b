import { createServer } from "node:net";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { BatchMessage } from "../../attest/messages.ts";
import type { FakeNode } from "./fake-node.ts";
import { sealReadings } from "./kit.ts";
import { sent, until, useUplinkBench } from "./uplink-kit.ts";

describe("uplink", () => {
  const on = useUplinkBench();

  describe("to a good node", () => {
    it("sends what is signed and nothing else, and keeps the receipts", async () => {
      const node = await on().startNode();
      const size = await on().sign(5);
      sealReadings(on().bench, 3);
      on().bench.sealer.commit();
      const { receipted, uplink, problems } = on().connect(node);
      await until("a receipt", () => receipted.includes(size));
      expect(sent(node.batches)).toBe(on().own(0, size));
      expect(on().bench.log.journal.receiptedSize(1, node.signer.publicKey)).toBe(size);
      expect(uplink.status).toMatchObject({ connected: true, receiptedSize: size });
      const next = await on().sign(1);
      uplink.kick();
      await until("the next receipt", () => receipted.includes(next));
      expect(sent(node.batches)).toBe(on().own(0, next));
      expect(problems()).toEqual([]);
    });

    it("waits for the receipts when it stops, and says goodbye", async () => {
      let give = (): void => undefined;
      const held = new Promise<void>((resolve) => {
        give = resolve;
      });
      const node: FakeNode = await on().startNode({
        batch: async (peer, batch) => {
          await held;
          await node.giveReceipt(peer, batch);
        },
      });
      const size = await on().sign(2);
      const { receipted, uplink } = on().connect(node);
      await until("a batch", () => node.batches.length === 1);
      const stopped = uplink.stop(10_000);
      give();
      await stopped;
      expect(receipted).toEqual([size]);
      expect(await node.peers[0]?.closed).toBe(1001);
      expect(node.peers).toHaveLength(1);
    });

    it("begins again with the new log after a restart", async () => {
      const node = await on().startNode();
      await on().sign(2);
      const { uplink } = on().connect(node);
      await until("a batch", () => node.batches.length === 1);
      uplink.restart();
      await until("a second connection", () => node.peers[1]?.batches.length);
      expect(node.peers[1]?.batches[0]?.firstSeq).toBe(0);
    });
  });

  describe("window and resumption", () => {
    afterEach(() => void vi.useRealTimers());

    /** A backlog of more batches than two windows hold. */
    async function backlog(): Promise<number> {
      for (let i = 0; i < 9; i++) await on().sign(850);
      return on().bench.sealer.signedSize;
    }

    it("never has more than four batches out, and sends a backlog in order", async () => {
      // The fourth is kept waiting: by then the window is as wide as it gets.
      const node: FakeNode = await on().startNode({
        batch: async (peer, batch) => {
          if (peer.batches.length === 4) await new Promise((resolve) => setTimeout(resolve, 100));
          await node.giveReceipt(peer, batch);
        },
      });
      const size = await backlog();
      const { receipted } = on().connect(node);
      await until("all receipts", () => receipted.includes(size));
      expect(node.batches.length).toBeGreaterThan(8);
      expect(node.peers[0]?.mostWaiting).toBeLessThanOrEqual(4);
      expect(sent(node.batches)).toBe(on().own(0, size));
    });

    it("stays within the window without receipts, with the same receipt many times, and after a resumption", async () => {
      // A receipt that takes long closes the window; here none does, though the machine may stand still.
      vi.useFakeTimers({ toFake: ["performance"] });
      const size = await backlog();
      let first: Uint8Array | undefined;
      const node: FakeNode = await on().startNode({
        welcome: (peer) => {
          const batch = peer.number === 0 ? undefined : node.peers[0]?.batches[0];
          if (batch === undefined || first === undefined) return {};
          return { epoch: 1, checkpoint: batch.checkpoint, receipt: first };
        },
        batch: async (peer, batch) => {
          if (peer.number > 0 || peer.batches.length > 1) return;
          first = await node.receiptOf(peer, batch);
          peer.waiting -= 1;
          for (let i = 0; i < 6; i++) peer.send({ type: "receipt", receipt: first });
        },
      });
      const { uplink, receipted } = on().connect(node);
      await until("one, and a window of two after its receipt", () => node.batches.length === 3);
      for (let i = 0; i < 20; i++) uplink.kick();
      await until("all the same receipts", () => receipted.length >= 6);
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(node.batches).toHaveLength(3);
      node.peers[0]?.socket.terminate();
      await until("a resumed window", () => node.peers[1]?.batches.length);
      for (let i = 0; i < 20; i++) uplink.kick();
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(node.peers[1]?.batches).toHaveLength(1);
      const from = node.peers[0]?.batches[1]?.firstSeq ?? -1;
      const resumed = node.peers[1]?.batches ?? [];
      expect(resumed[0]?.firstSeq).toBe(from);
      expect(on().own(from, size).startsWith(sent(resumed))).toBe(true);
    });

    it("goes on without gap or duplicate when the line breaks in mid-window", async () => {
      const held: BatchMessage[] = [];
      const node: FakeNode = await on().startNode({
        welcome: () => {
          const last = held.at(-1);
          return last === undefined ? {} : { epoch: 1, checkpoint: last.checkpoint };
        },
        batch: async (peer, batch) => {
          // Each connection: one batch is stored and receipted, one stored only, and then the line is cut.
          if (peer.batches.length > 2) return;
          held.push(batch);
          if (peer.batches.length === 1) await node.giveReceipt(peer, batch);
          else peer.socket.terminate();
        },
      });
      const size = await backlog();
      const { receipted, lines, problems } = on().connect(node);
      await until("everything stored", () => sent(held) === on().own(0, size));
      expect(node.peers.length).toBeGreaterThan(3);
      expect(receipted.length).toBeLessThan(held.length);
      expect(lines.filter(({ event }) => event === "node-disconnected").length).toBeGreaterThan(2);
      expect(problems()).toEqual([]);
    });
  });

  it("waits longer after each failure, also when each connection was welcomed", async () => {
    await on().sign(2);
    const node = await on().startNode({
      batch: (peer) => {
        peer.send({ type: "refusal", code: "store-write", message: "no room" });
        peer.socket.close(1008);
      },
    });
    on().connect(node, { firstWaitMs: 20, mostWaitMs: 60_000 });
    await until("five attempts", () => node.peers.length >= 5);
    const [first, , , , fifth] = node.peers;
    // 20, 40, 80 and 160 ms at the least; a wait that began anew each time would be through in 80.
    expect((fifth?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(295);
  });

  it("pings and is pinged: either is a sign of life", async () => {
    const node = await on().startNode();
    let pings = 0;
    const { uplink, problems } = on().connect(node, { pingMs: 100, silenceMs: 2000 });
    const [peer] = await until("a connection", () => uplink.status.connected && node.peers);
    peer?.socket.on("ping", () => {
      pings += 1;
    });
    await until("more pings than the silence lasts", () => pings > 25);
    expect([node.peers.length, problems()]).toEqual([1, []]);
    const quiet = await on().startNode();
    const other = on().connect(quiet, { pingMs: 100_000, silenceMs: 2000 });
    const [heard] = await until("a connection", () => other.uplink.status.connected && quiet.peers);
    for (let i = 0; i < 25; i++) {
      heard?.socket.ping();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect([quiet.peers.length, other.problems()]).toEqual([1, []]);
  });

  it("serves a node while another is dead", async () => {
    const gone = await on().listen(createServer());
    const alive = await on().startNode();
    const size = await on().sign(20);
    const [down, up] = [on().connect(gone, { handshakeMs: 300 }), on().connect(alive)];
    await until("a receipt", () => up.receipted.includes(size));
    await until("a problem", () => down.problems().length);
    const next = await on().sign(5);
    for (const { uplink } of [down, up]) uplink.kick();
    await until("the next receipt", () => up.receipted.includes(next));
    expect(up.problems()).toEqual([]);
    expect(down.uplink.status.connected).toBe(false);
    expect(sent(alive.batches)).toBe(on().own(0, next));
  });
});
