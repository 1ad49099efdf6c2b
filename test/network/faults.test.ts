import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { toHex } from "../../attest/bytes.ts";
import type { BatchMessage, RefusalMessage } from "../../attest/messages.ts";
import type { RunningNode } from "../../network/node.ts";
import { STORE_SCHEMA } from "../../network/store/schema.ts";
import { bytesOf, fallingReading, shortLog } from "../attest/fault-forge.ts";
import { device, openedLog, otherDevice } from "../attest/fault-kit.ts";
import { openEpoch } from "../attest/fault-world.ts";
import { Client } from "../kit/device.ts";
import { ruleShown, signed } from "./fault-kit.ts";
import { ask, openStore, runNode, temporaryFolder } from "./fixture.ts";

const LAUNCHER = fileURLToPath(new URL("../../bin/kilowitness.js", import.meta.url));
const PATH = `/devices/${toHex(device.publicKey)}`;

interface Listed {
  readonly id: number;
  readonly kind: string;
  readonly proof: string | null;
}

/** Sends a batch on a connection of its own, which a refusal ends; returns the refusal. */
async function refusalOf(node: RunningNode, batch: BatchMessage): Promise<RefusalMessage> {
  const { client } = await Client.greeted(node.wsUrl, device);
  const answer = await client.ask(batch);
  if (answer.type !== "refusal") throw new Error(`no refusal but ${answer.type}`);
  return answer;
}

async function take(node: RunningNode, batch: BatchMessage): Promise<void> {
  const { client } = await Client.greeted(node.wsUrl, device);
  expect(await client.ask(batch)).toMatchObject({ type: "receipt" });
  await client.close();
}

/** A node that was sent a false leaf, a fork, a fork of which no file can be made, and a closed epoch, over sockets. */
async function accusing(): Promise<RunningNode> {
  const node = await runNode();
  const [log, other] = [shortLog(), shortLog()];
  await take(node, await signed(log, bytesOf(log)));
  const firstSeq = log.leaves.length;
  const falling = [...bytesOf(log), log.place(fallingReading(log)).bytes];
  expect(await refusalOf(node, await signed(log, falling, { firstSeq }))).toMatchObject({
    code: "register-drop",
    message: expect.stringContaining("kept as evidence"),
  });
  for (const importMwh of [2_000_000, 3_000_000]) log.read({ importMwh });
  await take(node, await signed(log, bytesOf(log), { firstSeq }));
  other.read({ importMwh: 4_000_000 });
  const silent = await signed(other, bytesOf(other), { firstSeq: other.leaves.length });
  expect((await refusalOf(node, silent)).code).toBe("fork");
  other.read({ importMwh: 5_000_000 });
  expect((await refusalOf(node, await signed(other, bytesOf(other)))).code).toBe("fork");
  await log.checkpoint();
  const later = openedLog({ epoch: 2 });
  openEpoch(later, log, true);
  await take(node, await signed(later, bytesOf(later)));
  log.read({ importMwh: 6_000_000 });
  expect((await refusalOf(node, await signed(log, bytesOf(log)))).code).toBe("epoch-closed");
  return node;
}

async function listed(node: RunningNode): Promise<readonly Listed[]> {
  const { status, body } = await ask(node, `${PATH}/faults`);
  expect(status).toBe(200);
  return (body as { faults: Listed[] }).faults;
}

