import { readFileSync } from "node:fs";
import type { Statement } from "better-sqlite3";
import { concatBytes } from "../../attest/bytes.ts";
import type { Leaf } from "../../attest/leaf.ts";
import { nativeSuite } from "../../attest/native.ts";
import { STORED_SUBTREE_LEAVES } from "../../attest/node-source.ts";
import { openDatabaseForReading, type SqliteDatabase } from "../../runtime/database.ts";
import { type OwnedDatabase, openOwnedDatabase } from "../../runtime/database-lock.ts";
import { readStatements } from "../../runtime/sql.ts";
import { indexRow } from "./index-row.ts";

/** A leaf on its way into the journal. */
export interface SealedLeaf {
  readonly leaf: Leaf;
  readonly bytes: Uint8Array;
}

/** Leaves and the checkpoint that covers them, as the uplink sends them. */
export interface JournalBatch {
  readonly firstSeq: number;
  readonly size: number;
  readonly leaves: Uint8Array;
  readonly checkpoint: Uint8Array;
}

/** What one commit writes, all or nothing. */
export interface Commit {
  readonly epoch: number;
  readonly leaves: readonly SealedLeaf[];
  readonly subtrees: readonly { readonly position: number; readonly hash: Uint8Array }[];
  readonly notes: Readonly<Record<string, string>>;
}

export interface StoredReceipt {
  readonly nodeKey: Uint8Array;
  readonly size: number;
  readonly bytes: Uint8Array;
}

/** One channel of one epoch, as far as its first `size` leaves go. */
export interface ChannelReach {
  readonly epoch: number;
  readonly channel: number;
  readonly size: number;
}

/** Where closes begin and end, ms since 1970, ascending. */
export interface CloseBoundaries {
  readonly begins: readonly number[];
  readonly ends: readonly number[];
}

/** A leaf by its place and its time. */
export interface TimedLeaf {
  readonly seq: number;
  readonly ms: number;
}

const MIGRATIONS: readonly URL[] = ["./schema-1.sql", "./schema-2.sql"].map(
  (name) => new URL(name, import.meta.url),
);
const MAX_BYTES = 4 * 1024 ** 3;

interface SizedRow {
  readonly size: number;
  readonly bytes: Uint8Array;
}

/**
 * The device's log on disk, and everything that was signed over it or received for it. A commit is durable when
 * it returns: the database runs with `synchronous=FULL`. One journal holds all epochs of a key, and has one owner at a
 * time, who alone writes; readers may come and go. Opening throws `database-…`.
 */
export class Journal {
  readonly path: string;
  readonly #database: SqliteDatabase;
  readonly #close: () => void;
  readonly #sql: (name: string) => string;
  readonly #prepared = new Map<string, Statement>();

  constructor(path: string, access: "owner" | "reader" = "owner") {
    this.path = path;
    const { database, close } = access === "owner" ? openOwn(path) : openToRead(path);
    this.#database = database;
    this.#close = close;
    this.#sql = readStatements(new URL("./statements.sql", import.meta.url));
  }

