import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { concatBytes } from "../../attest/bytes.ts";
import type { BatchMessage } from "../../attest/messages.ts";
import { nativeSigner, nativeSuite } from "../../attest/native.ts";
import { RULE_VERSION, signReceipt } from "../../attest/receipt.ts";
import { verifyBatch } from "../../attest/stream-verifier.ts";
import { runFsck } from "../../bin/fsck/run.ts";
import { appendBatch } from "../../network/store/append.ts";
import { Statements } from "../../network/store/statements.ts";
import type { AcceptedBatch } from "../../network/store/store.ts";
import { ALL, type Cells, dump, FIRST, flipped, Victim } from "../agent/fsck-kit.ts";
import { bytesOf } from "../attest/fault-forge.ts";
import { Dice } from "../attest/fault-subsets.ts";
import { worldEvents, worldOf } from "../attest/fault-world.ts";
import { Client, FakeDevice, NETWORK, seedOf } from "../kit/device.ts";
import type { LogBuilder } from "../kit/log-builder.ts";
import { runNode } from "./fixture.ts";
import { Intake, nodeSigner, writtenStore } from "./fsck-kit.ts";

const PAGE_BYTES = 4096;
let folder = "";
let victim: Victim;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "kw-fsck-store-"));
  victim = new Victim(await writtenStore(folder));
});
afterAll(() => {
  victim.remove();
  rmSync(folder, { recursive: true });
});

describe("fsck of a store that a node wrote", () => {
  it("finds nothing wrong, and says how much it has looked at", () => {
    const { path } = victim.heal();
    const database = new Database(path, { readonly: true });
    const count = (table: string): unknown => database.prepare(`SELECT count(*) FROM ${table}`).pluck().get();
    const counts = {
      ...{ devices: count("device"), logs: count("log"), batches: count("batch"), faults: count("fault") },
      ...{ checkpoints: count("checkpoint"), receipts: count("checkpoint") },
      leaves: database.prepare("SELECT sum(size) FROM log").pluck().get(),
    };
    database.close();
    const { publicKey } = nodeSigner;
    const options = { ...ALL, nodeKeys: [publicKey], network: NETWORK };
    expect(victim.check(options)).toMatchObject({ kind: "store", findings: [], inUse: false, counts });
    expect(counts).toMatchObject({ devices: 2, logs: 4, faults: 4, checkpoints: 8 });
  });

  it("holds it against the keys that are trusted", () => {
    victim.heal();
    const stranger = new Uint8Array(32).fill(1);
    expect(victim.first({ ...FIRST, deviceKeys: [stranger] })?.[0]).toBe("fsck-device");
    expect(victim.first({ ...FIRST, nodeKeys: [stranger] })?.[0]).toBe("fsck-node");
    expect(victim.first({ ...FIRST, network: "elsewhere" })?.[0]).toBe("fsck-network");
  });

  it("finds nothing wrong in whatever devices send, early, late and again", async () => {
    let stored = 0;
    await fc.assert(
      fc.asyncProperty(worldEvents, fc.nat(), async (events, seed) => {
        const intake = new Intake(mkdtempSync(join(folder, "p-")));
        const dice = new Dice(seed);
        const { logs, neighbour } = await worldOf(events);
        for (const log of [...logs, neighbour]) {
          const sizes = log.checkpoints.map(({ checkpoint }) => checkpoint.size);
          // The same leaves come again, and checkpoints that were passed over come late.
          for (const size of sizes.flatMap((one) => (dice.chance(80) ? [one, dice.pick(sizes)] : [])))
            await intake.code(log.signer.publicKey, batchOf(log, dice.below(size + 1), size));
        }
        await intake.store.close();
        const { findings, counts } = runFsck(intake.path, ALL);
        expect(findings).toEqual([]);
        stored += counts?.["checkpoints"] ?? 0;
      }),
      { numRuns: 12 },
    );
    expect(stored).toBeGreaterThan(12);
  });

  /** The leaves from `firstSeq` on under the log's own checkpoint of a size. */
  function batchOf(log: LogBuilder, firstSeq: number, size: number): BatchMessage {
    const stored = log.checkpoints.find(({ checkpoint }) => checkpoint.size === size);
    const leaves = concatBytes(...bytesOf(log).slice(firstSeq, size));
    const { epoch } = log.rules.identity;
    return { type: "batch", epoch, firstSeq, leaves, checkpoint: stored?.bytes ?? new Uint8Array(0) };
  }

  it("looks at it beside its node", async () => {
    const place = mkdtempSync(join(folder, "n-"));
    const node = await runNode(place);
    const device = new FakeDevice().open().read(300);
    const { client } = await Client.greeted(node.wsUrl, device.signer);
    await client.ask(await device.batch());
    const options = { ...ALL, nodeKeys: [node.nodeKey] };
    const path = join(place, "node.sqlite");
    const leaves = device.leaves.length;
    expect(runFsck(path, options)).toMatchObject({ findings: [], inUse: true, counts: { leaves } });
    await client.close();
    await node.close();
    expect(runFsck(path, options)).toMatchObject({ findings: [], inUse: false, counts: { leaves } });
  });

  it("does not mind what is stored while it looks", async () => {
    const place = mkdtempSync(join(folder, "w-"));
    const intake = new Intake(place);
    const device = new FakeDevice({ seed: seedOf(5) }).open().read(100);
    const key = device.signer.publicKey;
    await intake.take(key, await device.batch());
    await intake.take(key, await device.read(100).batch());
    const fromSize = device.leaves.length;
    const before = device.rules.clone();
    const late = await accepted(device.read(700), before, fromSize);
    await intake.store.close();
    const writer = new Database(intake.path);
    let appended = 0;
    const looked = (): void => {
      if (appended === 0) writer.transaction(() => appendBatch(new Statements(writer), nativeSuite, late))();
      appended += 1;
    };
    const result = runFsck(intake.path, { ...ALL, looked });
    writer.close();
    expect(result).toMatchObject({ findings: [], counts: { batches: 2, leaves: fromSize } });
    expect(runFsck(intake.path, ALL)).toMatchObject({ findings: [], counts: { batches: 3 } });
  });

  /** The leaves behind `fromSize`, as the node would store them. */
  async function accepted(
    device: FakeDevice,
    rules: FakeDevice["rules"],
    fromSize: number,
  ): Promise<AcceptedBatch> {
    const batch = await device.batch(fromSize);
    const { leaves, checkpoint, rules: after } = verifyBatch(nativeSuite, rules, batch);
    const { manifestHash, size, root } = checkpoint;
    const nowMs = device.nowMs;
    const said = { manifestHash, size, root, receivedAtMs: nowMs, ruleVersion: RULE_VERSION };
    const receipt = await signReceipt(nodeSigner, said);
    return {
      ...{ identity: rules.identity, logId: rules.logId, agentVersion: "t", fromSize, leaves, nowMs },
      ...{ rules: after.toText(), checkpoint: { size, root, bytes: batch.checkpoint, receipt } },
    };
  }

  it("finds nothing wrong where the node's key was exchanged, once both keys are named", async () => {
    const place = mkdtempSync(join(folder, "k-"));
    const device = new FakeDevice({ seed: seedOf(5) }).open().read(10);
    const keys: Uint8Array[] = [];
    for (const signer of [nodeSigner, nativeSigner(seedOf(77))]) {
      const intake = new Intake(place, signer);
      await intake.take(device.signer.publicKey, await device.read(10).batch());
      await intake.store.close();
      keys.push(signer.publicKey);
    }
    const path = join(place, "node.sqlite");
    expect(runFsck(path, ALL).findings.map(({ code }) => code)).toEqual(["fsck-node"]);
    expect(runFsck(path, { ...ALL, nodeKeys: keys }).findings).toEqual([]);
  });
});

