import { createHash } from "node:crypto";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FrameRing } from "../../agent/journal/frames.ts";
import { toHex } from "../../attest/bytes.ts";
import type { Peer } from "./fake-node.ts";
import { sent, until, useUplinkBench } from "./uplink-kit.ts";

const TELEGRAM = new TextEncoder().encode("/KFM5KAIFA-METER\r\n\r\n1-0:1.8.1(000671.578*kWh)\r\n!\r\n");
const DIGEST = new Uint8Array(createHash("sha256").update(TELEGRAM).digest().subarray(0, 16));

/** A digest of nothing that there is. */
function unknown(number: number): Uint8Array {
  return new Uint8Array(16).fill(number);
}

describe("a node that asks for raw frames", () => {
  const on = useUplinkBench();

  /** A connection of an agent whose ring holds one telegram. */
  async function connected(
    how: { readonly allowed?: boolean; readonly auditMs?: number } = {},
  ): Promise<{ readonly peer: Peer; readonly problems: () => unknown[] }> {
    const { allowed = true, auditMs = 1 } = how;
    const ring = new FrameRing(join(on().folder, "journal.sqlite"), 1_000_000);
    const digest = new Uint8Array(createHash("sha256").update(TELEGRAM).digest());
    ring.add({ digest, bytes: TELEGRAM, what: "dsmr telegram" }, 1);
    ring.flush();
    const frames = async (asked: Uint8Array): Promise<Uint8Array | undefined> =>
      (await ring.find(asked))?.bytes;
    const node = await on().startNode();
    const { problems } = on().connect(node, { auditMs }, allowed ? { frames } : {});
    const peer = await until(
      "a welcome",
      () => node.peers[0]?.types.includes("deviceHello") && node.peers[0],
    );
    return { peer, problems };
  }

  it("gets the very bytes behind the digest of a leaf, and is told which are gone", async () => {
    const { peer } = await connected();
    for (const digest of [DIGEST, unknown(1)]) peer.send({ type: "frameRequest", digest });
    await until("both answers", () => peer.frames.length === 2);
    const [found, gone] = peer.frames;
    expect(found).toEqual({ type: "frame", digest: DIGEST, bytes: TELEGRAM });
    expect(gone).toEqual({ type: "frame", digest: unknown(1) });
  });

  it("gets none where the owner has not allowed it", async () => {
    const { peer, problems } = await connected({ allowed: false });
    peer.send({ type: "frameRequest", digest: DIGEST });
    await until("an answer", () => peer.frames.length);
    expect(peer.frames).toEqual([{ type: "frame", digest: DIGEST }]);
    expect(problems()).toEqual([]);
  });

  it.each([true, false])("gets one answer at a time, however fast it asks; allowed: %s", async (allowed) => {
    const { peer } = await connected({ allowed, auditMs: 100_000 });
    for (let number = 0; number < 50; number++) peer.send({ type: "frameRequest", digest: unknown(number) });
    await until("the first answer", () => peer.frames.length);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(peer.frames).toEqual([{ type: "frame", digest: unknown(0) }]);
  });

  it("gets the others in turn, and those that are too many not at all", async () => {
    const { peer } = await connected({ auditMs: 20 });
    for (let number = 0; number < 50; number++) peer.send({ type: "frameRequest", digest: unknown(number) });
    await until("as many as wait", () => peer.frames.length === 17);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(peer.frames.map(({ digest }) => toHex(digest))).toEqual(
      Array.from({ length: 17 }, (_, number) => toHex(unknown(number))),
    );
    peer.send({ type: "frameRequest", digest: DIGEST });
    await until("an answer again", () => peer.frames.length === 18);
    expect(peer.frames[17]?.bytes).toEqual(TELEGRAM);
  });

  it("is told that a frame is gone when it cannot be read, and is streamed to all the same", async () => {
    const node = await on().startNode();
    const size = await on().sign(2);
    const frames = (): Promise<never> => Promise.reject(new Error("EIO"));
    const { receipted, problems } = on().connect(node, {}, { frames });
    await until("a receipt", () => receipted.includes(size));
    node.peers[0]?.send({ type: "frameRequest", digest: DIGEST });
    await until("an answer", () => node.peers[0]?.frames.length);
    expect(node.peers[0]?.frames).toEqual([{ type: "frame", digest: DIGEST }]);
    expect(sent(node.batches)).toBe(on().own(0, size));
    expect(problems()).toEqual([]);
  });

  it("is not answered before it has proven its key", async () => {
    const node = await on().startNode({
      opened: (peer) => peer.send({ type: "frameRequest", digest: DIGEST }),
    });
    const { problems } = on().connect(node, {}, { frames: () => Promise.resolve(TELEGRAM) });
    await until("a problem", () => problems().length);
    expect(problems()[0]).toBe("handshake-order");
    expect(node.peers[0]?.frames).toEqual([]);
  });
});
