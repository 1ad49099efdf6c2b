import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Agent } from "../../agent/agent.ts";
import { loadAgentConfig } from "../../agent/config/config.ts";
import { Journal } from "../../agent/journal/journal.ts";
import { toHex } from "../../attest/bytes.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import type { WelcomeMessage } from "../../attest/messages.ts";
import { nativeSigner } from "../../attest/native.ts";
import { startSunSpecInverter } from "../../drivers/simulated/sunspec-device.ts";
import { readKey } from "../../runtime/key-file.ts";
import { FakeNode, type Script } from "./fake-node.ts";
import { type Line, NETWORK, openBench, recordingLogger, sealReadings, temporaryFolder } from "./kit.ts";
import { until } from "./uplink-kit.ts";

/** The whole agent against a node that keeps to its script. */
describe("the agent asks before it signs", () => {
  let folder = "";
  let closers: (() => Promise<unknown> | unknown)[] = [];
  let lines: Line[] = [];

  beforeEach(() => {
    const made = temporaryFolder();
    folder = made.folder;
    closers = [made.remove];
  });
  afterEach(async () => {
    for (const close of closers.reverse()) await close();
  });

  /** The agent, and its journal as a reader sees it. */
  async function start(script: Script): Promise<{ agent: Agent; node: FakeNode; journal: Journal }> {
    const inverter = await startSunSpecInverter({
      ...{ host: "127.0.0.1", port: 0, onServed: () => undefined },
      state: () => ({ serial: "INV-1", exportMwh: Date.now(), activePowerMw: -3_600_000 }),
    });
    const node = await FakeNode.start(script);
    const file = join(folder, "agent.yaml");
    writeFileSync(
      file,
      `{network: ${NETWORK}, key: k, journal: journal.sqlite, intervalSeconds: 1, commitSeconds: 0.1, checkpointSeconds: 0.2,
        devices: [{id: roof, driver: sunspec, host: 127.0.0.1, port: ${inverter.port}, intervalMs: 100}],
        nodes: [{url: "${node.url}", key: "${toHex(node.signer.publicKey)}"}]}`,
    );
    const recording = recordingLogger();
    lines = recording.lines;
    const agent = new Agent({ config: loadAgentConfig(file), logger: recording.logger });
    const journal = new Journal(join(folder, "journal.sqlite"), "reader");
    closers.push(
      () => inverter.close(),
      () => node.close(),
      () => agent.stop(),
      () => journal.close(),
    );
    agent.start();
    return { agent, node, journal };
  }

  /** What a node would show of a log that was written with the same key elsewhere. */
  async function elsewhere(name: string, seed: Uint8Array): Promise<Omit<WelcomeMessage, "type">> {
    const other = openBench(join(folder, name), { signer: nativeSigner(seed) });
    sealReadings(other, 50);
    const size = await other.sealer.checkpoint();
    const { epoch } = other.log.identity;
    const checkpoint = other.log.journal.checkpointAt(epoch, size);
    other.log.journal.close();
    return { epoch, checkpoint: new Uint8Array(checkpoint ?? []) };
  }

  function events(): string[] {
    return lines.map(({ event }) => event);
  }

  it("seals and signs nothing while the node is silent, and signs when it has answered", async () => {
    const { journal, node } = await start({ silentConnections: 1 });
    await until("leaves", () => journal.size(1) > 20);
    expect(journal.lastCheckpoint(1)).toBeUndefined();
    expect(events().filter((event) => event === "signing-waits")).toHaveLength(1);
    node.peers[0]?.socket.terminate();
    await until("a receipt", () => journal.receiptedSize(1, node.signer.publicKey));
    expect(journal.lastCheckpoint(1)?.size).toBeGreaterThan(20);
  });

  it("is not moved by a node that shows a log of another key as this device's", async () => {
    const forged = await elsewhere("forged.sqlite", new Uint8Array(32).fill(66));
    const { agent, journal, node } = await start({ welcome: () => forged });
    await until("several attempts", () => node.peers.length > 1);
    await until("leaves", () => journal.size(1) > 20);
    expect(journal.lastCheckpoint(1)).toBeUndefined();
    expect(agent.status()).toMatchObject({ epoch: 1, log: { signed: 0 } });
    expect(events()).not.toContain("epoch-opened");
    expect(lines.find(({ event }) => event === "node-problem")?.["code"]).toMatch(/^cose-/);
    expect(node.batches).toEqual([]);
  });

  it("begins the next epoch when the node shows a later one of its own key", async () => {
    let held: Omit<WelcomeMessage, "type"> | undefined;
    const { agent, journal, node } = await start({ silentConnections: 1, welcome: () => held ?? {} });
    await until("leaves", () => journal.size(1) > 20);
    writeFileSync(join(folder, "later.sqlite.epoch"), "4\n");
    held = await elsewhere("later.sqlite", readKey(join(folder, "k")).seed);
    expect(held.epoch).toBe(5);
    node.peers[0]?.socket.terminate();
    await until("a new epoch", () => agent.status().epoch === 6);
    expect(lines.find(({ event }) => event === "epoch-opened")).toMatchObject({
      ...{ epoch: 6, after: 1, reason: "a node holds a later epoch of this key" },
    });
    await until("a receipt in the new epoch", () => journal.receiptedSize(6, node.signer.publicKey));
    // Epoch 1 was sealed and never signed; what was sealed of it is still there.
    expect(journal.lastCheckpoint(1)).toBeUndefined();
    expect(journal.size(1)).toBeGreaterThan(20);
    expect(journal.leaves(6, 0, 3).map((bytes) => decodeLeaf(bytes).kind)).toEqual([
      "logManifest",
      "epochOpen",
      "channelManifest",
    ]);
    expect(node.batches.map(({ epoch }) => epoch)).toEqual(node.batches.map(() => 6));
  });
});