describe("fsck of a store that is damaged as a file", () => {
  /** Without what nothing vouches for. */
  function seen(table: string, row: Cells): Cells {
    if (table === "device") return { ...row, agent_version: null, last_seen_ms: null };
    return table === "fault" ? { ...row, detail: null, found_ms: null } : row;
  }

  /** Either something is named, or every row is what it was. */
  function isNamed(bytes: Buffer, whole: string): boolean {
    const [finding] = victim.write(bytes).check(FIRST).findings;
    if (finding === undefined) expect(dump(victim.path, seen)).toBe(whole);
    return finding !== undefined;
  }

  it("names a page of zeros", () => {
    const whole = dump(victim.heal().path, seen);
    const { bytes } = victim;
    let named = 0;
    for (let at = 0; at < bytes.length; at += PAGE_BYTES)
      named += isNamed(Buffer.from(bytes).fill(0, at, at + PAGE_BYTES), whole) ? 1 : 0;
    expect(named).toBeGreaterThan(bytes.length / PAGE_BYTES / 2);
  });

  it("names every changed bit that changes a row", () => {
    const whole = dump(victim.heal().path, seen);
    const { bytes } = victim;
    let named = 0;
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(7), (at, bit) => {
        named += isNamed(flipped(bytes, at, bit), whole) ? 1 : 0;
      }),
      { numRuns: 60 },
    );
    expect(named).toBeGreaterThan(10);
  });
});
