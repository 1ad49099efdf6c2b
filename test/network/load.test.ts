import { describe, expect, it } from "vitest";
import { toHex } from "../../attest/bytes.ts";
import { type BatchMessage, decodeMessage, encodeMessage } from "../../attest/messages.ts";
import { nativeSigner } from "../../attest/native.ts";
import { LoadDevice, type PreparedBatch } from "../../bench/load/device.ts";
import { Fleet } from "../../bench/load/fleet.ts";
import { LoadStream } from "../../bench/load/stream.ts";
import type { RunningNode } from "../../network/node.ts";
import { NETWORK, seedOf } from "../kit/device.ts";
import { ask, runNode } from "./fixture.ts";

/** 5 s apart, so that a quarter of an hour ends within them. */
const READINGS = 100;
const BATCHES = 3;
const MANIFESTS = 2;

interface DeviceAnswer {
  readonly logs: readonly { readonly size: number; readonly receipts: number }[];
}
interface Page {
  readonly readings: readonly unknown[];
  readonly next: string | null;
}

async function logOf(
  node: RunningNode,
  device: LoadDevice,
): Promise<DeviceAnswer["logs"][number] | undefined> {
  const { body } = await ask(node, `/devices/${toHex(device.signer.publicKey)}`);
  return (body as Partial<DeviceAnswer>).logs?.[0];
}

async function countReadings(node: RunningNode, device: LoadDevice): Promise<number> {
  let count = 0;
  let next: string | null = `/devices/${toHex(device.signer.publicKey)}/readings?channel=1`;
  while (next !== null) {
    const page = (await ask(node, next)).body as Page;
    count += page.readings.length;
    next = page.next;
  }
  return count;
}

describe("the load's devices", () => {
  it("are accepted by a real node, and it holds exactly what they sent", async () => {
    const node = await runNode();
    const plan = { network: NETWORK, devices: 5, batches: BATCHES, readingsPerBatch: READINGS };
    const fleet = await Fleet.prepare(plan);
    await fleet.connect({ url: node.wsUrl, nodeKey: node.nodeKey });
    expect(await fleet.stream(1)).toMatchObject({ batches: 5, readings: 0 });
    expect(await fleet.stream(BATCHES)).toMatchObject({
      batches: 5 * BATCHES,
      readings: 5 * BATCHES * READINGS,
    });
    expect(await fleet.stream(1)).toMatchObject({ batches: 0, readings: 0 });
    expect(fleet.check()).toEqual({ receipts: 5 * (1 + BATCHES) });
    await fleet.close();
    for (let number = 0; number < plan.devices; number++) {
      const device = new LoadDevice(NETWORK, number);
      // Of the 300 readings the first is at 5 s: one close at a quarter of an hour, where the 181st comes.
      expect(await logOf(node, device)).toMatchObject({
        size: MANIFESTS + BATCHES * READINGS + 1,
        receipts: 1 + BATCHES,
      });
      expect(await countReadings(node, device)).toBe(BATCHES * READINGS);
    }
  });

  it("are as many keys as there are devices, and the same ones each time", () => {
    const keys = Array.from({ length: 50 }, (_, at) => toHex(new LoadDevice(NETWORK, at).signer.publicKey));
    expect(new Set(keys).size).toBe(50);
    expect(toHex(new LoadDevice(NETWORK, 7).signer.publicKey)).toBe(keys[7]);
  });

  it("speak only to the node whose key they were given", async () => {
    const node = await runNode();
    const fleet = await Fleet.prepare({ network: NETWORK, devices: 1, batches: 0, readingsPerBatch: 1 });
    const nodeKey = nativeSigner(seedOf(99)).publicKey;
    await expect(fleet.connect({ url: node.wsUrl, nodeKey })).rejects.toMatchObject({ code: "node-key" });
  });
});

describe("a load that lies", () => {
  const changed = (batch: BatchMessage, change: (leaves: Uint8Array) => Uint8Array): BatchMessage => ({
    ...batch,
    leaves: change(batch.leaves),
  });
  const lies: readonly (readonly [
    what: string,
    code: string,
    lie: (own: BatchMessage, others: BatchMessage, later: BatchMessage) => BatchMessage,
  ])[] = [
    ["changes a reading under its signature", "checkpoint-root", (own) => changed(own, withLastByteChanged)],
    ["leaves its last byte out", "cbor-truncated", (own) => changed(own, (leaves) => leaves.slice(0, -1))],
    ["signs for another device", "cose-kid", (_, others) => others],
    [
      "puts another device's leaves under its own checkpoint",
      "checkpoint-root",
      (own, others) => ({ ...own, leaves: others.leaves }),
    ],
    ["leaves a batch out", "batch-gap", (_, __, later) => later],
  ];

  it.each(lies)("is refused: it %s (%s)", async (_, code, lie) => {
    const node = await runNode();
    const [device, other] = [new LoadDevice(NETWORK, 1), new LoadDevice(NETWORK, 2)];
    const opening = await device.opening();
    const [own, later] = [await device.next(READINGS), await device.next(READINGS)];
    await other.opening();
    const stream = await LoadStream.open(node.wsUrl, {
      ...{ network: NETWORK, signer: device.signer, nodeKey: node.nodeKey, agentVersion: "load" },
    });
    expect(await stream.send([opening.message])).toHaveLength(1);
    const message = lie(batchOf(own), batchOf(await other.next(READINGS)), batchOf(later));
    await expect(stream.send([encodeMessage(message)])).rejects.toMatchObject({
      code: `node-refused:${code}`,
    });
    expect(await logOf(node, device)).toMatchObject({ size: MANIFESTS, receipts: 1 });
    await stream.close();
  });
});

function batchOf(prepared: PreparedBatch): BatchMessage {
  const message = decodeMessage(prepared.message);
  if (message.type === "batch") return message;
  throw new Error(`no batch but ${message.type}`);
}

/** The last byte of a reading's evidence: it stays a lawful leaf. */
function withLastByteChanged(leaves: Uint8Array): Uint8Array {
  const copy = leaves.slice();
  copy[copy.length - 1] = (copy[copy.length - 1] ?? 0) ^ 1;
  return copy;
}
