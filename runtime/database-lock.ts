import Database from "better-sqlite3";
import { Problem } from "../attest/problem.ts";
import { openProblem } from "./database.ts";

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
