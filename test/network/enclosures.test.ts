import { writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toHex } from "../../attest/bytes.ts";
import type { BatchMessage } from "../../attest/messages.ts";
import { nativeSuite } from "../../attest/native.ts";
import { openReceipt } from "../../attest/receipt.ts";
import { runFsck } from "../../bin/fsck/run.ts";
import { admitCommand } from "../../network/cli/admit.ts";
import type { Enclosures } from "../../network/store/store.ts";
import { ALL, Victim } from "../agent/fsck-kit.ts";
import { samplesOf } from "../agent/outlet/prometheus.ts";
import { runHere } from "../agent/outlet/run-command.ts";
import { Client, FakeDevice, NETWORK, START_MS, seedOf } from "../kit/device.ts";
import { ask, atEnd, openStore, runNode, temporaryFolder } from "./fixture.ts";
import { Intake, nodeSigner } from "./fsck-kit.ts";

const [OPENED, CLOSED, UNWATCHED] = [1, 2, 3];
const NONE = { inputs: 0, leaves: 0, opened: 0 };

/** A second later the device says it; the time of the leaf. */
function say(device: FakeDevice, input: string, state: number, timeQuality = 3): number {
  device.nowMs += 1000;
  device.append({ kind: "tamper", input, state, timeMs: device.nowMs, timeQuality });
  return device.nowMs;
}

/** The device's next epoch; it continues the one before as that receipt says. */
function nextEpoch(old: FakeDevice, receipt: Uint8Array): FakeDevice {
  const { size: oldSize, root: oldRoot } = openReceipt(nativeSuite, receipt, nodeSigner.publicKey);
  const device = new FakeDevice({ epoch: old.epoch + 1 });
  Object.assign(device, { nowMs: old.nowMs + 60_000, importMwh: old.importMwh });
  return device.open({ oldLogId: old.rules.logId, oldSize, oldRoot });
}

function send(intake: Intake, device: FakeDevice, batch: BatchMessage): Promise<Uint8Array> {
  return intake.take(device.signer.publicKey, batch);
}

const KEY = new FakeDevice().signer.publicKey;
const PATH = `/devices/${toHex(KEY)}`;

