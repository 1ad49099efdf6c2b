import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import Database from "better-sqlite3";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { logIdOf } from "../../attest/identity.ts";
import { nativeSuite } from "../../attest/native.ts";
import { fsck, nodeSigner, type Station, useStations } from "./journal/ledger-kit.ts";
import { meterReading, meterSource } from "./kit.ts";

const PAGE = 4096;
const station = useStations();

/** What SQLite remembers of the file is no longer what is in it, as for a file that is larger than the cache. */
function forget(path: string): void {
  const other = new Database(path);
  other.pragma("user_version = 3");
  other.close();
}

function change(path: string, damage: (bytes: Buffer) => Buffer | undefined): void {
  const bytes = readFileSync(path);
  writeFileSync(path, damage(bytes) ?? bytes);
}

/** Every page but the first. */
function scramble(one: Station): void {
  one.ledger.log.journal.foldIn();
  forget(one.path);
  change(one.path, (bytes) => bytes.fill(0x5a, PAGE));
}

/** The tables of the log stay whole; only what stands beside them is not. */
function damageNotes(path: string): void {
  const database = new Database(path, { readonly: true });
  const root = database
    .prepare("SELECT rootpage AS page FROM sqlite_schema WHERE name = 'note'")
    .pluck()
    .get();
  database.close();
  change(path, (bytes) => bytes.fill(0x5a, (Number(root) - 1) * PAGE, Number(root) * PAGE));
}

