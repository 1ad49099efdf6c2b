import { request } from "node:http";
import { describe, expect, it } from "vitest";
import { toHex } from "../../attest/bytes.ts";
import { healthReasons } from "../../network/http/health.ts";
import { exposeNode } from "../../network/http/metrics.ts";
import { DeviceCensus } from "../../network/http/metrics-census.ts";
import { NodeCounters } from "../../network/http/metrics-counters.ts";
import type { RunningNode } from "../../network/node.ts";
import type { DeviceRecord, Store } from "../../network/store/store.ts";
import { openLogger } from "../../runtime/log.ts";
import { documentedMetrics, samplesOf } from "../agent/outlet/prometheus.ts";
import { Client, FakeDevice, seedOf } from "../kit/device.ts";
import { ask, openStore, runNode } from "./fixture.ts";

const SILENT = openLogger("node", "silent");
const MIB = 1_048_576;

async function scraped(node: RunningNode): Promise<Map<string, number>> {
  const response = await fetch(`${node.httpUrl}/metrics`);
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  const samples = samplesOf(await response.text());
  return new Map(
    samples.map(({ name, labels, value }) => [
      [name.replace("kilowitness_node_", ""), ...(labels["code"] === undefined ? [] : [labels["code"]])].join(
        " ",
      ),
      value,
    ]),
  );
}

describe("a node's metrics", () => {
  it("count what was verified, stored and receipted, and each refusal by its code", async () => {
    const node = await runNode();
    const devices = [1, 2].map((number) => new FakeDevice({ seed: seedOf(number) }).open());
    for (const device of devices) {
      const { client } = await Client.greeted(node.wsUrl, device.signer);
      for (let batch = 0; batch < 3; batch += 1) await client.ask(await device.read(12).batch());
    }
    const wrong = new FakeDevice({ seed: seedOf(3) }).open();
    const { client } = await Client.greeted(node.wsUrl, wrong.signer);
    const batch = await wrong.read(12).batch();
    const answer = await client.ask({ ...batch, leaves: batch.leaves.slice(0, -1) });
    if (answer.type !== "refusal") throw new Error("not refused");
    const leaves = devices.reduce((sum, device) => sum + device.rules.size, 0);
    const numbers = await scraped(node);
    expect(Object.fromEntries(numbers)).toMatchObject({
      ...{ healthy: 1, batches_total: 6, leaves_total: leaves, receipts_total: 6, store_failures_total: 0 },
      ...{ devices: 2, faults: 0, [`refusals_total ${answer.code}`]: 1 },
    });
    expect(numbers.get("connections")).toBeGreaterThanOrEqual(2);
    expect(numbers.get("store_bytes")).toBeGreaterThan(4096);
    expect(numbers.get("store_free_bytes")).toBeGreaterThan(0);
  });

  it("do not count a batch twice that comes twice", async () => {
    const node = await runNode();
    const device = new FakeDevice().open().read(12);
    const { client } = await Client.greeted(node.wsUrl, device.signer);
    const batch = await device.batch();
    for (let time = 0; time < 3; time += 1) expect((await client.ask(batch)).type).toBe("receipt");
    const numbers = await scraped(node);
    expect(numbers.get("batches_total")).toBe(1);
    expect(numbers.get("leaves_total")).toBe(device.rules.size);
  });

  it("are those of the page for operators", async () => {
    const counters = new NodeCounters();
    counters.listening(SILENT).problem("connection-refused", new Error("x"));
    const state = { counters, healthy: true, uptimeMs: 1, connections: 1 };
    const quarantine = { keys: 1, refused: 2 };
    const rest = { census: { devices: 1, faults: 2 }, space: { bytes: 1, freeBytes: 2 }, quarantine };
    const text = await exposeNode({ ...state, ...rest }).text();
    const shown = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => `${name} ${type}`);
    expect(shown.sort()).toEqual(documentedMetrics("The node's metrics"));
  });

  it("are answered only under a name of this machine, as every question is", async () => {
    const node = await runNode();
    for (const path of ["/metrics", "/healthz"]) {
      const status = await new Promise<number | undefined>((resolve, reject) => {
        const sent = request(`${node.httpUrl}${path}`, { headers: { host: "evil.example" } });
        sent.on("response", (response) => resolve(response.resume().statusCode)).on("error", reject);
        sent.end();
      });
      expect(status).toBe(403);
    }
    expect((await ask(node, "/")).body).toMatchObject({
      questions: expect.arrayContaining(["/metrics", "/healthz"]),
    });
  });
});