describe("what a device says of its enclosures", () => {
  it("stands beside its logs, and opened leaves are counted", async () => {
    const node = await runNode();
    const device = new FakeDevice().open().read(2);
    const { client } = await Client.greeted(node.wsUrl, device.signer);
    const silent = await device.batch();
    await client.ask(silent);
    expect((await ask(node, PATH)).body).toMatchObject({ enclosures: { inputs: [], further: NONE } });
    say(device, "lid", CLOSED);
    const opened = say(device, "lid", OPENED);
    const again = say(device, "lid", OPENED);
    const gone = say(device, "door", UNWATCHED);
    const batch = await device.read(1).batch();
    for (let time = 0; time < 3; time += 1) expect((await client.ask(batch)).type).toBe("receipt");
    const lid = {
      ...{ input: "lid", state: "opened", since: new Date(opened).toISOString(), lastKnown: "opened" },
      ...{ said: new Date(again).toISOString(), openings: 1, epoch: 1, seq: device.leaves.length - 3 },
    };
    const door = { input: "door", state: "unwatched", since: new Date(gone).toISOString(), lastKnown: null };
    const enclosures = {
      inputs: [{ ...door, said: door.since, openings: 0, epoch: 1, seq: lid.seq + 1 }, lid],
      further: NONE,
    };
    expect((await ask(node, PATH)).body).toMatchObject({ enclosures });
    expect((await ask(node, "/devices")).body).toMatchObject({ devices: [{ enclosures }] });
    const metrics = samplesOf(await (await fetch(`${node.httpUrl}/metrics`)).text());
    const counted = metrics.find(({ name }) => name === "kilowitness_node_enclosures_opened_total");
    expect(counted?.value).toBe(2);
  });

  it("has no time while its clock was not set, and a state that nobody knows is its number", async () => {
    const node = await runNode();
    const device = new FakeDevice().open();
    const { client } = await Client.greeted(node.wsUrl, device.signer);
    say(device, "lid", 7);
    await client.ask(await device.batch());
    expect((await ask(node, PATH)).body).toMatchObject({
      enclosures: { inputs: [{ state: "7", lastKnown: null, openings: 0 }] },
    });
    const early = new FakeDevice({ seed: seedOf(9) });
    early.append({
      ...{ kind: "logManifest", network: NETWORK, epoch: 1, deviceKey: early.signer.publicKey },
      ...{ agentVersion: "test", assuranceTier: 0, bootCount: 1, intervalMs: 60_000 },
      ...{ timeMs: 500, timeQuality: 1 },
    });
    early.append({ kind: "tamper", input: "lid", state: OPENED, timeMs: 900, timeQuality: 1 });
    early.nowMs = 900;
    const other = await Client.greeted(node.wsUrl, early.signer);
    expect((await other.client.ask(await early.batch())).type).toBe("receipt");
    expect((await ask(node, `/devices/${toHex(early.signer.publicKey)}`)).body).toMatchObject({
      enclosures: { inputs: [{ state: "opened", since: null, said: null, openings: 1 }] },
    });
  });

  it("is kept of 8 inputs a log; what is said of others is counted", async () => {
    const intake = new Intake(temporaryFolder());
    atEnd(() => intake.store.close());
    const device = new FakeDevice().open();
    const names = Array.from({ length: 1000 }, (_, at) => `input ${at}`);
    for (const name of names) say(device, name, CLOSED);
    await send(intake, device, await device.batch());
    for (const name of names) say(device, name, OPENED);
    await send(intake, device, await device.batch());
    const { inputs, further } = await intake.store.enclosures(KEY);
    expect(inputs.map(({ input }) => input)).toEqual(names.slice(0, 8));
    expect(inputs.every(({ state, openings }) => state === OPENED && openings === 1)).toBe(true);
    expect(further).toEqual({ inputs: 0, leaves: 2 * 992, opened: 992 });
  });
});

interface Said {
  readonly input: string;
  readonly state: number;
  readonly timeMs: number;
}

/** The same from all that was ever said, by searching it. */
function searched(all: readonly Said[]): object[] {
  const names = [...new Set(all.map(({ input }) => input))];
  return names.map((name) => {
    const own = all.filter(({ input }) => input === name);
    const last = own.at(-1);
    const otherwise = own.findLastIndex(({ state }) => state !== last?.state);
    const known = own.filter(({ state }) => state === OPENED || state === CLOSED);
    const text = known.map(({ state }) => (state === OPENED ? "o" : "c")).join("");
    return {
      ...{ input: name, state: last?.state, timeMs: last?.timeMs, sinceMs: own[otherwise + 1]?.timeMs },
      openings: [...text.matchAll(/o+/g)].length,
      knownOpen: text === "" ? null : Number(text.endsWith("o")),
    };
  });
}

function kept({ inputs }: Enclosures): object[] {
  return inputs.map(({ input, state, timeMs, sinceMs, openings, knownOpen }) => ({
    ...{ input, state, timeMs, sinceMs, openings, knownOpen },
  }));
}

const byInput = (a: object, b: object): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
const step = fc.record({
  said: fc.array(fc.tuple(fc.constantFrom("lid", "door", "\0", "ü\"'"), fc.integer({ min: 1, max: 4 })), {
    maxLength: 5,
  }),
  next: fc.constantFrom("send", "send", "repeat", "overlap", "restart", "epoch"),
});

