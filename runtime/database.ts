import Database from "better-sqlite3";
import { Problem } from "../attest/problem.ts";

export type SqliteDatabase = Database.Database;

/** How a database is opened: its schema, and the number that its schema has. */
export interface DatabaseOptions {
  readonly path: string;
  /** Migrations in order, as SQL scripts; number n brings `user_version` from n-1 to n. */
  readonly migrations: readonly string[];
  /** Hard cap of the file. */
  readonly maxBytes: number;
}

const PAGE_BYTES = 4096;
const JOURNAL_LIMIT_BYTES = 4 * 1024 * 1024;
const CACHE_KIB = 2048;
const BUSY_MS = 5000;
/** What SQLite reports for `PRAGMA synchronous` at FULL. */
const SYNCHRONOUS_FULL = 2;

/**
 * Opens a SQLite database in WAL mode with `synchronous=FULL` and asserts it: WAL alone means NORMAL in many
 * builds, and NORMAL loses acknowledged rows in a power cut. Throws `database-damaged`, `database-newer`,
 * `database-pragma`, or `database-open` with the path and what to do.
 */
export function openDatabase(options: DatabaseOptions): SqliteDatabase {
  let database: SqliteDatabase | undefined;
  try {
    database = new Database(options.path);
    applyPragmas(database, options.maxBytes);
    migrate(database, options);
    checkHealth(database, options.path);
    return database;
  } catch (cause) {
    database?.close();
    throw openProblem(options.path, cause);
  }
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
    // Reads the header, so that a file that is no database shows here, and one that has no tables yet.
    const version = database.pragma("user_version", { simple: true });
    if (version === 0) throw new Error("nothing has been written yet");
    return database;
  } catch (cause) {
    database?.close();
    throw openProblem(path, cause, "check the path, and that this user may read it and its folder");
  }
}

function applyPragmas(database: SqliteDatabase, maxBytes: number): void {
  database.pragma(`busy_timeout = ${BUSY_MS}`);
  // Takes effect only before the first table exists.
  database.pragma("auto_vacuum = INCREMENTAL");
  database.pragma("journal_mode = WAL");
  database.pragma("synchronous = FULL");
  database.pragma(`journal_size_limit = ${JOURNAL_LIMIT_BYTES}`);
  database.pragma(`max_page_count = ${Math.floor(maxBytes / PAGE_BYTES)}`);
  database.pragma(`cache_size = -${CACHE_KIB}`);
  database.pragma("foreign_keys = ON");
  assertPragma(database, "synchronous", SYNCHRONOUS_FULL);
  assertPragma(database, "journal_mode", "wal");
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
  const version = Number(database.pragma("user_version", { simple: true }));
  if (version > options.migrations.length) {
    throw new Problem("database-newer", "database was written by a newer version", {
      where: options.path,
      expected: `schema ${options.migrations.length} or older`,
      got: `schema ${version}`,
      hint: "install the newer version again, or point the configuration at another file",
    });
  }
  for (const [at, script] of options.migrations.entries()) {
    if (at < version) continue;
    database.transaction(() => {
      database.exec(script);
      database.pragma(`user_version = ${at + 1}`);
    })();
  }
}

function checkHealth(database: SqliteDatabase, path: string): void {
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
  const code = cause instanceof Database.SqliteError ? cause.code : "";
  const reason = cause instanceof Error ? cause.message : String(cause);
  if (code === "SQLITE_CORRUPT" || code === "SQLITE_NOTADB") return damaged(path, reason, cause);
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