describe("a node's health", () => {
  it("is 200 while it works", async () => {
    const node = await runNode();
    expect(await ask(node, "/healthz")).toMatchObject({
      status: 200,
      body: { status: "ok", connections: 0, reasons: [] },
    });
  });

  it("fails with a store that does not take what it is given, until it does again", async () => {
    const counters = new NodeCounters();
    const store = openStore();
    const checkpoint = {
      size: 1,
      root: new Uint8Array(32),
      bytes: new Uint8Array(1),
      receipt: new Uint8Array(1),
    };
    let broken = true;
    const failing: Store = new Proxy(store, {
      get: (target, name) => {
        if (name === "addCheckpoint")
          return async () => {
            if (broken) throw new Error("disk full");
            return checkpoint;
          };
        const value: unknown = Reflect.get(target, name);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const counted = counters.counting(failing);
    const reasons = () => healthReasons({ counters, space: {}, maxStoreMiB: 100 }).map(({ code }) => code);
    await expect(counted.addCheckpoint(1, checkpoint, 1)).rejects.toThrow("disk full");
    expect(reasons()).toEqual(["store-write"]);
    expect(counters).toMatchObject({ storeFailures: 1, receipts: 0 });
    // The rest of the store is there as before, with its private fields.
    expect(await counted.newestHead(new Uint8Array(32))).toBeUndefined();
    broken = false;
    await counted.addCheckpoint(1, checkpoint, 1);
    expect(reasons()).toEqual([]);
    expect(counters).toMatchObject({ storeFailures: 1, receipts: 1 });
  });

  it("fails when the store is full or its disk is", () => {
    const counters = new NodeCounters();
    const codes = (bytes: number, freeBytes: number) =>
      healthReasons({ counters, space: { bytes, freeBytes }, maxStoreMiB: 100 }).map(({ code }) => code);
    expect(codes(98 * MIB, 64 * MIB)).toEqual([]);
    expect(codes(99 * MIB, 64 * MIB)).toEqual(["store-full"]);
    expect(codes(1, 64 * MIB - 1)).toEqual(["disk-space"]);
  });
});

describe("the census", () => {
  function record(number: number): DeviceRecord {
    const key = new Uint8Array(32);
    new DataView(key.buffer).setUint32(0, number);
    return { key, agentVersion: "t", firstSeenMs: 1, lastSeenMs: 1, faults: number % 3 };
  }

  it("counts a large store page by page, and seldom", async () => {
    const all = Array.from({ length: 1234 }, (_, number) => record(number));
    let [pages, nowMs] = [0, 0];
    const archive = {
      devices: async (after: Uint8Array, limit: number) => {
        pages += 1;
        nowMs += 1000;
        const from = after.length === 0 ? 0 : all.findIndex(({ key }) => toHex(key) === toHex(after)) + 1;
        return all.slice(from, from + limit);
      },
    };
    const census = new DeviceCensus(archive, SILENT, () => nowMs);
    const faults = all.reduce((sum, device) => sum + device.faults, 0);
    expect(await census.count()).toEqual({ devices: 1234, faults });
    expect(pages).toBe(3);
    // The walk took 3 s: none again before fifty times as long.
    nowMs = 3000 + 149_999;
    all.push(record(5000));
    expect(await census.count()).toMatchObject({ devices: 1234 });
    expect(pages).toBe(3);
    nowMs += 1;
    // The old count at once, the new one when it is there.
    expect(await census.count()).toMatchObject({ devices: 1234 });
    await expect.poll(async () => (await census.count())?.devices).toBe(1235);
    expect(pages).toBe(6);
  });

  it("is left out when the store cannot be read", async () => {
    const census = new DeviceCensus({ devices: () => Promise.reject(new Error("no")) }, SILENT);
    expect(await census.count()).toBeUndefined();
  });
});