describe("a journal that is damaged while the agent runs", () => {
  it("is set aside, and the next epoch says why and begins with what was in memory", async () => {
    const one = station();
    one.read(30);
    await one.ledger.checkpoint();
    one.read(20).ledger.commit();
    one.read(7);
    scramble(one);
    one.ledger.tick();
    await one.settle();
    expect(one.epoch).toBe(2);
    expect(one.setAside()[0]).toBe("journal.sqlite.damaged");
    expect(one.leaves()[1]).toMatchObject({
      kind: "epochOpen",
      reason: "the journal was damaged and set aside",
    });
    // No node ever had the log: what was signed of it stands by itself, where it is.
    expect(one.registers()).toEqual(one.sealed.slice(30));
    expect(one.calls).toEqual(["epoch", "ready"]);
    expect(one.events()).toContain("journal-damaged");
    await one.read(10).ledger.checkpoint();
    expect(fsck(one.path)).toEqual([]);
  });

  it("keeps their own times for readings that are appended again, and closes their intervals", async () => {
    const one = station();
    await one.read(5).ledger.checkpoint();
    one.read(30);
    const times = (): unknown[] =>
      one.leaves().flatMap((leaf) => (leaf.kind === "reading" ? [[leaf.timeMs, leaf.importMwh]] : []));
    one.ledger.commit();
    const before = times().slice(5);
    scramble(one);
    one.time.advance(40_000);
    one.ledger.tick();
    await one.settle();
    expect(times()).toEqual(before);
    one.ledger.tick();
    const closes = one.leaves().flatMap((leaf) => (leaf.kind === "intervalClose" ? [leaf] : []));
    expect(closes.length).toBeGreaterThan(1);
    expect(closes.map(({ t1Ms }) => t1Ms % 60_000)).toEqual(closes.map(() => 0));
  });

  it("names the history that a node last receipted, and brings what it had not from the file", async () => {
    const one = station({ nodes: [nodeSigner.publicKey] });
    const receipted = await one.read(300).witness();
    const oldLogId = logIdOf(nativeSuite, one.ledger.log.identity);
    await one.read(700).ledger.checkpoint();
    one.read(9);
    const { journal } = one.ledger.log;
    journal.foldIn();
    // The tables of the log are whole; only what stands beside them is not.
    forget(one.path);
    damageNotes(one.path);
    one.ledger.commit({ snapshot: true });
    one.ledger.tick();
    await one.settle();
    expect(one.epoch).toBe(2);
    expect(one.leaves()[1]).toMatchObject({ kind: "epochOpen", oldLogId, oldSize: receipted });
    expect(one.registers()).toEqual(one.sealed.slice(300));
    expect(one.lines.find(({ event }) => event === "epoch-taken-over")).toMatchObject({ refused: 0 });
  });

  it("never takes over a leaf that no hash vouches for, and goes on behind it", async () => {
    const one = station({ nodes: [nodeSigner.publicKey] });
    await one.read(10).witness();
    await one.read(1200).ledger.checkpoint();
    one.ledger.log.journal.foldIn();
    forget(one.path);
    // A register in the middle of the log becomes another one: it is still a leaf, and SQLite sees nothing.
    const wrong = one.sealed[600] ?? 0;
    const from = Buffer.alloc(4);
    from.writeUInt32BE(wrong);
    change(one.path, (bytes) => {
      const at = bytes.indexOf(from);
      expect(at).toBeGreaterThan(0);
      bytes[at + 1] = (bytes[at + 1] ?? 0) ^ 1;
      return bytes;
    });
    for (let tick = 0; one.epoch === 1 && tick < 20; tick++) one.ledger.tick();
    await one.settle();
    expect(one.epoch).toBe(2);
    expect(one.setAside()).toEqual([]);
    const taken = one.registers();
    expect(taken.filter((register) => !one.sealed.includes(register))).toEqual([]);
    const lost = one.sealed.slice(10).filter((register) => !taken.includes(register));
    expect(lost).toContain(wrong);
    expect(lost.length).toBeLessThanOrEqual(256);
    const breaks = one.leaves().filter((leaf) => leaf.kind === "discontinuity");
    expect(breaks).toHaveLength(1);
    await one.read(3).ledger.checkpoint();
  });

  it("is opened again, not set aside, where only the device failed for a moment", () => {
    const one = station();
    one.read(30).ledger.commit();
    one.read(4);
    one.ledger.log.journal.blame(new Database.SqliteError("disk I/O error", "SQLITE_IOERR_READ"));
    one.ledger.tick();
    expect(one.epoch).toBe(1);
    expect(one.setAside()).toEqual([]);
    expect(one.registers()).toEqual(one.sealed);
    expect(one.events()).toContain("journal-reopened");
    expect(fsck(one.path)).toEqual([]);
  });

  it("is set aside when it opens again and is not what it was", async () => {
    const one = station();
    await one.read(30).ledger.checkpoint();
    one.read(20).ledger.commit();
    one.ledger.log.journal.foldIn();
    const other = new Database(one.path);
    other.exec("DELETE FROM leaf WHERE seq > (SELECT max(seq) - 5 FROM leaf)");
    other.close();
    one.ledger.log.journal.blame(new Database.SqliteError("disk I/O error", "SQLITE_IOERR_FSYNC"));
    one.ledger.tick();
    await one.settle();
    expect(one.epoch).toBe(2);
    expect(one.setAside()).not.toEqual([]);
    expect(one.registers()).toEqual(one.sealed.slice(30));
  });

  it("says so and keeps sampling into memory while no file can be made, and goes on by itself when one can", async () => {
    const one = station();
    await one.read(10).ledger.checkpoint();
    const folder = dirname(one.path);
    one.ledger.log.journal.foldIn();
    one.ledger.log.journal.blame(new Database.SqliteError("disk I/O error", "SQLITE_IOERR_READ"));
    // The card is gone.
    renameSync(folder, `${folder}-away`);
    for (let tick = 0; tick < 5; tick++) {
      one.read(3).ledger.tick();
      expect(one.ledger.status()).toMatchObject({
        state: "lost",
        problem: expect.stringContaining(one.path),
      });
    }
    expect(one.events().filter((event) => event === "journal-lost")).toHaveLength(1);
    await expect(one.ledger.checkpoint()).rejects.toThrow();
    // Another card, empty.
    mkdirSync(folder);
    one.ledger.tick();
    await one.settle();
    rmSync(`${folder}-away`, { recursive: true });
    expect(one.ledger.status().state).toBe("ok");
    expect(one.events()).toContain("journal-lost-over");
    expect(one.registers()).toEqual(one.sealed.slice(10));
  });

  it("slows sampling while memory fills, and refuses in the end, but never before it is full", () => {
    const one = station();
    one.read(1).ledger.commit();
    one.ledger.log.journal.blame(new Database.SqliteError("disk I/O error", "SQLITE_IOERR_READ"));
    const folder = dirname(one.path);
    renameSync(folder, `${folder}-away`);
    const paces: number[] = [];
    const { sealer } = one.ledger;
    const channel = sealer.channel(meterSource());
    const fill = (): void => {
      for (let i = 0; i < 2000; i++) {
        one.time.advance(1000);
        one.importMwh += 1;
        sealer.sealReading(channel, meterReading(one.importMwh));
      }
    };
    for (let round = 0; round < 9; round++) {
      fill();
      one.ledger.tick();
      paces.push(one.ledger.pace);
    }
    expect(paces).toEqual(paces.toSorted((a, b) => a - b));
    expect(paces[0]).toBe(1);
    expect(paces.at(-1)).toBeGreaterThan(1);
    expect(fill).toThrow(expect.objectContaining({ code: "journal-stuck" }));
    one.ledger.tick();
    expect(one.ledger.pace).toBe(0);
    renameSync(`${folder}-away`, folder);
  });
});

