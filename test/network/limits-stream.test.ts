import { describe, expect, it } from "vitest";
import { toHex } from "../../attest/bytes.ts";
import type { FrameMessage, LiveMessage, Message } from "../../attest/messages.ts";
import { encodeMessage } from "../../attest/messages.ts";
import { nativeSigner } from "../../attest/native.ts";
import { newEnrolmentCode } from "../../network/enrolment/one-time-code.ts";
import { LiveBoard } from "../../network/http/live-board.ts";
import { type NodeInside, type RunningNode, startNode } from "../../network/node.ts";
import { openLogger } from "../../runtime/log.ts";
import { samplesOf } from "../agent/outlet/prometheus.ts";
import { Client, FakeDevice, seedOf } from "../kit/device.ts";
import { askToEnrol, enrollingNode, newCode, operate } from "./enrolment-kit.ts";
import { ask, atEnd, configIn, runNode, temporaryFolder } from "./fixture.ts";

const one = nativeSigner(seedOf(1));
/** More with FLOOD=1000 npx vitest run test/network/limits-stream.test.ts */
const FLOOD = Number(process.env["FLOOD"] ?? 160);
const PATH = `/devices/${toHex(one.publicKey)}/live`;

function live(channel: string, values: Partial<LiveMessage> = {}): LiveMessage {
  return { type: "live", channel, atMs: 1_700_000_000_000, ...values };
}

async function limited(node: RunningNode, limit: string): Promise<number | undefined> {
  const samples = samplesOf(await (await fetch(`${node.httpUrl}/metrics`)).text());
  return samples.find(({ name, labels }) => name.endsWith("limited_total") && labels["limit"] === limit)
    ?.value;
}

describe("handshakes of one address", () => {
  it("are limited in a minute, and counted", async () => {
    const node = await runNode(temporaryFolder(), { maxHandshakesPerMinute: 3 });
    for (let i = 0; i < 3; i++) await (await Client.connect(node.wsUrl)).close();
    await expect(Client.connect(node.wsUrl)).rejects.toThrow("429");
    expect(await limited(node, "handshakes")).toBe(1);
  });
});

describe("a flood of devices with bad codes", () => {
  it("leaves tables and memory as they are, and the next honest device gets in", async () => {
    const node = await enrollingNode(temporaryFolder(), {
      maxHandshakesPerMinute: 5000,
      maxConnectionsPerAddress: 50,
    });
    const code = await newCode(node);
    const flood = async (from: number): Promise<void> => {
      for (let i = from; i < from + FLOOD / 8; i++) {
        const seed = new Uint8Array(32);
        new DataView(seed.buffer).setUint32(0, i + 1);
        const { client } = await askToEnrol(node, nativeSigner(seed), { code: newEnrolmentCode() });
        await client.closed;
      }
    };
    await flood(0);
    const before = process.memoryUsage().heapUsed;
    await Promise.all([1, 2, 3, 4, 5, 6, 7].map((part) => flood((part * FLOOD) / 8)));
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(64 * 1_048_576);
    expect(await operate(node, "/enrolments")).toMatchObject({ counts: { waiting: 10, enrolled: 0 } });
    // From the flood's own address not even the right code is looked at now; approval by hand still works.
    expect((await askToEnrol(node, one, { code })).answer).toMatchObject({ code: "enrolment-attempts" });
    await operate(node, `/enrolments/${toHex(one.publicKey)}/approve`, { method: "POST" });
    expect((await askToEnrol(node, one)).answer.type).toBe("welcome");
  }, 60_000);

  it("without codes fills the list of an address, and no more", async () => {
    const node = await enrollingNode(temporaryFolder(), {
      maxHandshakesPerMinute: 5000,
      maxConnectionsPerAddress: 5,
    });
    for (let i = 0; i < 40; i++) {
      const { client } = await askToEnrol(node, nativeSigner(seedOf(10 + i)));
      await client.closed;
    }
    expect(await operate(node, "/enrolments")).toMatchObject({ counts: { waiting: 5 } });
  });
});

