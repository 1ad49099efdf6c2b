import { closeSync, openSync } from "node:fs";
import Database from "better-sqlite3";
import { Problem } from "../attest/problem.ts";
import { databaseFault } from "./database-fault.ts";
import { fileSizes } from "./disk-space.ts";

export type SqliteDatabase = Database.Database;

/** How a database is opened: its schema, and the number that its schema has. */
export interface DatabaseOptions {
  readonly path: string;
  /** Migrations in order, as SQL scripts; number n brings `user_version` from n-1 to n. */
  readonly migrations: readonly string[];
  /** Hard cap of the file. */
  readonly maxBytes: number;
  /**
   * Up to this size the whole file is checked before it is used. Reading a gigabyte takes half a minute off a card, so
   * whoever has larger files checks them piece by piece. Left out: files of any size.
   */
  readonly wholeCheckBytes?: number;
}

const PRIVATE = 0o600;
const PAGE_BYTES = 4096;
/** What the write-ahead log grows to before it is folded in, and keeps of the disk. */
export const WAL_LIMIT_BYTES: number = 4 * 1024 * 1024;
const CACHE_KIB = 2048;
const BUSY_MS = 5000;
/** What SQLite reports for `PRAGMA synchronous` at FULL. */
const SYNCHRONOUS_FULL = 2;
/** What SQLite reports for `PRAGMA auto_vacuum` at INCREMENTAL. */
const AUTO_VACUUM_INCREMENTAL = 2;

/**
 * Opens a SQLite database in WAL mode with `synchronous=FULL` and asserts it: WAL alone means NORMAL in many
 * builds, and NORMAL loses acknowledged rows in a power cut. Throws `database-damaged`, `database-newer`,
 * `database-pragma`, or `database-open` with the path and what to do.
 */
export function openDatabase(options: DatabaseOptions): SqliteDatabase {
  let database: SqliteDatabase | undefined;
  try {
    makePrivate(options.path);
    database = new Database(options.path);
    applyPragmas(database, options.maxBytes);
    checkHealth(database, options);
    migrate(database, options);
    return database;
  } catch (cause) {
    database?.close();
    throw openProblem(options.path, cause);
  }
}

/** A new file is its owner's alone; what SQLite puts beside it gets the same rights. One that is there keeps its own. */
function makePrivate(path: string): void {
  closeSync(openSync(path, "a", PRIVATE));
}

/**
 * Opens an existing database to read from while its owner may be writing. Changes nothing, not even a damaged file.
 * Throws `database-…` as {@link openDatabase} does.
 */
export function openDatabaseForReading(path: string): SqliteDatabase {
  let database: SqliteDatabase | undefined;
  try {
    database = new Database(path, { readonly: true, fileMustExist: true });
    database.pragma(`busy_timeout = ${BUSY_MS}`);
    applyToEach(database);
    // Reads the header, so that a file that is no database shows here, and one that has no tables yet.
    const version = database.pragma("user_version", { simple: true });
    if (version === 0) throw new Error("nothing has been written yet");
    return database;
  } catch (cause) {
    database?.close();
    throw openProblem(path, cause, "check the path, and that this user may read it and its folder");
  }
}

/** An empty database in memory, with the schema that those scripts make. The caller closes it. */
export function openScratchDatabase(migrations: readonly string[]): SqliteDatabase {
  const database = new Database(":memory:");
  for (const script of migrations) database.exec(script);
  return database;
}

function applyPragmas(database: SqliteDatabase, maxBytes: number): void {
  database.pragma(`busy_timeout = ${BUSY_MS}`);
  // Takes effect only before the first table exists, and would be written again at every start.
  if (versionOf(database) === 0) database.pragma("auto_vacuum = INCREMENTAL");
  database.pragma("journal_mode = WAL");
  database.pragma(`journal_size_limit = ${WAL_LIMIT_BYTES}`);
  limitBytes(database, maxBytes);
  database.pragma("foreign_keys = ON");
  applyToEach(database);
  assertPragma(database, "journal_mode", "wal");
}

/** What is a connection's own and not the file's. */
function applyToEach(database: SqliteDatabase): void {
  database.pragma("synchronous = FULL");
  database.pragma(`cache_size = -${CACHE_KIB}`);
  assertPragma(database, "synchronous", SYNCHRONOUS_FULL);
}

/** Sets the cap of the file anew; below what the file has already, nothing more is added to it. */
export function limitBytes(database: SqliteDatabase, maxBytes: number): void {
  database.pragma(`max_page_count = ${Math.floor(maxBytes / PAGE_BYTES)}`);
}

function assertPragma(database: SqliteDatabase, name: string, expected: string | number): void {
  const got = database.pragma(name, { simple: true });
  if (got === expected) return;
  throw new Problem("database-pragma", `SQLite did not accept ${name}`, {
    expected: String(expected),
    got: String(got),
  });
}

function migrate(database: SqliteDatabase, options: DatabaseOptions): void {
  const version = versionOf(database);
  if (version > options.migrations.length) {
    throw new Problem("database-newer", "database was written by a newer version", {
      where: options.path,
      expected: `schema ${options.migrations.length} or older`,
      got: `schema ${version}`,
      hint: "install the newer version again, or point the configuration at another file",
    });
  }
  if (version === options.migrations.length) return;
  // All of them at once: whatever ends the program meanwhile leaves the schema that was there.
  database.transaction(() => {
    for (const script of options.migrations.slice(version)) database.exec(script);
    database.pragma(`user_version = ${options.migrations.length}`);
  })();
  if (version === 0) assertPragma(database, "auto_vacuum", AUTO_VACUUM_INCREMENTAL);
}

function versionOf(database: SqliteDatabase): number {
  return Number(database.pragma("user_version", { simple: true }));
}

function checkHealth(database: SqliteDatabase, { path, wholeCheckBytes }: DatabaseOptions): void {
  const { file, wal } = fileSizes(path);
  if (wholeCheckBytes !== undefined && file + wal > wholeCheckBytes) return;
  const verdict = database.pragma("quick_check(1)", { simple: true });
  if (verdict !== "ok") throw damaged(path, String(verdict));
}

/** One Problem for whatever opening a database threw: `database-damaged`, or `database-open` with what to do. */
export function openProblem(
  path: string,
  cause: unknown,
  hint = "check that the folder exists, is writable by this user and has free space",
): Problem {
  if (cause instanceof Problem) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  if (databaseFault(cause) === "damaged") return damaged(path, reason, cause);
  return new Problem("database-open", "database cannot be opened", {
    where: path,
    got: reason,
    hint,
    cause,
  });
}

function damaged(path: string, got: string, cause?: unknown): Problem {
  return new Problem("database-damaged", "database is damaged", {
    where: path,
    expected: "a SQLite file that passes its own check",
    got,
    hint: "keep the file: sqlite3's .recover reads much of it back; replace the card if it happens again",
    cause,
  });
}
