import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Journal } from "../../agent/journal/journal.ts";
import { journalTree } from "../../agent/journal/proof-source.ts";
import { concatBytes, toHex } from "../../attest/bytes.ts";
import { nativeSuite } from "../../attest/native.ts";
import { rangeHash } from "../../attest/node-source.ts";
import { Frontier, leafHash } from "../../attest/tree.ts";
import { type Bench, openBench, sealReadings, temporaryFolder } from "./kit.ts";

const nodeKey = new Uint8Array(32).fill(9);

describe("journal", () => {
  let path = "";
  let remove = (): void => undefined;
  let bench: Bench;

  beforeEach(() => {
    const made = temporaryFolder();
    path = join(made.folder, "journal.sqlite");
    remove = made.remove;
    bench = openBench(path);
  });
  afterEach(() => {
    bench.log.journal.close();
    remove();
  });

  function contents(): Record<string, string> {
    const folder = join(path, "..");
    // The index of the write-ahead log holds the readers' marks and is rebuilt at will.
    const files = readdirSync(folder).filter((name) => !name.endsWith("-shm"));
    return Object.fromEntries(files.map((name) => [name, readFileSync(join(folder, name)).toString("hex")]));
  }

  it("shows another connection what a commit returned for, and nothing that still waits", () => {
    sealReadings(bench, 10);
    bench.sealer.commit();
    const committed = bench.sealer.rules.size;
    sealReadings(bench, 3);
    expect(bench.sealer.rules.size).toBe(committed + 3);
    const reader = new Journal(path, "reader");
    expect(reader.size(1)).toBe(committed);
    expect(reader.leaves(1, 0, committed)).toHaveLength(committed);
    reader.close();
  });

  it("writes a whole commit or nothing of it", () => {
    sealReadings(bench, 2);
    bench.sealer.commit();
    const { journal, identity } = bench.log;
    const size = journal.size(1);
    const [bytes] = journal.leaves(1, 0, 1);
    if (bytes === undefined) throw new Error("the log has no manifest");
    const { timeMs, timeQuality } = bench.sealer.rules.lastTime;
    const leaf = (seq: number) => ({
      leaf: { kind: "epochOpen", seq, timeMs, timeQuality, salt: new Uint8Array(16), reason: "" } as const,
      bytes,
    });
    const both = { epoch: identity.epoch, leaves: [leaf(size), leaf(0)], subtrees: [], notes: { a: "b" } };
    expect(() => journal.commit(both)).toThrow("UNIQUE");
    expect(journal.size(1)).toBe(size);
    expect(journal.note("a")).toBeUndefined();
  });

  it("hands out batches that end at checkpoints: as many as fit, and always one", async () => {
    const sizes: number[] = [];
    for (const count of [3, 4, 50]) {
      sealReadings(bench, count);
      sizes.push(await bench.sealer.checkpoint());
    }
    sealReadings(bench, 5);
    bench.sealer.commit();
    const [first = 0, second = 0, third = 0] = sizes;
    const { journal } = bench.log;
    const batch = (from: number, most: number): { from: number; to: number } | undefined => {
      const found = journal.batchAfter(1, from, most);
      if (found === undefined) return undefined;
      expect(toHex(found.leaves)).toBe(toHex(concatBytes(...journal.leaves(1, from, found.size))));
      expect(found.checkpoint).toEqual(new Uint8Array(journal.checkpointAt(1, found.size) ?? []));
      return { from: found.firstSeq, to: found.size };
    };
    expect(batch(0, 1000)).toEqual({ from: 0, to: third });
    expect(batch(0, second)).toEqual({ from: 0, to: second });
    expect(batch(0, second - 1)).toEqual({ from: 0, to: first });
    // No checkpoint within reach: the next one, however far.
    expect(batch(0, 1)).toEqual({ from: 0, to: first });
    expect(batch(second, 1)).toEqual({ from: second, to: third });
    expect(batch(1, 1000)).toEqual({ from: 1, to: third });
    // What is durable and not signed is not for sending.
    expect(batch(third, 1000)).toBeUndefined();
    expect(journal.batchAfter(2, 0, 1000)).toBeUndefined();
  });

  it("keeps each node's receipt of a size once", () => {
    const { journal } = bench.log;
    const receipt = { nodeKey, size: 7, bytes: Uint8Array.of(1, 2, 3) };
    expect(journal.addReceipt(1, receipt)).toBe(true);
    expect(journal.addReceipt(1, receipt)).toBe(false);
    // The first one stands: the log may have an anchor that names its hash.
    const later = { ...receipt, bytes: Uint8Array.of(4) };
    expect(journal.addReceipt(1, later)).toBe(false);
    expect(journal.receiptByHash(nativeSuite.sha256(receipt.bytes))).toEqual(receipt.bytes);
    expect(journal.receiptByHash(nativeSuite.sha256(later.bytes))).toBeUndefined();
    const otherNode = new Uint8Array(32).fill(8);
    expect(journal.addReceipt(1, { ...receipt, nodeKey: otherNode })).toBe(true);
    expect(journal.addReceipt(1, { ...receipt, size: 9 })).toBe(true);
    expect(journal.receiptedSize(1, nodeKey)).toBe(9);
    expect(journal.receiptedSize(2, nodeKey)).toBe(0);
    expect(journal.receiptNodes().map(toHex).sort()).toEqual([otherNode, nodeKey].map(toHex));
  });

  it("is not changed by a reader, who cannot write either", async () => {
    sealReadings(bench, 300);
    await bench.sealer.checkpoint();
    const before = contents();
    const reader = new Journal(path, "reader");
    expect(reader.size(1)).toBeGreaterThan(300);
    expect(reader.recentCloseSeqs(1, 5)).toHaveLength(5);
    rangeHash(journalTree(reader, 1), 0, reader.size(1));
    expect(() => reader.addReceipt(1, { nodeKey, size: 1, bytes: new Uint8Array(1) })).toThrow("readonly");
    expect(() => reader.commit({ epoch: 1, leaves: [], subtrees: [], notes: { a: "b" } })).toThrow(
      "readonly",
    );
    reader.close();
    expect(contents()).toEqual(before);
  });

  it("stands still for a reader who looks at it at once, while its owner goes on", () => {
    bench.sealer.commit();
    const reader = new Journal(path, "reader");
    const sizes = reader.atOnce(() => {
      const before = reader.size(1);
      sealReadings(bench, 5);
      bench.sealer.commit();
      return [before, reader.size(1)];
    });
    expect(sizes[1]).toBe(sizes[0]);
    expect(reader.size(1)).toBe(bench.sealer.rules.size);
    expect(reader.size(1)).toBeGreaterThan(sizes[0] ?? 0);
    reader.close();
  });

  it("has one owner at a time, and readers beside it", () => {
    bench.sealer.commit();
    expect(() => new Journal(path)).toThrow(expect.objectContaining({ code: "database-locked" }));
    const reader = new Journal(path, "reader");
    sealReadings(bench, 1);
    bench.sealer.commit();
    expect(reader.size(1)).toBe(bench.sealer.rules.size);
    reader.close();
    bench.log.journal.close();
    new Journal(path).close();
    bench = openBench(path);
  });

  it("brings a journal of the first schema up to date, with what it holds", () => {
    sealReadings(bench, 100);
    bench.sealer.commit();
    const span = { channel: 1, fromMs: 0, toMs: bench.time.wall };
    const closes = bench.log.journal.closeSeqs(1, span);
    expect(closes.length).toBeGreaterThan(5);
    bench.log.journal.close();
    const old = new Database(path);
    for (const later of ["flexibility", "released", "carry", "passed_over"]) old.exec(`DROP TABLE ${later}`);
    old.pragma("user_version = 1");
    old.close();
    bench = openBench(path, { time: bench.time });
    const { journal } = bench.log;
    expect(journal.closeSeqs(1, span)).toEqual(closes);
    const evidence = new Uint8Array(32);
    bench.sealer.sealFlexibility(1, { channel: "grid", available: true, evidence });
    bench.sealer.commit();
    const reach = { epoch: 1, channel: 1, size: journal.size(1) };
    const found = { seq: journal.size(1) - 1, ms: bench.time.wall };
    expect(journal.flexibility("before", reach, bench.time.wall)).toEqual(found);
    expect(journal.flexibility("before", reach, bench.time.wall - 1)).toBeUndefined();
    expect(journal.flexibility("after", reach, bench.time.wall - 1)).toEqual(found);
    expect(journal.flexibility("before", { ...reach, size: found.seq }, bench.time.wall)).toBeUndefined();
  });

  it("stores subtrees from which the tree has the root of all leaves", () => {
    sealReadings(bench, 700);
    bench.sealer.commit();
    const { journal } = bench.log;
    const size = journal.size(1);
    const frontier = new Frontier(nativeSuite);
    for (const bytes of journal.leaves(1, 0, size)) frontier.append(leafHash(nativeSuite, bytes));
    expect(journal.subtree(1, 1)).toHaveLength(32);
    expect(journal.subtree(1, Math.floor(size / 256))).toBeUndefined();
    expect(rangeHash(journalTree(journal, 1), 0, size)).toEqual(frontier.root());
    expect(bench.sealer.rules.root()).toEqual(frontier.root());
  });
});
