import { request } from "node:http";
import { describe, expect, it } from "vitest";
import { toHex } from "../../attest/bytes.ts";
import { nativeSuite } from "../../attest/native.ts";
import { verifyProof } from "../../attest/proof-verify.ts";
import { openReceipt } from "../../attest/receipt.ts";
import type { RunningNode } from "../../network/node.ts";
import { Client, FakeDevice, INTERVAL_MS, START_MS } from "../kit/device.ts";
import { ask, runNode, temporaryFolder } from "./fixture.ts";

interface Interval {
  readonly t0Ms: number;
  readonly t1Ms: number;
  readonly importWh: number;
  readonly openingImportMwh: number;
  readonly closingImportMwh: number;
  readonly seq: number;
}

const MINUTES = 60;

/** An hour of readings at a node, sent in several batches. */
async function hour(): Promise<{ node: RunningNode; device: FakeDevice; path: string; client: Client }> {
  const node = await runNode();
  const device = new FakeDevice();
  device.importMwh = 1_000_300;
  device.open();
  const { client } = await Client.greeted(node.wsUrl, device.signer);
  for (let i = 0; i < MINUTES; i++) {
    const answer = await client.ask(await device.read(12).batch());
    if (answer.type !== "receipt") throw new Error(JSON.stringify(answer));
    if (i === 0) anchor(device, answer.receipt, node.nodeKey);
  }
  return { node, device, client, path: `/devices/${toHex(device.signer.publicKey)}` };
}

function anchor(device: FakeDevice, receipt: Uint8Array, nodeKey: Uint8Array): void {
  const { receivedAtMs, size } = openReceipt(nativeSuite, receipt, nodeKey);
  device.append({
    ...{ kind: "anchor", nodeKey, receiptHash: nativeSuite.sha256(receipt) },
    ...{ receivedAtMs, receiptSize: size },
    ...{ timeMs: device.nowMs, timeQuality: 4 },
  });
}

/** All pages of a question. */
async function pages<T>(node: RunningNode, path: string, name: string): Promise<T[]> {
  const items: T[] = [];
  for (let next: string | null = path; next !== null; ) {
    const { status, body } = await ask(node, next);
    expect(status).toBe(200);
    const page = body as { next: string | null } & Record<string, T[]>;
    items.push(...(page[name] ?? []));
    next = page.next;
  }
  return items;
}

describe("questions about intervals", () => {
  it("are answered with every close once, each from the end of the one before", async () => {
    const { node, path } = await hour();
    const whole = await pages<Interval>(node, `${path}/intervals?channel=grid`, "intervals");
    const paged = await pages<Interval>(node, `${path}/intervals?channel=1&limit=7`, "intervals");
    expect(paged).toEqual(whole);
    // The last minute's boundary has not been passed by anything yet.
    expect(whole).toHaveLength(MINUTES - 1);
    for (const [at, interval] of whole.entries()) {
      const before = whole[at - 1];
      expect(interval.t0Ms).toBe(before?.t1Ms ?? START_MS + 5000);
      expect(interval.openingImportMwh).toBe(before?.closingImportMwh ?? 1_007_300);
      expect(interval.t1Ms).toBe(START_MS + (at + 1) * INTERVAL_MS);
    }
    // 7 Wh every 5 s: 11 steps in the first minute, which opens the chain at its first reading, 12 in each other.
    expect(whole.map((interval) => interval.importWh)).toEqual([77, ...Array(MINUTES - 2).fill(84)]);
  });

  it("keep to the span, given in either way", async () => {
    const { node, path } = await hour();
    const [from, to] = [START_MS + 10 * INTERVAL_MS, START_MS + 15 * INTERVAL_MS];
    const byMs = await ask(node, `${path}/intervals?channel=grid&from=${from}&to=${to}`);
    const iso = `from=${new Date(from).toISOString()}&to=2026-01-05T13:15%2B01:00`;
    const byIso = await ask(node, `${path}/intervals?channel=grid&${iso}`);
    expect(byIso.body).toEqual(byMs.body);
    expect(byMs.body).toMatchObject({
      next: null,
      intervals: [10, 11, 12, 13, 14].map((minute) => ({
        t0: new Date(START_MS + minute * INTERVAL_MS).toISOString(),
        t0Ms: START_MS + minute * INTERVAL_MS,
        exportWh: 0,
        shape: [],
      })),
    });
  });

  it("show a replaced meter as an ended chain and a new one", async () => {
    const node = await runNode();
    const device = new FakeDevice().open().read(18).replaceMeter().read(30);
    const { client } = await Client.greeted(node.wsUrl, device.signer);
    await client.ask(await device.batch());
    const path = `/devices/${toHex(device.signer.publicKey)}/intervals?channel=grid`;
    const shapes = (await pages<{ shape: string[] }>(node, path, "intervals")).map(({ shape }) => shape);
    expect(shapes).toEqual([["opensChain"], ["endsChain"], ["opensChain"], []]);
  });
});