describe("faults that a node has kept", () => {
  it("are listed, and handed out as files that a stranger can check", async () => {
    const node = await accusing();
    const faults = await listed(node);
    expect(faults).toMatchObject([
      { kind: "false-leaf", epoch: 1, ours: null, found: expect.stringMatching(/^\d{4}-.*Z$/) },
      { kind: "fork", proof: null, proofBytes: null, detail: expect.stringContaining("no fault file") },
      { kind: "fork", ours: expect.stringMatching(/^d284/), theirs: expect.stringMatching(/^d284/) },
      { kind: "two-epochs", epoch: 1 },
    ]);
    const rules: string[] = [];
    for (const { id, kind, proof } of faults) {
      if (proof === null) continue;
      const response = await fetch(`${node.httpUrl}${proof}`);
      expect(response.headers.get("content-type")).toBe("application/cbor");
      const name = `attachment; filename="kilowitness-fault-${id}.kwf"`;
      expect(response.headers.get("content-disposition")).toBe(name);
      const file = new Uint8Array(await response.arrayBuffer());
      rules.push(ruleShown(file, { kind, deviceKey: device.publicKey }));
      expect(faults.find((fault) => fault.id === id)).toMatchObject({ proofBytes: file.length });
    }
    expect(rules).toEqual(["register-drop", "two-roots", "signed-after-close"]);
    expect((await ask(node, PATH)).body).toMatchObject({ faults: 4, logs: [{ faults: 4 }, { faults: 0 }] });
  });

  it("are there for whom no log is stored", async () => {
    const node = await runNode();
    const headless = openedLog();
    headless.leaves.pop();
    const { bytes } = headless.place(fallingReading(headless));
    expect((await refusalOf(node, await signed(headless, [bytes]))).code).toBe("manifest-missing");
    expect(await listed(node)).toMatchObject([{ kind: "false-leaf", size: 1 }]);
    expect((await ask(node, PATH)).body).toMatchObject({ code: "device-unknown" });
  });

  it("are what kilowitness verify takes", async () => {
    const node = await accusing();
    const [first] = await listed(node);
    const response = await fetch(`${node.httpUrl}${first?.proof}`);
    const file = join(temporaryFolder(), "fault.kwf");
    writeFileSync(file, new Uint8Array(await response.arrayBuffer()));
    const trusted = ["--trust", `device:${toHex(device.publicKey)}`, "--json"];
    const run = spawnSync(process.execPath, [LAUNCHER, "verify", file, ...trusted]);
    expect(JSON.parse(String(run.stdout))).toMatchObject({ rule: "register-drop", trust: "device" });
    expect(run.status).toBe(0);
  });

  it("are refused by code where there are none", async () => {
    const node = await accusing();
    const unproven = (await listed(node)).find(({ proof }) => proof === null)?.id;
    const other = `/devices/${toHex(otherDevice.publicKey)}`;
    for (const [path, status, code] of [
      [`${PATH}/faults/${unproven}`, 404, "fault-unproven"],
      [`${PATH}/faults/99`, 404, "fault-unknown"],
      [`${PATH}/faults/0`, 404, "fault-unknown"],
      [`${PATH}/faults/1.5`, 404, "fault-unknown"],
      [`${PATH}/faults/1?as=json`, 400, "query"],
      [`${PATH}/faults?kind=fork`, 400, "query"],
      [`${other}/faults/1`, 404, "fault-unknown"],
      ["/devices/abc/faults/1", 400, "query"],
    ] as const)
      expect([path, await ask(node, path)]).toMatchObject([path, { status, body: { code } }]);
    expect((await ask(node, `${other}/faults`)).body).toEqual({ faults: [] });
  });
});

describe("a store of the schema before", () => {
  it("keeps its faults, without files", async () => {
    const folder = temporaryFolder();
    const before = new Database(join(folder, "node.sqlite"));
    for (const script of STORE_SCHEMA.slice(0, 1)) before.exec(readFileSync(script, "utf8"));
    before.pragma("user_version = 1");
    const logId = new Uint8Array(32).fill(3);
    const key = device.publicKey;
    before.prepare("INSERT INTO device VALUES (1, ?, 'test', 1, 2)").run(key);
    before.prepare("INSERT INTO log VALUES (5, 1, 'test-network', 4, ?, 9, '{}', 1)").run(logId);
    const [ours, theirs] = [Uint8Array.of(1), Uint8Array.of(2)];
    before.prepare("INSERT INTO fault VALUES (7, 5, 'fork', 8, ?, ?, 'why', 6)").run(ours, theirs);
    before.close();
    const store = openStore(folder);
    expect(await store.faults(key)).toEqual([
      {
        id: 7,
        epoch: 4,
        logId,
        kind: "fork",
        size: 8,
        ours,
        theirs,
        detail: "why",
        proofBytes: null,
        foundMs: 6,
      },
    ]);
    expect(await store.device(key)).toMatchObject({ faults: 1 });
    expect(await store.faultProof(key, 7)).toBeNull();
    expect(await store.faultRoom({ deviceKey: key, epoch: 4, logId, theirs })).toBe("free");
  });
});
