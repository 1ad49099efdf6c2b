import { describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { STREAM_SUBPROTOCOL } from "../../attest/hello.ts";
import { nativeSigner, nativeSuite } from "../../attest/native.ts";
import { Connection, DEFAULT_TIMING, type Timing } from "../../network/connection.ts";
import { Connections } from "../../network/connections.ts";
import { ByteBudget } from "../../network/limits/byte-budget.ts";
import { closeServer, listen } from "../../network/listen.ts";
import { MessageQueue } from "../../network/message-queue.ts";
import { RulesCache } from "../../network/rules-cache.ts";
import { createStreamServer } from "../../network/stream-server.ts";
import { openLogger } from "../../runtime/log.ts";
import { Client, FakeDevice, NETWORK, seedOf } from "../kit/device.ts";
import { atEnd, openStore } from "./fixture.ts";

/** A stream server that is impatient where the test says so. */
async function impatient(timing: Partial<Timing>): Promise<{ url: string; connections: Connections }> {
  const connections = new Connections({ total: 10, perAddress: 10 });
  const context = {
    ...{ network: NETWORK, suite: nativeSuite, signer: nativeSigner(seedOf(200)), store: openStore() },
    ...{
      rules: new RulesCache(nativeSuite, 4),
      nowMs: () => Date.now(),
      logger: openLogger("node", "silent"),
    },
    ...{ standing: () => "welcome" as const, checkKey: () => true, timing: { ...DEFAULT_TIMING, ...timing } },
    ...{ unverified: new ByteBudget(1_000_000), waitMs: () => 0, live: () => undefined },
    enrol: () => Promise.reject(new Error("nobody enrols here")),
    authenticated: (connection: Connection, key: string) => connections.claim(connection, key),
    ended: (connection: Connection) => connections.remove(connection),
  };
  const server = createStreamServer(connections, {
    ...{ maxConnections: 10, maxConnectionsPerAddress: 10 },
    opened: (socket, tcp) => connections.add(new Connection(socket, tcp, context)),
  });
  const port = await listen(server, { host: "127.0.0.1", port: 0, key: "listen" });
  atEnd(async () => {
    await Promise.all([connections.stop(), closeServer(server)]);
  });
  return { url: `ws://127.0.0.1:${port}`, connections };
}

describe("a connection", () => {
  it("is refused when nobody proves a key in time", async () => {
    const { url } = await impatient({ handshakeMs: 50 });
    const silent = await Client.connect(url);
    expect(await silent.next()).toMatchObject({ type: "refusal", code: "handshake-timeout" });
    expect((await silent.closed).code).toBe(1008);
  });

  it("stays open past the deadline once the key is proven, as long as pings are answered", async () => {
    const { url } = await impatient({ handshakeMs: 2000, pingMs: 750 });
    const device = new FakeDevice().open();
    const { client } = await Client.greeted(url, device.signer);
    let pings = 0;
    client.socket.on("ping", () => {
      pings += 1;
    });
    await expect.poll(() => pings).toBeGreaterThanOrEqual(3);
    expect(await client.ask(await device.batch())).toMatchObject({ type: "receipt" });
  });

  it("is cut when the peer answers no ping", async () => {
    const { url, connections } = await impatient({ pingMs: 50 });
    const socket = new WebSocket(url, [STREAM_SUBPROTOCOL], { autoPong: false });
    const code = await new Promise((resolve) => socket.once("close", resolve));
    expect(code).toBe(1006);
    await expect.poll(() => connections.size).toBe(0);
  });

  it("is not read while its peer does not read, and is cut in the end", async () => {
    const { url, connections } = await impatient({ sendMs: 50, closeMs: 50 });
    const device = new FakeDevice().open();
    const { client } = await Client.greeted(url, device.signer);
    await client.ask(await device.batch());
    const batch = await device.batch();
    client.socket.pause();
    // The same batch again and again: its receipts fill the way back until nothing more leaves.
    const flood = setInterval(() => {
      if (client.socket.bufferedAmount < 4_000_000) for (let i = 0; i < 1000; i++) client.send(batch);
    }, 1);
    atEnd(() => clearInterval(flood));
    // Some ten thousand receipts, which a slow machine needs its time for.
    await expect.poll(() => connections.size, { timeout: 100_000 }).toBe(0);
    clearInterval(flood);
    client.socket.terminate();
  }, 120_000);
});

describe("a queue of messages", () => {
  const KIB = 1024;

  /** A queue whose handler ends a message when it is told to. */
  function held(budget: ByteBudget): {
    readonly queue: MessageQueue;
    readonly seen: string[];
    next(): Promise<void>;
  } {
    const seen: string[] = [];
    let end = (): void => undefined;
    const handle = async (bytes: Uint8Array): Promise<void> => {
      seen.push(`begin ${bytes[0]}`);
      await new Promise<void>((resolve) => {
        end = resolve;
      });
      seen.push(`end ${bytes[0]}`);
    };
    const handlers = { handle, pause: () => seen.push("pause"), resume: () => seen.push("resume") };
    const next = async (): Promise<void> => {
      end();
      await new Promise((resolve) => setImmediate(resolve));
    };
    return { queue: new MessageQueue(handlers, budget), seen, next };
  }

  function message(number: number, bytes = 1): Uint8Array {
    return new Uint8Array(bytes).fill(number);
  }

  it("hands over one at a time, in order, and reads on meanwhile", async () => {
    const { queue, seen, next } = held(new ByteBudget(1_000_000));
    for (const number of [1, 2, 3]) queue.push(message(number));
    for (let i = 0; i < 3; i++) await next();
    expect(seen).toEqual(["begin 1", "end 1", "begin 2", "end 2", "begin 3", "end 3"]);
  });

  it("stops its source when enough wait, and starts it again when they are fewer", async () => {
    const { queue, seen, next } = held(new ByteBudget(1_000_000));
    for (let number = 0; number <= 8; number++) queue.push(message(number));
    expect(seen).toEqual(["begin 0", "pause"]);
    await next();
    expect(seen.slice(2)).toEqual(["end 0", "resume", "begin 1"]);
  });

  it("stops its source when much waits", async () => {
    const { queue, seen, next } = held(new ByteBudget(1_000_000));
    for (const number of [1, 2, 3]) queue.push(message(number, 192 * KIB));
    expect(seen).toEqual(["begin 1", "pause"]);
    await next();
    expect(seen.at(-2)).toBe("resume");
  });

  it("reads nothing ahead while all queues together hold too much", async () => {
    const budget = new ByteBudget(100 * KIB);
    const [one, other] = [held(budget), held(budget)];
    for (const number of [1, 2]) one.queue.push(message(number, 100 * KIB));
    other.queue.push(message(1));
    expect(other.seen).toEqual(["begin 1", "pause"]);
    await other.next();
    expect(other.seen.at(-1)).toBe("resume");
    await one.next();
    expect(budget.held).toBe(0);
    other.queue.push(message(2));
    expect(other.seen.at(-1)).toBe("begin 2");
  });

  it("refuses a source that goes on although it was stopped", () => {
    const { queue } = held(new ByteBudget(1_000_000));
    const push = (): void => queue.push(message(1));
    for (let i = 0; i < 1025; i++) push();
    expect(push).toThrow("too many messages at once");
  });

  it("drops what waits when it is closed, and ends with the message in hand", async () => {
    const budget = new ByteBudget(1_000_000);
    const { queue, seen, next } = held(budget);
    for (const number of [1, 2, 3]) queue.push(message(number));
    const closed = queue.close();
    await next();
    await closed;
    queue.push(message(4));
    expect(seen).toEqual(["begin 1", "end 1"]);
    expect(budget.held).toBe(0);
  });
});
