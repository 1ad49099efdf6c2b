import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { equalBytes, fromHex } from "../../attest/bytes.ts";
import { LoadDevice, type PreparedBatch } from "../../bench/load/device.ts";
import { LoadStream } from "../../bench/load/stream.ts";
import { runFsck } from "../../bin/fsck/run.ts";
import { NETWORK } from "../kit/device.ts";
import { atEnd, openStore, temporaryFolder } from "./fixture.ts";

const ENTRY = join(import.meta.dirname, "run-node.ts");
/** More with KILL_CYCLES=500 npx vitest run test/network/load-kill.test.ts */
const CYCLES = Number(process.env["KILL_CYCLES"] ?? 4);
const DEVICES = 16;
const READINGS = 12;
const BATCHES = 40;
/** A cycle ends after that at the latest, and before a machine is through with all batches. */
const LONGEST_MS = 150;
const MOST_RECEIPTS = (DEVICES * BATCHES) / 2;
const NOTHING = new Uint8Array(0);

interface Ready {
  readonly child: ChildProcess;
  readonly ws: string;
  readonly nodeKey: Uint8Array;
}

/** A batch and the receipt that the device got for it. */
interface Receipted {
  readonly device: LoadDevice;
  readonly batch: PreparedBatch;
  readonly receipt: Uint8Array;
}

async function start(folder: string): Promise<Ready> {
  const config = join(folder, "node.yaml");
  const files = `key: ${join(folder, "node.key")}\nstore: ${join(folder, "node.sqlite")}\n`;
  const places = "listen: { port: 0 }\nhttp: { port: 0 }\nmaxHandshakesPerMinute: 100000\n";
  writeFileSync(config, `network: ${NETWORK}\n${files}devices: open\nlog: error\n${places}`);
  const child = spawn(process.execPath, [ENTRY, "--config", config, "--json"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  atEnd(() => void child.kill("SIGKILL"));
  const [line] = await once(createInterface({ input: child.stdout }), "line");
  const ready = JSON.parse(String(line)) as { readonly ws: string; readonly nodeKey: string };
  return { child, ws: ready.ws, nodeKey: fromHex(ready.nodeKey, "node key") };
}

/** Sends one batch behind the other until the node is gone, or nothing is left. */
async function sendAll(
  { ws, nodeKey }: Ready,
  { device, batches }: { readonly device: LoadDevice; readonly batches: readonly PreparedBatch[] },
  into: Receipted[],
): Promise<void> {
  const stream = await LoadStream.open(ws, {
    ...{ network: NETWORK, signer: device.signer, nodeKey, agentVersion: "load" },
  });
  for (const batch of batches) {
    const [receipt] = await stream.send([batch.message]);
    if (receipt !== undefined) into.push({ device, batch, receipt });
  }
}

async function fleet(first: number): Promise<{ device: LoadDevice; batches: PreparedBatch[] }[]> {
  const members: { device: LoadDevice; batches: PreparedBatch[] }[] = [];
  for (let number = first; number < first + DEVICES; number++) {
    const device = new LoadDevice(NETWORK, number);
    const batches = [await device.opening()];
    while (batches.length <= BATCHES) batches.push(await device.next(READINGS));
    members.push({ device, batches });
  }
  return members;
}

async function expectStored(folder: string, receipted: readonly Receipted[]): Promise<void> {
  const store = openStore(folder);
  for (const { device, batch, receipt } of receipted) {
    const head = await store.head(device.signer.publicKey, 1);
    expect(head?.size).toBeGreaterThanOrEqual(batch.size);
    const stored = await store.checkpointOver(head?.log ?? 0, batch.size);
    expect(stored?.size).toBe(batch.size);
    expect(equalBytes(stored?.root ?? NOTHING, batch.root)).toBe(true);
    expect(equalBytes(stored?.receipt ?? NOTHING, receipt)).toBe(true);
  }
}

describe("kill -9 while many devices share a transaction", () => {
  it(
    `loses nothing that was receipted, and leaves a sound store, in ${CYCLES} cycles`,
    async () => {
      const folder = temporaryFolder();
      const receipted: Receipted[] = [];
      for (let cycle = 0; cycle < CYCLES; cycle++) {
        const members = await fleet(cycle * DEVICES);
        const node = await start(folder);
        const sent = members.map((member) => sendAll(node, member, receipted));
        const settled = Promise.allSettled(sent);
        const before = receipted.length;
        while (receipted.length < before + 2) await sleep(1);
        const endMs = performance.now() + Math.random() * LONGEST_MS;
        while (performance.now() < endMs && receipted.length < before + MOST_RECEIPTS) await sleep(1);
        const exited = once(node.child, "exit");
        node.child.kill("SIGKILL");
        await exited;
        expect((await settled).map(({ status }) => status)).toContain("rejected");
        const found = runFsck(join(folder, "node.sqlite"), {
          ...{ deviceKeys: [], nodeKeys: [node.nodeKey], network: NETWORK, most: 3 },
        });
        expect(found.findings).toEqual([]);
      }
      expect(receipted.length).toBeGreaterThan(CYCLES);
      await expectStored(folder, receipted);
    },
    30_000 + CYCLES * 20_000,
  );
});