describe("the newest state of each enclosure", () => {
  it("is right whatever comes in whatever pieces, again, after a restart and in a new epoch", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 10 }), async (steps) => {
        const folder = temporaryFolder();
        let intake = new Intake(folder);
        let device = new FakeDevice().open();
        let last = await device.batch();
        let receipt = await send(intake, device, last);
        const all: Said[] = [];
        for (const { said, next } of steps) {
          const firstSeq = device.leaves.length;
          for (const [input, state] of said) all.push({ input, state, timeMs: say(device, input, state) });
          last = await device.read(1).batch(next === "overlap" ? Math.max(0, firstSeq - 4) : firstSeq);
          receipt = await send(intake, device, last);
          if (next === "repeat") receipt = await send(intake, device, last);
          if (next === "restart") {
            await intake.store.close();
            intake = new Intake(folder);
          }
          if (next !== "epoch") continue;
          device = nextEpoch(device, receipt);
          receipt = await send(intake, device, await device.batch());
        }
        const shown = await intake.store.enclosures(KEY);
        expect(kept(shown).sort(byInput)).toEqual(searched(all).sort(byInput));
        await intake.store.close();
        expect(runFsck(intake.path, ALL).findings).toEqual([]);
      }),
      { numRuns: 15 },
    );
  }, 20_000);

  it("counts an opening once that a new epoch says again, because its receipt was lost", async () => {
    const intake = new Intake(temporaryFolder());
    atEnd(() => intake.store.close());
    const old = new FakeDevice().open();
    say(old, "lid", CLOSED);
    const receipt = await send(intake, old, await old.batch());
    const lost = [say(old, "lid", OPENED), say(old, "lid", CLOSED)];
    await send(intake, old, await old.batch());
    const device = nextEpoch(old, receipt);
    for (const [at, timeMs] of lost.entries())
      device.append({ kind: "tamper", input: "lid", state: at + 1, timeMs, timeQuality: 3 });
    await send(intake, device, await device.batch());
    const [repeated] = (await intake.store.enclosures(KEY)).inputs;
    expect(repeated).toMatchObject({ epoch: 2, state: CLOSED, openings: 1, sinceMs: lost[1] });
    const opened = say(device, "lid", OPENED);
    await send(intake, device, await device.batch());
    const [now] = (await intake.store.enclosures(KEY)).inputs;
    expect(now).toMatchObject({ state: OPENED, openings: 2, sinceMs: opened });
  });

  it("stays with the epoch that said it last where a later one says nothing", async () => {
    const intake = new Intake(temporaryFolder());
    atEnd(() => intake.store.close());
    const old = new FakeDevice().open();
    say(old, "lid", OPENED);
    const device = nextEpoch(old, await send(intake, old, await old.batch()));
    say(device, "door", CLOSED);
    await send(intake, device, await device.batch());
    expect((await intake.store.enclosures(KEY)).inputs).toMatchObject([
      { input: "door", epoch: 2, state: CLOSED },
      { input: "lid", epoch: 1, state: OPENED },
    ]);
  });
});

/** A store in which two epochs speak of enclosures, more of them than are kept. */
async function writtenStore(): Promise<{
  readonly folder: string;
  readonly path: string;
  readonly shown: Enclosures;
}> {
  const folder = temporaryFolder();
  const intake = new Intake(folder);
  const old = new FakeDevice().open();
  for (let at = 0; at < 10; at += 1) say(old, `input ${at}`, at % 2 === 0 ? OPENED : CLOSED);
  const device = nextEpoch(old, await send(intake, old, await old.read(2).batch()));
  for (const state of [CLOSED, OPENED, UNWATCHED]) say(device, "input 0", state);
  await send(intake, device, await device.read(2).batch());
  const shown = await intake.store.enclosures(KEY);
  expect(shown).toMatchObject({
    inputs: [{ input: "input 0", epoch: 2, openings: 2, knownOpen: 1 }, ...Array(7).fill({ epoch: 1 })],
    further: { inputs: 0, leaves: 2, opened: 1 },
  });
  await intake.store.close();
  return { folder, path: intake.path, shown };
}

/** The file as the schema before would have it. */
const OLDER = `DROP TABLE enclosure; DROP TABLE enclosure_further; DROP TABLE enclosure_backlog;
  PRAGMA user_version = 6`;