describe("questions about readings", () => {
  it("give back what was sealed, page by page", async () => {
    const { node, path } = await hour();
    const readings = await pages<{ importMwh: number; timeMs: number; activePowerMw: number }>(
      node,
      `${path}/readings?channel=grid&limit=100`,
      "readings",
    );
    expect(readings.map(({ importMwh }) => importMwh)).toEqual(
      Array.from({ length: MINUTES * 12 }, (_, at) => 1_007_300 + 7000 * at),
    );
    expect(readings[3]).toMatchObject({
      timeMs: START_MS + 20_000,
      activePowerMw: 5_040_000,
      exportMwh: 500,
    });
  });

  it("come in pages of what was looked at when a channel says little", async () => {
    const node = await runNode();
    const device = new FakeDevice().open();
    const { client } = await Client.greeted(node.wsUrl, device.signer);
    const quiet = { registers: 1, samplingMs: 5000, make: "Acme", model: "M2", serial: "9", driver: "test" };
    const time = { timeMs: device.nowMs, timeQuality: 3 };
    device.append({ kind: "channelManifest", channel: 2, role: 2, name: "roof", ...quiet, ...time });
    for (let i = 0; i < 7; i++) await client.ask(await device.read(3000).batch());
    const roof = { timeMs: device.nowMs, timeQuality: 3, importMwh: 5 };
    device.append({ kind: "reading", channel: 2, ...roof });
    await client.ask(await device.batch());
    const path = `/devices/${toHex(device.signer.publicKey)}/readings?channel=roof`;
    expect((await ask(node, path)).body).toMatchObject({ readings: [], next: expect.any(String) });
    expect(await pages(node, path, "readings")).toMatchObject([roof]);
  });

  it("begin at a time", async () => {
    const { node, path } = await hour();
    const from = START_MS + 30 * INTERVAL_MS;
    const { body } = await ask(node, `${path}/readings?channel=grid&from=${from}&limit=2`);
    expect(body).toMatchObject({ readings: [{ timeMs: from }, { timeMs: from + 5000 }] });
  });
});

describe("questions about proofs", () => {
  it("are answered with a file that a stranger can verify", async () => {
    const { node, device, path } = await hour();
    const [from, to] = [START_MS + 20 * INTERVAL_MS, START_MS + 50 * INTERVAL_MS];
    const response = await fetch(`${node.httpUrl}${path}/proof?channel=grid&from=${from}&to=${to}`);
    expect(response.headers.get("content-type")).toBe("application/cbor");
    const proven = verifyProof(nativeSuite, new Uint8Array(await response.arrayBuffer()));
    expect(proven).toMatchObject({
      deviceKey: device.signer.publicKey,
      claim: { kind: "energy", segments: [{ first: { t0Ms: from }, last: { t1Ms: to } }] },
    });
    // One over the opening reading and one over the checkpoint.
    const { nodeKey } = node;
    expect(proven.logs).toMatchObject([{ receipts: [{ nodeKey }, { nodeKey }], anchors: [{ nodeKey }] }]);
  });

  it("do not rest on an anchor that is false about its receipt", async () => {
    const node = await runNode();
    const device = new FakeDevice().open();
    const { client } = await Client.greeted(node.wsUrl, device.signer);
    const answer = await client.ask(await device.batch());
    if (answer.type !== "receipt") throw new Error(JSON.stringify(answer));
    device.append({
      ...{ kind: "anchor", nodeKey: node.nodeKey, receiptHash: nativeSuite.sha256(answer.receipt) },
      ...{ receivedAtMs: 1, receiptSize: device.rules.size, timeMs: device.nowMs, timeQuality: 4 },
    });
    await client.ask(await device.read(30).batch());
    const [from, to] = [START_MS + INTERVAL_MS, START_MS + 2 * INTERVAL_MS];
    const path = `/devices/${toHex(device.signer.publicKey)}/proof?channel=grid&from=${from}&to=${to}`;
    const response = await fetch(`${node.httpUrl}${path}`);
    const [log] = verifyProof(nativeSuite, new Uint8Array(await response.arrayBuffer())).logs;
    expect(log.anchors).toEqual([]);
  });

  it("are refused with the nearest ends where no close begins or ends", async () => {
    const { node, path } = await hour();
    const [from, to] = [START_MS + 20 * INTERVAL_MS + 1, START_MS + 50 * INTERVAL_MS];
    const { status, body } = await ask(node, `${path}/proof?channel=grid&from=${from}&to=${to}`);
    expect(status).toBe(409);
    expect(body).toMatchObject({ code: "proof-boundary" });
    expect(JSON.stringify(body)).toContain("2026-01-05T12:20:00.000Z or 2026-01-05T12:21:00.000Z");
  });

  it("work across the subtrees that are stored, in a log of thousands of leaves", async () => {
    const node = await runNode();
    const device = new FakeDevice().open();
    const { client } = await Client.greeted(node.wsUrl, device.signer);
    for (let i = 0; i < 12; i++) await client.ask(await device.read(300).batch());
    const path = `/devices/${toHex(device.signer.publicKey)}/proof?channel=grid`;
    const [from, to] = [START_MS + 100 * INTERVAL_MS, START_MS + 160 * INTERVAL_MS];
    const response = await fetch(`${node.httpUrl}${path}&from=${from}&to=${to}`);
    const [log] = verifyProof(nativeSuite, new Uint8Array(await response.arrayBuffer())).logs;
    expect(log.checkpoint.size).toBeGreaterThan(2048);
  });
});