describe("a device above its pace", () => {
  /** Batches of a device whose clock is now, so that they count as live. */
  function liveDevice(): FakeDevice {
    const device = new FakeDevice();
    device.nowMs = Date.now() - 100_000;
    return device.open();
  }

  it("is answered later and not refused", async () => {
    // 60 at once, and one more in 5 s: the last one waits, unless the 60 take all of that.
    const node = await runNode(temporaryFolder(), { maxCheckpointsPerMinute: 12 });
    const device = liveDevice();
    const { client } = await Client.greeted(node.wsUrl, device.signer);
    const batch = await device.batch();
    for (let i = 0; i < 61; i++) client.send(batch);
    for (let i = 0; i < 61; i++) expect((await client.next()).type).toBe("receipt");
    expect(await limited(node, "checkpoints")).toBeGreaterThan(0);
  });

  it("does not keep the node from stopping", async () => {
    const node = await runNode(temporaryFolder(), { maxCheckpointsPerMinute: 1 });
    const device = liveDevice();
    const { client } = await Client.greeted(node.wsUrl, device.signer);
    const batch = await device.batch();
    for (let i = 0; i < 6; i++) client.send(batch);
    for (let i = 0; i < 5; i++) expect((await client.next()).type).toBe("receipt");
    await expect.poll(() => limited(node, "checkpoints")).toBe(1);
    await node.close();
    // Without a hurry it would be a minute, and the connection would be cut after five seconds, with 1006.
    expect((await client.closed).code).toBe(1001);
  });

  it("still has its live values shown", async () => {
    const node = await runNode(temporaryFolder(), { maxCheckpointsPerMinute: 1 });
    const device = liveDevice();
    const { client } = await Client.greeted(node.wsUrl, device.signer);
    const batch = await device.batch();
    // Five at once, one that waits for a minute, three behind it: a full window.
    for (let i = 0; i < 9; i++) client.send(batch);
    client.send(live("grid", { powerMw: 5 }));
    await expect.poll(async () => (await ask(node, PATH)).body).toMatchObject({ channels: [{ powerMw: 5 }] });
  });
});

describe("live values", () => {
  it("are the newest of each channel, in memory only", async () => {
    const folder = temporaryFolder();
    const node = await runNode(folder);
    expect(await ask(node, PATH)).toMatchObject({ status: 404, body: { code: "device-unknown" } });
    const { client } = await Client.greeted(node.wsUrl, one);
    client.send(live("roof", { powerMw: -1_000, exportMwh: 7 }));
    client.send(live("grid", { powerMw: 1 }));
    client.send(live("grid", { atMs: 1_700_000_001_000, powerMw: 2, importMwh: 3, stateOfChargePpm: 4 }));
    await expect.poll(async () => JSON.stringify((await ask(node, PATH)).body)).toContain('"powerMw":2');
    const received = expect.stringMatching(/^20\d\d-/);
    expect((await ask(node, PATH)).body).toEqual({
      channels: [
        {
          ...{ channel: "grid", at: "2023-11-14T22:13:21.000Z", atMs: 1_700_000_001_000, received },
          ...{ powerMw: 2, importMwh: 3, stateOfChargePpm: 4 },
        },
        {
          ...{ channel: "roof", at: "2023-11-14T22:13:20.000Z", atMs: 1_700_000_000_000, received },
          ...{ powerMw: -1_000, exportMwh: 7 },
        },
      ],
    });
    await node.close();
    const again = await runNode(folder);
    expect((await ask(again, PATH)).status).toBe(404);
  });

  it("are an error before the welcome, and so is one that is no live value inside", async () => {
    const node = await runNode();
    const early = await Client.connect(node.wsUrl);
    expect(await early.ask(live("grid"))).toMatchObject({ type: "refusal", code: "message-unexpected" });
    const { client } = await Client.greeted(node.wsUrl, one);
    client.sendBytes(Uint8Array.of(0xa2, 0, 10, 1, 0x01));
    expect(await client.next()).toMatchObject({ type: "refusal", code: "field" });
  });

  it("that come too fast are dropped and counted, and the device goes on", async () => {
    const node = await runNode();
    const device = new FakeDevice().open();
    const { client } = await Client.greeted(node.wsUrl, device.signer);
    for (let i = 0; i < 1000; i++) client.send(live("grid", { powerMw: i }));
    expect((await client.ask(await device.batch())).type).toBe("receipt");
    expect(await limited(node, "live")).toBeGreaterThan(500);
  });

  it("are bounded in channels and in devices", () => {
    let [dropped, nowMs] = [0, 0];
    const drop = (): void => {
      dropped += 1;
    };
    const board = new LiveBoard({ nowMs: () => 1, monotonicMs: () => nowMs, dropped: drop });
    for (let i = 0; i < 100; i++) {
      nowMs += 1000;
      board.post("a", encodeMessage(live(`c${i}`)));
    }
    expect(board.of("a")).toHaveLength(64);
    expect(dropped).toBe(36);
    for (let i = 0; i < 10_500; i++) board.post(`d${i}`, encodeMessage(live("c")));
    expect(board.size).toBe(10_000);
    expect([board.of("a"), board.of("d499"), board.of("d500")].map((values) => values.length)).toEqual([
      0, 0, 1,
    ]);
  });
});