describe("a store of the schema before", () => {
  it("is read once when it is opened", async () => {
    const { folder, path, shown } = await writtenStore();
    const database = new Database(path);
    database.exec(OLDER);
    database.close();
    const { store } = new Intake(folder);
    expect(await store.enclosures(KEY)).toEqual(shown);
    await store.close();
    expect(runFsck(path, ALL).findings).toEqual([]);
  });

  it("is read as far as it is whole", async () => {
    const { folder, path } = await writtenStore();
    const database = new Database(path);
    database.exec(`${OLDER}; DELETE FROM batch WHERE log = 1`);
    database.close();
    const { inputs } = await openStore(folder).enclosures(KEY);
    expect(inputs).toMatchObject([{ input: "input 0", state: UNWATCHED, epoch: 2, openings: 1 }]);
  });
});

describe("fsck", () => {
  it("holds what is kept of enclosures against the leaves", async () => {
    const victim = new Victim((await writtenStore()).path);
    atEnd(() => victim.remove());
    expect(victim.first()).toBeUndefined();
    const first = 'table enclosure, log 1, input "input 1"';
    const cases = [
      ["UPDATE enclosure SET state = 1 WHERE input = 'input 1'", first],
      ["UPDATE enclosure SET seq = seq - 1 WHERE input = 'input 1'", first],
      ["UPDATE enclosure SET since_ms = since_ms + 1 WHERE input = 'input 1'", first],
      ["UPDATE enclosure SET known_open = NULL WHERE input = 'input 1'", first],
      ["UPDATE enclosure SET openings = 0 WHERE log = 2", 'table enclosure, log 2, input "input 0"'],
      ["UPDATE enclosure SET input = 'x' WHERE input = 'input 1'", 'table enclosure, log 1, input "x"'],
      ["DELETE FROM enclosure WHERE input = 'input 1'", first],
      ["UPDATE enclosure_further SET opened = 0", "table enclosure_further, log 1"],
      ["DELETE FROM enclosure_further", "table enclosure_further, log 1"],
    ] as const;
    for (const [change, where] of cases)
      expect([change, victim.damage(change).first()]).toEqual([change, ["fsck-index", where]]);
  });

  it("does not hold against it what the node still has to read", async () => {
    const victim = new Victim((await writtenStore()).path);
    atEnd(() => victim.remove());
    victim.damage("DELETE FROM enclosure", "INSERT INTO enclosure_backlog SELECT id FROM log");
    expect(victim.first()).toBeUndefined();
  });
});

describe("kilowitness admit enclosures", () => {
  it("lists them in words, and nothing that steers the terminal", async () => {
    const folder = temporaryFolder();
    const node = await runNode(folder);
    const { port } = new URL(node.httpUrl);
    const config = join(folder, "node.yaml");
    const files = `key: ${join(folder, "node.key")}\nstore: ${join(folder, "node.sqlite")}`;
    writeFileSync(
      config,
      `network: ${NETWORK}\n${files}\ndevices: open\nlisten: { port: 0 }\nhttp: { port: ${port} }\n`,
    );
    const list = async (...args: readonly string[]): Promise<string> => {
      const { out, err } = await runHere(admitCommand(), "enclosures", ...args, "--config", config);
      return out + err;
    };
    expect(await list()).toBe("no such enclosures\n");
    const device = new FakeDevice().open();
    for (let at = 0; at < 7; at += 1) say(device, `fan ${at}`, CLOSED);
    say(device, "lid\u001b[2J", OPENED);
    say(device, "lid\u001b[2J", UNWATCHED);
    say(device, "ninth", OPENED);
    const { client } = await Client.greeted(node.wsUrl, device.signer);
    await client.ask(await device.batch());
    const key = toHex(KEY);
    const since = new Date(START_MS + 9000).toISOString();
    const more = `and more   ${key}  0 further inputs; 1 entries of inputs that are not kept, 1 of them opened\n`;
    expect(await list("unwatched")).toBe(
      `unwatched  ${key}  lid?[2J  since ${since}, opened when last watched; opened 1 time\n${more}`,
    );
    expect(await list("opened")).toBe(more);
    expect((await list()).split("\n").filter((line) => line.startsWith("closed "))).toHaveLength(7);
    expect(JSON.parse(await list("unwatched", "--json"))).toMatchObject({
      devices: [{ key, enclosures: { inputs: [{ state: "unwatched" }], further: { opened: 1 } } }],
    });
  });
});
