import { readFileSync } from "node:fs";
import { toHex } from "../../attest/bytes.ts";
import type { Leaf } from "../../attest/leaf.ts";
import { nativeSuite } from "../../attest/native.ts";
import { STORED_SUBTREE_LEAVES } from "../../attest/node-source.ts";
import { Problem } from "../../attest/problem.ts";
import { limitBytes, openDatabaseForReading, type SqliteDatabase } from "../../runtime/database.ts";
import { type OwnedDatabase, openOwnedDatabase } from "../../runtime/database-lock.ts";
import { indexRow } from "./index-row.ts";
import { type Carry, dispatchListNote, JournalReader } from "./journal-reader.ts";
import { JOURNAL_SCHEMA } from "./schema.ts";
import type { Stretch } from "./sound-blocks.ts";

/** A leaf on its way into the journal. */
export interface SealedLeaf {
  readonly leaf: Leaf;
  readonly bytes: Uint8Array;
}

/** The hash of a complete subtree. */
export interface StoredSubtree {
  readonly position: number;
  readonly hash: Uint8Array;
}

/** Leaves that go, and the hashes that stay in their place. */
export interface Release {
  /** Runs of leaves that go; others between them stay. */
  readonly runs: readonly Stretch[];
  readonly hashes: readonly { readonly seq: number; readonly level: number; readonly hash: Uint8Array }[];
}

/** What one commit writes, all or nothing. */
export interface Commit {
  readonly epoch: number;
  readonly leaves: readonly SealedLeaf[];
  readonly subtrees: readonly StoredSubtree[];
  readonly notes: Readonly<Record<string, string>>;
  readonly releases?: readonly Release[];
  /** What is left to be taken over behind these leaves; `done` when nothing is. */
  readonly carry?: Carry | "done";
  /** Nodes that the epoch does without. */
  readonly passedOver?: readonly Uint8Array[];
}

export interface StoredReceipt {
  readonly nodeKey: Uint8Array;
  readonly size: number;
  readonly bytes: Uint8Array;
}

/** How full the file is. */
export interface FilePages {
  readonly pages: number;
  /** Pages within the file that hold nothing. */
  readonly free: number;
}

/** How a journal is opened by its owner. */
export interface Owning {
  /** Cap of the file. */
  readonly maxBytes?: number;
  /** Reads all of it, however large it is. */
  readonly wholeCheck?: boolean;
}

/** Of what is larger, only the ends are checked before it is used, and the rest piece by piece while the agent runs. */
const WHOLE_CHECK_BYTES = 32 * 1024 ** 2;
export const PAGE_BYTES = 4096;

/** How much a journal may grow to where nothing else is said. */
const DEFAULT_MAX_BYTES: number = 4 * 1024 ** 3;

/**
 * The device's log on disk, and everything that was signed over it or received for it. A commit is durable when
 * it returns: the database runs with `synchronous=FULL`. One journal holds all epochs of a key, and has one owner at a
 * time, who alone writes; readers may come and go. Opening throws `database-…`.
 */
export class Journal extends JournalReader {
  readonly #database: SqliteDatabase;
  readonly #close: () => void;

  constructor(path: string, access: "owner" | "reader" = "owner", owning: Owning = {}) {
    const { database, close } = access === "owner" ? openOwn(path, owning) : openToRead(path);
    super(path, database);
    this.#database = database;
    this.#close = close;
  }

  /** Appends leaves and notes in one durable transaction. Throws what SQLite throws, and then nothing was written. */
  commit(commit: Commit): void {
    const { epoch } = commit;
    this.rows.atOnce(() => {
      for (const { leaf, bytes } of commit.leaves) {
        this.rows.run("addLeaf", { epoch, seq: leaf.seq, bytes });
        const index = indexRow(leaf);
        if (index !== undefined) this.rows.run(index.statement, { epoch, ...index.values });
      }
      for (const subtree of commit.subtrees) this.rows.run("addSubtree", { epoch, ...subtree });
      for (const release of commit.releases ?? []) this.#release(epoch, release);
      for (const [name, value] of Object.entries(commit.notes)) this.rows.run("putNote", { name, value });
      for (const nodeKey of commit.passedOver ?? []) this.rows.run("passOver", { epoch, nodeKey });
      if (commit.carry === "done") this.rows.run("dropCarry", {});
      else if (commit.carry !== undefined) this.rows.run("putCarry", commit.carry);
    });
  }

  /** Stores a checkpoint; of one size the first one stands. Durable when it returns. */
  addCheckpoint(epoch: number, size: number, bytes: Uint8Array): void {
    this.rows.run("addCheckpoint", { epoch, size, bytes });
  }

  /** Stores a receipt; true when it is new. Durable when it returns. */
  addReceipt(epoch: number, receipt: StoredReceipt): boolean {
    const hash = nativeSuite.sha256(receipt.bytes);
    return this.rows.run("addReceipt", { epoch, ...receipt, hash }) > 0;
  }

  /** Keeps a node's signed list of its dispatches under a commitment, for proofs. Durable when it returns. */
  keepDispatchList(epoch: number, commitmentSeq: number, list: Uint8Array): void {
    this.rows.run("putNote", { name: dispatchListNote(epoch, commitmentSeq), value: toHex(list) });
  }

  pages(): FilePages {
    return { pages: this.rows.pragma("page_count"), free: this.rows.pragma("freelist_count") };
  }

  /** Gives up to that many unused pages at the end of the file back to the file system. */
  shrink(pages: number): void {
    this.rows.runPragma(`incremental_vacuum(${pages})`);
  }

  /** Folds the write-ahead log into the file, and makes both durable. Throws where a reader holds it up. */
  foldIn(): void {
    if (this.rows.pragma("wal_checkpoint(TRUNCATE)") !== 0)
      throw new Problem("journal-busy", "the journal is being read and cannot be folded in", {
        where: this.path,
      });
  }

  /** Sets the cap of the file anew. */
  limit(maxBytes: number): void {
    limitBytes(this.#database, maxBytes);
  }

  close(): void {
    this.#close();
  }

  #release(epoch: number, { runs, hashes }: Release): void {
    for (const { from, to } of runs) this.rows.run("dropLeaves", { epoch, from, to });
    for (const hash of hashes) this.rows.run("addReleased", { epoch, ...hash });
  }
}

function openOwn(path: string, { maxBytes = DEFAULT_MAX_BYTES, wholeCheck = false }: Owning): OwnedDatabase {
  const migrations = JOURNAL_SCHEMA.map((url) => readFileSync(url, "utf8"));
  const checked = wholeCheck ? {} : { wholeCheckBytes: WHOLE_CHECK_BYTES };
  return openOwnedDatabase({ path, migrations, maxBytes, ...checked });
}

function openToRead(path: string): OwnedDatabase {
  const database = openDatabaseForReading(path);
  return { database, close: () => void database.close() };
}

/** How many leaves one stored subtree covers. */
export const SUBTREE_LEAVES: number = STORED_SUBTREE_LEAVES;
