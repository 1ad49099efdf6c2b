import { existsSync } from "node:fs";
import Database from "better-sqlite3";
import { Problem } from "../attest/problem.ts";
import { type DatabaseOptions, openDatabase, openProblem, type SqliteDatabase } from "./database.ts";

/** The right to write a database, held until it is released or the process ends, however it ends. */
export interface DatabaseLock {
  release(): void;
}

/** A program that is just being ended by its supervisor may still hold the lock. */
const PATIENCE_MS = 2000;
/** Keeps the garbage collector from closing, and thereby releasing, a lock that nobody looks at. */
const held = new Set<Database.Database>();

/**
 * Makes this process the only writer of the database at `path`; readers are not kept out. The lock is the kernel's, by
 * way of an empty SQLite file beside it, and so goes with its process: after kill -9 there is nothing to clean up.
 * Throws `database-locked`, or `database-open` when the folder cannot be used.
 */
export function lockDatabase(path: string): DatabaseLock {
  const database = openLockFile(path);
  held.add(database);
  return {
    release: () => {
      held.delete(database);
      database.close();
    },
  };
}

/** A database that this process alone writes. */
export interface OwnedDatabase {
  readonly database: SqliteDatabase;
  /** Closes the database and gives the right to write it back. */
  close(): void;
}

/**
 * Opens a database as its only writer. The lock comes first: one that somebody else is writing must not even be looked
 * at for damage. Throws what {@link lockDatabase} and `openDatabase` throw.
 */
export function openOwnedDatabase(options: DatabaseOptions): OwnedDatabase {
  const lock = lockDatabase(options.path);
  try {
    const database = openDatabase(options);
    return {
      database,
      close: () => {
        database.close();
        lock.release();
      },
    };
  } catch (cause) {
    lock.release();
    throw cause;
  }
}

/** Whether another process holds the right to write the database; leaves no trace where nobody ever did. */
export function isDatabaseLocked(path: string): boolean {
  if (!existsSync(`${path}.lock`)) return false;
  try {
    const lock = new Database(`${path}.lock`, { readonly: true, timeout: 0 });
    try {
      lock.prepare("SELECT count(*) FROM sqlite_schema").get();
      return false;
    } finally {
      lock.close();
    }
  } catch (cause) {
    return cause instanceof Database.SqliteError && cause.code === "SQLITE_BUSY";
  }
}

function openLockFile(path: string): Database.Database {
  let database: Database.Database | undefined;
  try {
    database = new Database(`${path}.lock`, { timeout: PATIENCE_MS });
    // Nothing is ever written: the open transaction alone holds the lock.
    database.exec("BEGIN EXCLUSIVE");
    return database;
  } catch (cause) {
    database?.close();
    if (cause instanceof Database.SqliteError && cause.code === "SQLITE_BUSY") throw locked(path, cause);
    throw openProblem(path, cause);
  }
}

function locked(path: string, cause: unknown): Problem {
  return new Problem("database-locked", "another program is writing this database", {
    where: path,
    expected: "one writer at a time",
    hint: `stop the other one first; find it with: fuser -v ${path}.lock`,
    cause,
  });
}