describe("questions about devices", () => {
  it("list what the node holds of each", async () => {
    const { node, device, path } = await hour();
    const grid = { channel: 1, name: "grid", make: "Acme", model: "M1", serial: "4711", role: "grid" };
    const expected = {
      ...{ key: toHex(device.signer.publicKey), network: "test-network", receipts: MINUTES, faults: 0 },
      ...{ logs: [{ epoch: 1, size: device.rules.size }], channels: [grid] },
    };
    expect((await ask(node, "/devices")).body).toMatchObject({ devices: [expected], next: null });
    expect((await ask(node, path)).body).toMatchObject(expected);
    expect((await ask(node, `${path}/faults`)).body).toEqual({ faults: [] });
    expect((await ask(node, "/key")).body).toEqual({ nodeKey: toHex(node.nodeKey) });
    expect((await ask(node, "/")).body).toMatchObject({ network: "test-network" });
  });

  it("come in pages", async () => {
    const node = await runNode();
    for (const number of [3, 4, 5]) {
      const device = new FakeDevice({ seed: new Uint8Array(32).fill(number) }).open();
      const { client } = await Client.greeted(node.wsUrl, device.signer);
      await client.ask(await device.batch());
    }
    expect(await pages(node, "/devices?limit=2", "devices")).toHaveLength(3);
  });

  it.each([
    ["/nothing", 404, "not-found"],
    ["/devices?limit=0", 400, "query"],
    ["/devices?page=1", 400, "query"],
    ["/devices/abc", 400, "query"],
    [`/devices/${"0".repeat(64)}`, 404, "device-unknown"],
    [`/devices/${"0".repeat(64)}/intervals?channel=grid`, 404, "device-unknown"],
    [`/devices/${"0".repeat(64)}/intervals`, 400, "query"],
    ["KEY/intervals?channel=roof", 404, "channel-unknown"],
    ["KEY/intervals?channel=2", 404, "channel-unknown"],
    ["KEY/intervals?channel=grid&from=yesterday", 400, "query"],
    ["KEY/intervals?channel=grid&from=2026-01-05", 400, "query"],
    ["KEY/intervals?channel=grid&after=x", 400, "query"],
    ["KEY/proof?channel=grid", 400, "query"],
    ["KEY/proof?channel=grid&from=5&to=5", 409, "proof-boundary"],
  ])("are refused by code: %s", async (path, status, code) => {
    const node = await runNode();
    const device = new FakeDevice().open();
    const { client } = await Client.greeted(node.wsUrl, device.signer);
    await client.ask(await device.batch());
    const key = `/devices/${toHex(device.signer.publicKey)}`;
    const answer = await ask(node, path.replace("KEY", key));
    expect(answer).toMatchObject({ status, body: { code, message: expect.any(String) } });
  });

  it("are answered only under a name of this machine", async () => {
    const node = await runNode();
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const sent = request(`${node.httpUrl}/devices`, { headers: { host: "evil.example" } });
      sent.on("response", (response) => resolve(response.resume().statusCode)).on("error", reject);
      sent.end();
    });
    expect(status).toBe(403);
  });
});

describe("the store", () => {
  it("belongs to one network", async () => {
    const folder = temporaryFolder();
    const node = await runNode(folder);
    const device = new FakeDevice().open();
    const { client } = await Client.greeted(node.wsUrl, device.signer);
    await client.ask(await device.batch());
    await node.close();
    await expect(runNode(folder, { network: "another" })).rejects.toMatchObject({ code: "store-network" });
    expect((await runNode(folder)).nodeKey).toEqual(node.nodeKey);
  });
});
