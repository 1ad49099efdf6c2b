import Database from "better-sqlite3";
import { Problem } from "../attest/problem.ts";

/**
 * What a failed statement says of the file: `full` where there is no room for more, `damaged` where what is there is no
 * sound database, `device` where the card or the file system does not take or give bytes.
 */
export type DatabaseFault = "full" | "damaged" | "device";

/** Primary codes of SQLite (sqlite.org/rescode.html); the extended ones begin with them. */
const FAULTS: readonly (readonly [code: string, fault: DatabaseFault])[] = [
  ["SQLITE_FULL", "full"],
  ["SQLITE_CORRUPT", "damaged"],
  ["SQLITE_NOTADB", "damaged"],
  // The file ends before a page that it says it has.
  ["SQLITE_IOERR_SHORT_READ", "damaged"],
  // What the index of the write-ahead log needs is asked for in a way of its own.
  ["SQLITE_IOERR_SHMSIZE", "full"],
  ["SQLITE_IOERR", "device"],
  ["SQLITE_READONLY", "device"],
  ["SQLITE_CANTOPEN", "device"],
];

/** Undefined for whatever is no fault of the file: a statement that is wrong, a row that is there already. */
export function databaseFault(cause: unknown): DatabaseFault | undefined {
  if (cause instanceof Problem) return cause.code === "database-damaged" ? "damaged" : undefined;
  if (!(cause instanceof Database.SqliteError)) return undefined;
  const { code } = cause;
  return FAULTS.find(([name]) => code === name || code.startsWith(`${name}_`))?.[1];
}
