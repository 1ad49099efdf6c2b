import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, it } from "vitest";
import { bootOf, noteBoot } from "../../agent/journal/boot-count.ts";
import { openCheckpoint } from "../../attest/checkpoint.ts";
import { nativeSuite } from "../../attest/native.ts";
import { RULE_VERSION, signReceipt } from "../../attest/receipt.ts";
import type { LocalSigner } from "../../attest/signature.ts";
import { type FsckOptions, type FsckResult, runFsck } from "../../bin/fsck/run.ts";
import { testSigner } from "../kit/log-builder.ts";
import { Home } from "./epochs-kit.ts";
import { type Bench, meterSource, START_MS } from "./kit.ts";

/** What one cell of a table holds. */
export type Cell = number | string | null | Buffer;
export type Cells = Readonly<Record<string, Cell>>;

export const ALL: FsckOptions = { deviceKeys: [], nodeKeys: [], most: 100 };
export const FIRST: FsckOptions = { ...ALL, most: 1 };
export const otherNode: LocalSigner = testSigner(0xb);

/** A file of either kind that may be damaged at will: each copy is fresh. */
export class Victim {
  readonly folder: string;
  readonly path: string;
  readonly #whole: ReadonlyMap<string, Buffer>;

  /** @param path a closed database; what stands beside it by the name of `besides` is copied, too */
  constructor(path: string, besides: readonly string[] = [".epoch"]) {
    this.folder = mkdtempSync(join(tmpdir(), "kw-fsck-"));
    this.path = join(this.folder, "victim.sqlite");
    const names = ["", ...besides.filter((suffix) => existsSync(path + suffix))];
    this.#whole = new Map(names.map((suffix) => [suffix, readFileSync(path + suffix)]));
    this.heal();
  }

  /** The undamaged bytes of the database. */
  get bytes(): Buffer {
    return Buffer.from(this.#whole.get("") ?? []);
  }

  /** As it was before all damage. */
  heal(): this {
    for (const suffix of ["", "-wal", "-shm", ".epoch", ".lock"]) rmSync(this.path + suffix, { force: true });
    for (const [suffix, bytes] of this.#whole) writeFileSync(this.path + suffix, bytes);
    return this;
  }

  /** These bytes instead of the database. */
  write(bytes: Uint8Array): this {
    this.heal();
    writeFileSync(this.path, bytes);
    return this;
  }

  /** Runs SQL on a fresh copy; each must change something. In it `flip(value, at)` changes the last bit of a byte. */
  damage(...changes: readonly (string | readonly [string, ...Cell[]])[]): this {
    this.heal();
    this.open((database) => {
      for (const change of changes) {
        const [sql, ...values] = typeof change === "string" ? [change] : change;
        expect([sql, database.prepare(sql).run(...values).changes > 0]).toEqual([sql, true]);
      }
    });
    return this;
  }

  open<T>(work: (database: Database.Database) => T): T {
    const database = new Database(this.path);
    database.pragma("foreign_keys = OFF");
    database.pragma("ignore_check_constraints = ON");
    database.function("flip", (value, at) => flippedCell(value as Cell, Number(at)));
    try {
      return work(database);
    } finally {
      database.close();
    }
  }

  rows(table: string): Cells[] {
    return this.open((database) => database.prepare(`SELECT * FROM ${table}`).all() as Cells[]);
  }

  /** Checks the file, and that this does not change it. */
  check(options: FsckOptions = ALL): FsckResult {
    const before = readFileSync(this.path);
    const result = runFsck(this.path, options);
    expect(readFileSync(this.path).equals(before)).toBe(true);
    return result;
  }

  /** The code of the first finding and where it is; undefined for a file that is consistent. */
  first(options: FsckOptions = FIRST): readonly [string, string] | undefined {
    const [finding] = this.check(options).findings;
    return finding && [finding.code, finding.detail.where ?? ""];
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** What is changed, the code of the first finding, and what stands in its place. */
export type DamageCase = readonly [change: string, code: string, where: string];

/** A test for each damage: the first finding is the one that is named. */
export function itNames(what: string, cases: readonly DamageCase[], victim: () => Victim): void {
  it.each(cases)(`${what}, %s`, (change, code, where) => {
    expect(victim().damage(change).first()).toEqual([code, expect.stringContaining(where)]);
  });
}

/** A test for each change: nothing is found. */
export function itPasses(what: string, changes: readonly string[], victim: () => Victim): void {
  it.each(changes)(`${what}, %s`, (change) => {
    expect(victim().damage(change).first()).toBeUndefined();
  });
}

function flippedCell(value: Cell, at: number): Cell {
  if (typeof value === "string") return flipped(Buffer.from(value), at).toString();
  return value instanceof Buffer ? flipped(value, at) : null;
}

/** One bit of a byte string changed. */
export function flipped(bytes: Uint8Array, at: number, bit = 0): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ (1 << bit);
  return copy;
}

/** Every row of every table, as text; `seen` leaves out of a row what nothing vouches for. */
export function dump(path: string, seen: (table: string, row: Cells) => Cells): string {
  const database = new Database(path, { readonly: true });
  try {
    const tables = database
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
      .pluck();
    return (tables.all() as string[])
      .flatMap((table) => {
        const rows = database.prepare(`SELECT * FROM "${table}"`).all() as Cells[];
        return rows.map((row) => `${table} ${JSON.stringify(seen(table, row))}`).sort();
      })
      .join("\n");
  } finally {
    database.close();
  }
}

/**
 * A journal as an agent writes it: two epochs, receipts of two nodes and their anchors, a checkpoint without a receipt,
 * a clock that went back, another meter, flexibility, and leaves behind the last checkpoint.
 */
export async function writtenJournal(folder: string): Promise<string> {
  const home = new Home(folder);
  noteBoot(home.bench.log, bootOf(home.bench.log));
  await home.read(20).stateFlexibility(500_000).witness();
  await home.read(270).sign();
  home.close();
  home.time.wall -= 3_600_000;
  home.open().meter = meterSource("B2");
  await home.read(20).stateFlexibility(400_000).witness();
  home.read(3).nextEpoch();
  await home.read(30).stateFlexibility(300_000).witness();
  await receiptOf(otherNode, home.bench);
  await home.read(20).sign();
  home.read(4);
  home.bench.sealer.commit({ snapshot: true });
  home.close();
  return home.journal;
}

/** The first and the last leaf that a finding is about. */
export function leavesOf(where: string): readonly [number, number] {
  const [, from, to] = /leaves (\d+) to (\d+)/.exec(where) ?? /seq (\d+)/.exec(where) ?? [];
  return [Number(from), Number(to ?? from)];
}

/** A receipt of another node over the newest checkpoint; its anchor would be the second one, and is left out. */
async function receiptOf(node: LocalSigner, { log }: Bench): Promise<void> {
  const { journal, identity, rules } = log;
  const { bytes, size } = journal.lastCheckpoint(identity.epoch) ?? { bytes: new Uint8Array(0), size: 0 };
  const { deviceKey } = identity;
  const { manifestHash, root } = openCheckpoint(nativeSuite, bytes, { deviceKey, logId: rules.logId });
  const receipt = { manifestHash, size, root, receivedAtMs: START_MS, ruleVersion: RULE_VERSION };
  const signed = await signReceipt(node, receipt);
  journal.addReceipt(identity.epoch, { nodeKey: node.publicKey, size, bytes: signed });
}