describe("frames that the node asks for", () => {
  interface Extended {
    readonly node: RunningNode;
    readonly inside: NodeInside;
    readonly frames: [string, FrameMessage][];
    closed: boolean;
  }

  async function extended(): Promise<Extended> {
    const seen: { inside?: NodeInside; closed: boolean } = { closed: false };
    const frames: [string, FrameMessage][] = [];
    const node = await startNode(configIn(temporaryFolder()), openLogger("node", "silent"), [
      (inside) => {
        seen.inside = inside;
        return {
          onFrame: (key, message) => frames.push([toHex(key), message]),
          close: async () => {
            seen.closed = true;
          },
          routes: [
            {
              add: (app) => app.get("/frames", (context) => context.json(frames.length)),
              paths: { "/frames": { get: { summary: "x", tags: [], responses: {} } } },
            },
          ],
        };
      },
    ]);
    atEnd(() => (seen.closed ? undefined : node.close()));
    if (seen.inside === undefined) throw new Error("the extension was not opened");
    return { node, inside: seen.inside, frames, closed: false };
  }

  function request(number: number): Message {
    return { type: "frameRequest", digest: new Uint8Array(16).fill(number) };
  }

  it("reach whoever asked, with the key of the device", async () => {
    const { node, inside, frames } = await extended();
    const key = toHex(one.publicKey);
    expect(inside.connections.send(key, request(1))).toBe(false);
    const { client } = await Client.greeted(node.wsUrl, one);
    expect(inside.connections.send(key, request(1))).toBe(true);
    expect(await client.next()).toEqual(request(1));
    const answer: FrameMessage = {
      type: "frame",
      digest: new Uint8Array(16).fill(1),
      bytes: Uint8Array.of(9),
    };
    client.send(answer);
    await expect.poll(() => frames).toEqual([[key, answer]]);
    expect((await ask(node, "/frames")).body).toBe(1);
    expect((await ask(node, "/")).body).toMatchObject({ questions: expect.arrayContaining(["/frames"]) });
  });

  it("are taken once each, and none that nobody asked for", async () => {
    const { node, inside, frames } = await extended();
    const { client } = await Client.greeted(node.wsUrl, one);
    inside.connections.send(toHex(one.publicKey), request(1));
    await client.next();
    for (let i = 0; i < 2; i++) client.send({ type: "frame", digest: new Uint8Array(16).fill(1) });
    expect(await client.next()).toMatchObject({ type: "refusal", code: "message-unexpected" });
    expect(frames).toHaveLength(1);
  });

  it("are not asked for without end", async () => {
    const { node, inside } = await extended();
    await Client.greeted(node.wsUrl, one);
    const sent = Array.from({ length: 20 }, (_, i) =>
      inside.connections.send(toHex(one.publicKey), request(i)),
    );
    expect(sent.filter(Boolean)).toHaveLength(16);
  });
});
