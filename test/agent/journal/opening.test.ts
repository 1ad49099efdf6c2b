import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Journal } from "../../../agent/journal/journal.ts";
import { toHex } from "../../../attest/bytes.ts";
import { decodeLeaf } from "../../../attest/leaf-codec.ts";
import { RULE_VERSION } from "../../../attest/receipt.ts";
import { openDatabase } from "../../../runtime/database.ts";
import { testSigner } from "../../kit/log-builder.ts";
import { eventually } from "../../kit/programs.ts";
import { FakeTime, meterReading, meterSource, temporaryFolder } from "../kit.ts";
import { fsck, nodeSigner, type Station, useStations } from "./ledger-kit.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const SCHEMA = 3;
const FIRST = "CREATE TABLE t (a INTEGER PRIMARY KEY)";
const nodes = [nodeSigner.publicKey];

describe("a journal's schema", () => {
  let path = "";
  let remove = (): void => undefined;
  beforeEach(() => {
    const made = temporaryFolder();
    path = join(made.folder, "journal.sqlite");
    remove = made.remove;
  });
  afterEach(() => remove());

  function pragma(name: string): unknown {
    const database = new Database(path);
    const value = database.pragma(name, { simple: true });
    database.close();
    return value;
  }

  it("is the newest, in a file that can be shrunk", () => {
    new Journal(path).close();
    expect(["user_version", "auto_vacuum", "page_size"].map(pragma)).toEqual([SCHEMA, 2, 4096]);
  });

  it("is refused in one line where a newer version wrote it, and left alone", () => {
    new Journal(path).close();
    const database = new Database(path);
    database.pragma(`user_version = ${SCHEMA + 1}`);
    database.close();
    const before = readFileSync(path);
    expect(() => new Journal(path)).toThrow(/^[^\n]*written by a newer version[^\n]*got schema 4[^\n]*$/);
    expect(readFileSync(path)).toEqual(before);
  });

  it("is the old one when the program is killed while it migrates", async () => {
    const open = (migrations: readonly string[]): void => {
      openDatabase({ path, migrations, maxBytes: 1_048_576 }).close();
    };
    open([FIRST]);
    const slow = `CREATE TABLE late (a);
      INSERT INTO late WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(i) FROM n`;
    const script = `import { openDatabase } from "./runtime/database.ts";
      openDatabase({ path: ${JSON.stringify(path)}, migrations: ${JSON.stringify([FIRST, "CREATE TABLE u (a)", slow])},
        maxBytes: 1048576 });`;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", script], { cwd: ROOT });
    try {
      const other = new Database(path, { timeout: 0 });
      await eventually("the migration to begin", 25_000, () => isWritten(other) || undefined);
      other.close();
    } finally {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    expect(pragma("user_version")).toBe(1);
    const database = new Database(path);
    expect(database.prepare("SELECT name FROM sqlite_schema ORDER BY name").pluck().all()).toEqual(["t"]);
    database.close();
    open([FIRST, "CREATE TABLE u (a)"]);
    expect(pragma("user_version")).toBe(2);
  });

  /** Whether somebody else is within a transaction that writes. */
  function isWritten(database: Database.Database): boolean {
    try {
      database.exec("BEGIN IMMEDIATE");
      database.exec("ROLLBACK");
      return false;
    } catch {
      return true;
    }
  }
});

describe("an epoch that follows another one", () => {
  const station = useStations();

  function receiptOf(one: Station, size: number): Parameters<Station["receipt"]>[0] {
    const { manifestHash } = one.ledger.sealer.rules;
    const root = one.ledger.sealer.rules.root();
    return { manifestHash, size, root, receivedAtMs: one.time.wall, ruleVersion: RULE_VERSION };
  }

  function reading(one: Station): { readonly timeMs: number; readonly importMwh?: number }[] {
    return one.leaves().flatMap((leaf) => (leaf.kind === "reading" ? [leaf] : []));
  }

  it("takes over what no node has, with its own times, flexibility, clock steps and breaks among it", async () => {
    const one = station({ nodes });
    await one.read(20).witness();
    const from = one.ledger.sealer.rules.size;
    one.read(10);
    const channel = one.ledger.sealer.channel(meterSource());
    one.ledger.sealer.sealFlexibility(channel, {
      ...{ channel: "grid", available: true, stateOfChargePpm: 5, evidence: new Uint8Array(32).fill(9) },
    });
    one.time.advance(600_000);
    one.read(3);
    const instant = one.ledger.sealer.clock.now();
    one.ledger.sealer.stepClock({
      before: instant,
      after: { ...instant, timeMs: instant.timeMs + 7_200_000 },
    });
    one.ledger.sealer.clock.at({ ...instant, timeMs: instant.timeMs + 7_201_000 }, () => {
      one.ledger.sealer.channel(meterSource("B2"));
      one.ledger.sealer.sealReading(channel, meterReading(77));
    });
    one.ledger.commit();
    const told = (kinds: readonly string[]): unknown[] =>
      one.leaves().flatMap(({ seq, salt: _, ...leaf }) => {
        if (!kinds.includes(leaf.kind) || (one.epoch === 1 && seq < from)) return [];
        const {
          manifestSeq: _m,
          manifestHash: _h,
          previousDiscontinuitySeq: _p,
          ...rest
        } = {
          ...{ manifestSeq: 0, manifestHash: 0, previousDiscontinuitySeq: 0 },
          ...leaf,
        };
        return [rest];
      });
    const carried = ["reading", "flexibility", "clockStep", "discontinuity"];
    const before = told(carried);
    one.ledger.nextEpoch({ epoch: 2, reason: "test" });
    await one.settle();
    expect(one.epoch).toBe(2);
    expect(told(carried)).toEqual(before);
    // The log does not begin after what it says first.
    expect(one.leaves()[0]?.timeMs).toBeLessThanOrEqual(reading(one)[0]?.timeMs ?? 0);
    expect(one.lines.find(({ event }) => event === "epoch-taken-over")).toMatchObject({ refused: 0 });
    expect(fsck(one.path)).toEqual([]);
  });

  it("takes over without what is of now between, in pieces, and each leaf once, wherever the power goes", async () => {
    const time = new FakeTime();
    let one = station({ nodes, time });
    await one.read(10).witness();
    one.read(5000).ledger.commit();
    const sealed = one.sealed.slice(10);
    const { path } = one;
    one.ledger.nextEpoch({ epoch: 2, reason: "test" });
    expect(() => one.read(1)).toThrow(expect.objectContaining({ code: "log-takes-over" }));
    let cuts = 0;
    for (; one.ledger.status().state === "takes-over"; cuts++) {
      await new Promise((resolve) => setImmediate(resolve));
      expect(one.ledger.pace).toBe(one.ledger.status().state === "takes-over" ? 0 : 1);
      one.cut();
      one = station({ nodes, time, path });
    }
    expect(cuts).toBeGreaterThan(4);
    expect(one.epoch).toBe(2);
    expect(one.registers()).toEqual(sealed);
    expect(one.ledger.log.journal.carry()).toBeUndefined();
    expect(fsck(path)).toEqual([]);
  });

  it("does without a node that was taken out of the configuration, and says so", async () => {
    const other = testSigner(0xb);
    const one = station({ nodes: [...nodes, other.publicKey] });
    await one.receipt(receiptOf(one, await one.read(5).ledger.checkpoint()), other);
    await one.read(5).witness();
    one.read(4).ledger.commit();
    one.close();
    const two = await station({ path: one.path, time: one.time, nodes }).settle();
    expect(two.epoch).toBe(2);
    const [, open] = two.leaves();
    expect(open).toMatchObject({
      ...{ kind: "epochOpen", oldSize: one.ledger.log.journal === undefined ? 0 : expect.any(Number) },
      reason: `node ${toHex(other.publicKey)} was taken out of the configuration`,
    });
    expect(two.registers()).toEqual(one.sealed.slice(10));
    two.close();
    // Once is enough.
    expect(station({ path: one.path, time: one.time, nodes }).epoch).toBe(2);
  });

  it("does without a node that is silent, in that epoch and not in the next one", async () => {
    const one = station({ nodes });
    await one.read(5).witness();
    expect(one.ledger.nodesToAsk()).toEqual(nodes);
    one.ledger.passOver(nodes, "node is silent");
    await one.settle();
    expect(one.epoch).toBe(2);
    expect(one.ledger.nodesToAsk()).toEqual([]);
    one.read(3).close();
    const two = station({ path: one.path, time: one.time, nodes });
    expect(two.ledger.nodesToAsk()).toEqual([]);
    two.ledger.nextEpoch({ epoch: 3, reason: "test" });
    await two.settle();
    expect(two.ledger.nodesToAsk()).toEqual(nodes);
    expect(fsck(one.path)).toEqual([]);
  });

  it("takes over from a journal that was put back from a copy", async () => {
    const one = station({ nodes });
    await one.read(10).witness();
    one.read(20).close();
    writeFileSync(`${one.path}.epoch`, "3\n");
    const two = await station({ path: one.path, time: one.time, nodes }).settle();
    expect(two.epoch).toBe(4);
    expect(two.leaves()[1]).toMatchObject({ reason: "the journal is older than its epoch file" });
    const journal = new Journal(one.path, "reader");
    const old = journal.leaves(1, 0, journal.size(1)).map((bytes) => decodeLeaf(bytes));
    journal.close();
    const held = old.flatMap((leaf) => (leaf.kind === "reading" ? [leaf.importMwh] : []));
    expect(two.registers()).toEqual(held.slice(10));
  });
});
