import { once } from "node:events";
import { createServer, connect as openTcp, type Server, type Socket } from "node:net";
import { describe, expect, it } from "vitest";
import { LiveSender } from "../../agent/uplink/live-sender.ts";
import { ordersOfNobody } from "../../agent/uplink/orders.ts";
import { ReceiptBook } from "../../agent/uplink/receipt-book.ts";
import { Stream } from "../../agent/uplink/stream.ts";
import type { LiveMessage, Message } from "../../attest/messages.ts";
import type { FakeNode } from "./fake-node.ts";
import { sent, until, useUplinkBench } from "./uplink-kit.ts";

function value(channel: string, atMs = Date.now()): LiveMessage {
  return { type: "live", channel, atMs, powerMw: -1_234_000, importMwh: 5 };
}

describe("live values", () => {
  const on = useUplinkBench();

  it("go out at once, whole, to a node that is to have them, and to no other", async () => {
    const [node, other] = [await on().startNode(), await on().startNode()];
    const wanted = on().connect(node, {}, { live: true });
    const unwanted = on().connect(other);
    wanted.uplink.live(value("before/welcome"));
    await until("both", () => wanted.uplink.status.connected && unwanted.uplink.status.connected);
    const live = value("roof/inverter");
    for (const { uplink } of [wanted, unwanted]) uplink.live(live);
    await until("the value", () => node.peers[0]?.lives.length);
    expect(node.peers[0]?.lives).toEqual([live]);
    // What comes behind it on the same line shows that none is on its way.
    await on().sign(2);
    unwanted.uplink.kick();
    await until("a batch", () => other.batches.length);
    expect(other.peers[0]?.lives).toEqual([]);
  });

  it("are at most one a second of each channel, in the long run and within a tenth at the least", () => {
    const sender = new LiveSender();
    const admitted = (channel: string, ms: number): boolean => sender.admits(value(channel), ms);
    expect([0, 10, 500, 899].map((ms) => admitted("a", ms))).toEqual([true, false, false, false]);
    expect(admitted("b", 500)).toBe(true);
    expect(admitted("a", 900)).toBe(true);
    expect([1799, 1899, 1900].map((ms) => admitted("a", ms))).toEqual([false, false, true]);
    const quick = new LiveSender();
    let count = 0;
    for (let ms = 0; ms < 60_000; ms += 7) if (quick.admits(value("c"), ms)) count += 1;
    expect(count).toBeGreaterThanOrEqual(60);
    expect(count).toBeLessThanOrEqual(61);
  });

  it("are left out, and not queued, while the line is backed up", async () => {
    const { log } = on().bench;
    const out: Message[] = [];
    let buffered = 0;
    const host = { log: () => log, welcomed: () => 0, receipted: () => undefined };
    const stream = new Stream({
      ...{ host, live: true, auditMs: 1, receipts: new ReceiptBook(host, new Uint8Array(32)) },
      ...{ bufferedBytes: () => buffered, waits: () => undefined },
      send: (message) => out.push(message),
      frames: () => Promise.resolve(undefined),
      orders: ordersOfNobody(() => undefined),
    });
    buffered = 1_000_000;
    stream.live(value("a", 1));
    expect(out).toEqual([]);
    buffered = 0;
    expect(out).toEqual([]);
    stream.live(value("a", 2));
    expect(out).toEqual([value("a", 2)]);
  });

  it("come within one batch while a backlog drains over a slow line", async () => {
    const node = await on().startNode();
    for (let i = 0; i < 8; i++) await on().sign(900);
    const size = on().bench.sealer.signedSize;
    const slow = await on().listen(throttled(node, 140_000));
    const { uplink, receipted } = on().connect({ url: slow.url, signer: node.signer }, {}, { live: true });
    await until("the first batch", () => node.batches.length);
    /** Batches that had come when each value was sent, and when it came. */
    const behind: number[] = [];
    for (let at = 0; node.batches.length < 4 || at < 3; at++) {
      const before = node.batches.length;
      uplink.live(value(`channel-${at}`));
      await until("the value", () => (node.peers[0]?.lives.length ?? 0) > at);
      behind.push(batchesBefore(node, at) - before);
    }
    // One on its way, and one that went out the moment its receipt came.
    expect(Math.max(...behind)).toBeLessThanOrEqual(2);
    expect(node.peers[0]?.mostWaiting).toBe(1);
    await until("everything", () => receipted.includes(size));
    expect(sent(node.batches)).toBe(on().own(0, size));
  });

  it("keep the line to a node that does not read at a bounded length", async () => {
    const node = await on().startNode();
    const { uplink } = on().connect(node, {}, { live: true });
    const [peer] = await until("a connection", () => uplink.status.connected && node.peers);
    peer?.socket.pause();
    const name = "x".repeat(100);
    for (let at = 0; at < 60_000; at++) {
      uplink.live(value(`${name}${at}`));
      if (at % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    uplink.live(value("last"));
    peer?.socket.resume();
    // What was sent before the first fresh one has come before it.
    await until("a fresh one", () => {
      uplink.live(value("fresh"));
      return peer?.lives.at(-1)?.channel === "fresh";
    });
    const stale = (peer?.lives ?? []).filter(({ channel }) => channel !== "fresh");
    // 60,000 of 130 bytes are far more than systems buffer.
    expect(stale.length).toBeLessThan(59_000);
    expect(stale.at(-1)?.channel).not.toBe("last");
  });
});

/** Batches that came before the live value of that number; counted where they came, however late somebody looks. */
function batchesBefore({ peers: [peer] }: FakeNode, number: number): number {
  const types = peer?.types.filter((type) => type === "batch" || type === "live") ?? [];
  const places = types.flatMap((type, at) => (type === "live" ? [at] : []));
  return (places[number] ?? Number.NaN) - number;
}

/** A line to the node that carries so many bytes a second towards it. */
function throttled(node: FakeNode, bytesPerSecond: number): Server {
  return createServer((near: Socket) => {
    const far = openTcp(Number(new URL(node.url).port), "127.0.0.1");
    far.pipe(near);
    for (const socket of [near, far]) socket.on("error", () => socket.destroy());
    near.on("close", () => far.destroy());
    void (async () => {
      await once(far, "connect");
      for await (const chunk of near) {
        if (!Buffer.isBuffer(chunk)) continue;
        await new Promise((resolve) => setTimeout(resolve, (chunk.length * 1000) / bytesPerSecond));
        far.write(chunk);
      }
    })().catch(() => far.destroy());
  });
}