  /** Appends leaves and notes in one durable transaction. Throws what SQLite throws, and then nothing was written. */
  commit(commit: Commit): void {
    this.#database.transaction(() => {
      for (const { leaf, bytes } of commit.leaves) {
        this.#run("addLeaf", { epoch: commit.epoch, seq: leaf.seq, bytes });
        const index = indexRow(leaf);
        if (index !== undefined) this.#run(index.statement, { epoch: commit.epoch, ...index.values });
      }
      for (const subtree of commit.subtrees) this.#run("addSubtree", { epoch: commit.epoch, ...subtree });
      for (const [name, value] of Object.entries(commit.notes)) this.#run("putNote", { name, value });
    })();
  }

  /** Reads the journal as it stands at one instant, although its owner may be writing. */
  atOnce<T>(read: () => T): T {
    return this.#database.transaction(read)();
  }

  note(name: string): string | undefined {
    return this.#one<{ value: string }>("getNote", { name })?.value;
  }

  /** Number of durable leaves of the epoch. */
  size(epoch: number): number {
    return this.#one<{ size: number }>("size", { epoch })?.size ?? 0;
  }

  /** Bytes of the leaves from..to-1, in order. */
  leaves(epoch: number, from: number, to: number): Uint8Array[] {
    return this.#all<{ bytes: Uint8Array }>("leaves", { epoch, from, to }).map(
      ({ bytes }) => new Uint8Array(bytes),
    );
  }

  addCheckpoint(epoch: number, size: number, bytes: Uint8Array): void {
    this.#run("addCheckpoint", { epoch, size, bytes });
  }

  lastCheckpoint(epoch: number): SizedRow | undefined {
    return this.#one<SizedRow>("lastCheckpoint", { epoch });
  }

  checkpointAt(epoch: number, size: number): Uint8Array | undefined {
    return this.#one<SizedRow>("checkpointAt", { epoch, size })?.bytes;
  }

  /** Stores a receipt; true when it is new. Durable when it returns. */
  addReceipt(epoch: number, receipt: StoredReceipt): boolean {
    const hash = nativeSuite.sha256(receipt.bytes);
    return this.#run("addReceipt", { epoch, ...receipt, hash }) > 0;
  }

  /** Up to which size the node has receipted this epoch; 0 for never. */
  receiptedSize(epoch: number, nodeKey: Uint8Array): number {
    return this.#one<{ size: number }>("receiptedSize", { epoch, nodeKey })?.size ?? 0;
  }

  /** Keys of all nodes whose receipts the journal holds, in any epoch. */
  receiptNodes(): Uint8Array[] {
    return this.#all<{ nodeKey: Uint8Array }>("receiptNodes", {}).map(
      ({ nodeKey }) => new Uint8Array(nodeKey),
    );
  }

  /**
   * The next batch for a node that holds `from` leaves: up to `most` leaves, and as many checkpoints in one as
   * fit; at least up to the next checkpoint. Undefined when nothing signed lies beyond.
   */
  batchAfter(epoch: number, from: number, most: number): JournalBatch | undefined {
    const within = this.#one<SizedRow>("checkpointWithin", { epoch, from, to: from + most });
    const row = within ?? this.#one<SizedRow>("checkpointAfter", { epoch, from });
    if (row === undefined) return undefined;
    const leaves = concatBytes(...this.leaves(epoch, from, row.size));
    return { firstSeq: from, size: row.size, leaves, checkpoint: new Uint8Array(row.bytes) };
  }

  /** The smallest receipted checkpoint over more than `seq` leaves with its receipts, else the smallest one. */
  checkpointOver(epoch: number, seq: number): { bytes: Uint8Array; receipts: Uint8Array[] } | undefined {
    const receipted =
      this.#one<{ size: number | null }>("receiptedAfter", { epoch, from: seq })?.size ?? undefined;
    const bytes =
      receipted === undefined
        ? this.#one<SizedRow>("checkpointAfter", { epoch, from: seq })?.bytes
        : this.checkpointAt(epoch, receipted);
    if (bytes === undefined) return undefined;
    return {
      bytes: new Uint8Array(bytes),
      receipts: receipted === undefined ? [] : this.#receiptsAt(epoch, receipted),
    };
  }

  /** The checkpoint of exactly this size, with its receipts. */
  keptCheckpoint(
    epoch: number,
    size: number,
  ): { readonly bytes: Uint8Array; readonly receipts: readonly Uint8Array[] } | undefined {
    const bytes = this.checkpointAt(epoch, size);
    return bytes && { bytes, receipts: this.#receiptsAt(epoch, size) };
  }

  receiptByHash(hash: Uint8Array): Uint8Array | undefined {
    const row = this.#one<{ bytes: Uint8Array }>("receiptByHash", { hash });
    return row === undefined ? undefined : new Uint8Array(row.bytes);
  }

  /** The receipt over the most leaves of the newest epoch that has any. */
  newestReceipt(): { readonly epoch: number; readonly bytes: Uint8Array } | undefined {
    const row = this.#one<{ epoch: number; bytes: Uint8Array }>("newestReceipt", {});
    return row && { epoch: row.epoch, bytes: new Uint8Array(row.bytes) };
  }

  /** Epochs that the journal holds leaves of, newest first. */
  epochs(): number[] {
    return this.#all<{ epoch: number }>("epochs", {}).map(({ epoch }) => epoch);
  }

  /** Every channel manifest, ascending. */
  channelManifestSeqs(epoch: number): number[] {
    return this.#all<{ seq: number }>("channelManifests", { epoch }).map(({ seq }) => seq);
  }

  closeSeqs(epoch: number, span: { channel: number; fromMs: number; toMs: number }): number[] {
    return this.#all<{ seq: number }>("closes", { epoch, ...span }).map(({ seq }) => seq);
  }

  /** The newest closes of all channels among the first `size` leaves, newest first. */
  recentCloseSeqs(epoch: number, limit: number, size: number = Number.MAX_SAFE_INTEGER): number[] {
    return this.#all<{ seq: number }>("recentCloses", { epoch, limit, size }).map(({ seq }) => seq);
  }

  /** The begins of closes around `fromMs` and the ends of closes around `toMs`, at most two of each. */
  boundaries(reach: ChannelReach, span: { fromMs: number; toMs: number }): CloseBoundaries {
    const times = (name: string, ms: number): number[] =>
      this.#all<{ ms: number }>(name, { ...reach, ms }).map((row) => row.ms);
    return { begins: times("closeBegins", span.fromMs), ends: times("closeEnds", span.toMs) };
  }

  /** Where the channel's first close begins. */
  firstCloseBegin(reach: ChannelReach): number | undefined {
    return this.#one<{ ms: number }>("firstClose", reach)?.ms;
  }

  /** Where the last close ends of those that end at or before `ms`. */
  lastCloseEnd(reach: ChannelReach, ms: number): number | undefined {
    return this.#one<{ ms: number }>("lastClose", { ...reach, ms })?.ms;
  }

  /** The channel's last flexibility reading at or before `ms`, or its first one after it. */
  flexibility(side: "before" | "after", reach: ChannelReach, ms: number): TimedLeaf | undefined {
    const name = side === "before" ? "flexibilityBefore" : "flexibilityAfter";
    return this.#one<TimedLeaf>(name, { ...reach, ms });
  }

  anchorSeqBelow(epoch: number, seq: number): number | undefined {
    return this.#one<{ seq: number }>("anchorsBelow", { epoch, seq })?.seq;
  }

  subtree(epoch: number, position: number): Uint8Array | undefined {
    const row = this.#one<{ hash: Uint8Array }>("getSubtree", { epoch, position });
    return row === undefined ? undefined : new Uint8Array(row.hash);
  }

  close(): void {
    this.#close();
  }

  #receiptsAt(epoch: number, size: number): Uint8Array[] {
    return this.#all<{ bytes: Uint8Array }>("receiptsAt", { epoch, size }).map(
      ({ bytes }) => new Uint8Array(bytes),
    );
  }

  #statement(name: string): Statement {
    const known = this.#prepared.get(name);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(this.#sql(name));
    this.#prepared.set(name, statement);
    return statement;
  }

  #run(name: string, values: object): number {
    return this.#statement(name).run(values).changes;
  }

  // The row types are those of the statements beside this file; the schema's tests hold them.
  #one<Row>(name: string, values: object): Row | undefined {
    return this.#statement(name).get(values) as Row | undefined;
  }

  #all<Row>(name: string, values: object): Row[] {
    return this.#statement(name).all(values) as Row[];
  }
}

function openOwn(path: string): OwnedDatabase {
  const migrations = MIGRATIONS.map((url) => readFileSync(url, "utf8"));
  return openOwnedDatabase({ path, migrations, maxBytes: MAX_BYTES });
}

function openToRead(path: string): OwnedDatabase {
  const database = openDatabaseForReading(path);
  return { database, close: () => void database.close() };
}

/** How many leaves one stored subtree covers. */
export const SUBTREE_LEAVES: number = STORED_SUBTREE_LEAVES;