describe("a journal that is damaged when the agent starts", () => {
  it("takes over again what an epoch that was never signed had begun to take over", async () => {
    const nodes = [nodeSigner.publicKey];
    const one = station({ nodes });
    await one.read(10).witness();
    await one.read(20).ledger.checkpoint();
    const { path, time } = one;
    one.close();
    writeFileSync(`${path}.epoch`, "3\n");
    const two = station({ path, time, nodes });
    expect(two.epoch).toBe(4);
    two.ledger.log.journal.foldIn();
    two.cut();
    damageNotes(path);
    const three = await station({ path, time, nodes }).settle();
    expect(three.epoch).toBe(5);
    expect(three.registers()).toEqual(one.sealed.slice(10));
  });

  it("never takes the place of one that was set aside before", async () => {
    const one = station();
    await one.read(10).ledger.checkpoint();
    one.close();
    for (let time = 0; time < 3; time++) {
      change(one.path, (bytes) => bytes.fill(0x5a, PAGE));
      station({ path: one.path, time: one.time }).close();
    }
    expect(one.setAside().filter((name) => !name.includes("-wal") && !name.includes("-shm"))).toHaveLength(3);
  });

  it("keeps the write-ahead log of a file that was being set aside when the power went", () => {
    const one = station();
    one.read(10).ledger.commit();
    const wal = readFileSync(`${one.path}-wal`);
    one.close();
    renameSync(one.path, join(dirname(one.path), "moved"));
    writeFileSync(`${one.path}-wal`, wal);
    const next = station({ path: one.path, time: one.time });
    expect(next.epoch).toBe(2);
    const kept = next.setAside().filter((name) => name.endsWith("-wal"));
    expect(kept).toHaveLength(1);
  });

  it("is either found out or has every leaf that was signed, whatever page or length changes", async () => {
    const original = station({ nodes: [nodeSigner.publicKey] });
    const receipted = await original.read(700).witness();
    await original.read(350).ledger.checkpoint();
    original.read(20).close();
    const bytes = readFileSync(original.path);
    const leaves = fileLeaves(original.path);
    const runs = { whole: 0, next: 0 };
    const check = async (one: Station): Promise<void> => {
      for (let tick = 0; tick < 3; tick++) one.ledger.tick();
      await one.settle();
      one.importMwh = original.importMwh;
      one.read(5);
      await one.ledger.checkpoint();
      runs[one.epoch === 1 ? "whole" : "next"] += 1;
      if (one.epoch === 1)
        expect(sent(one, receipted).slice(0, leaves.length - receipted)).toEqual(leaves.slice(receipted));
      // What the next epoch took over was really sealed.
      const real = original.sealed.concat(one.sealed);
      if (one.epoch > 1) expect(one.registers().filter((register) => !real.includes(register))).toEqual([]);
    };
    const pages = bytes.length / PAGE;
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: pages - 1 }),
        fc.constantFrom("page", "byte", "cut", "zero"),
        fc.integer({ min: 0, max: PAGE - 1 }),
        async (page, kind, at) => {
          writeFileSync(original.path, damaged(bytes, { page, kind, at }));
          writeFileSync(`${original.path}.epoch`, "1\n");
          const one = station({ path: original.path, time: original.time, nodes: [nodeSigner.publicKey] });
          try {
            await check(one);
          } finally {
            one.close();
            for (const suffix of ["", "-wal", "-shm"]) rmSync(original.path + suffix, { force: true });
          }
        },
      ),
      { numRuns: Number(process.env["RUNS"] ?? 30), seed: Number(process.env["SEED"] ?? 7) },
    );
    expect(runs.next).toBeGreaterThan(5);
  });

  function fileLeaves(path: string): string[] {
    const database = new Database(path, { readonly: true });
    const rows = database.prepare("SELECT bytes FROM leaf ORDER BY seq").pluck().all() as Buffer[];
    database.close();
    return rows.map((row) => row.toString("hex"));
  }

  /** The leaves as a node would be sent them that has the first `from` of them. */
  function sent({ ledger, epoch }: Station, from: number): string[] {
    const { journal } = ledger.log;
    const all: string[] = [];
    for (let batch = journal.batchAfter(epoch, from, 64); batch !== undefined; ) {
      const each = journal.leaves(epoch, batch.firstSeq, batch.size);
      all.push(...each.map((leaf) => Buffer.from(leaf).toString("hex")));
      batch = journal.batchAfter(epoch, batch.size, 64);
    }
    return all;
  }
});

function damaged(
  bytes: Buffer,
  { page, kind, at }: { readonly page: number; readonly kind: string; readonly at: number },
): Buffer {
  const copy = Buffer.from(bytes);
  const from = page * PAGE;
  if (kind === "cut") return copy.subarray(0, from + at);
  if (kind === "page") copy.fill(0xa5, from, from + PAGE);
  else if (kind === "zero") copy.fill(0, from, from + PAGE);
  else copy[from + at] = (copy[from + at] ?? 0) ^ 0x10;
  return copy;
}
