import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { JOURNAL_SCHEMA } from "../../agent/journal/schema.ts";
import { describeProblem, Problem } from "../../attest/problem.ts";
import { STORE_SCHEMA } from "../../network/store/schema.ts";
import { openDatabaseForReading, openScratchDatabase, type SqliteDatabase } from "../../runtime/database.ts";
import { isDatabaseLocked } from "../../runtime/database-lock.ts";
import { fileBytes, fileSizes } from "../../runtime/disk-space.ts";

export type FileKind = "journal" | "store";

/** A file that is a journal or a store of this version, opened to be read. */
export interface OpenedFile {
  readonly kind: FileKind;
  readonly database: SqliteDatabase;
  /** Of the file, and with its write-ahead log. */
  readonly ownBytes: number;
  readonly bytes: number;
  /** Whether the program that writes it runs now. */
  readonly inUse: boolean;
}

const SCHEMAS: Readonly<Record<FileKind, readonly URL[]>> = { journal: JOURNAL_SCHEMA, store: STORE_SCHEMA };
const OWNERS: Readonly<Record<FileKind, string>> = { journal: "agent", store: "node" };
const MAGIC = "SQLite format 3\0";
const MAX_FOUND = 100;
const DAMAGED_HINT =
  "keep the file: sqlite3's .recover reads much of it back; replace the card or the disk if it happens again";
const NAME_HINT = "name the file that is `journal` in the agent's configuration or `store` in the node's";

/**
 * Opens the file without changing it. Throws `fsck-file` for what is no file or no database, `fsck-kind` for another
 * program's, `fsck-older` or `fsck-newer` for another version's, and `database-…`.
 */
export function openFile(path: string): OpenedFile {
  const ownBytes = requireSqlite(path);
  const database = openDatabaseForReading(path);
  try {
    const kind = kindOf(database, path);
    requireVersion(database, { path, kind });
    const bytes = ownBytes + fileSizes(path).wal;
    return { kind, database, ownBytes, bytes, inUse: isDatabaseLocked(path) };
  } catch (cause) {
    database.close();
    throw cause;
  }
}

/** Size of the file. The first page of a database says what it is. */
function requireSqlite(path: string): number {
  const [size, head] = headOf(path);
  if (head === MAGIC) return size;
  throw new Problem("fsck-file", "not a SQLite database, or its first page is lost", {
    where: path,
    expected: JSON.stringify(MAGIC),
    got: size === 0 ? "an empty file" : JSON.stringify(head),
    hint: NAME_HINT,
  });
}

function headOf(path: string): readonly [number, string] {
  try {
    const file = openSync(path, "r");
    try {
      const head = Buffer.alloc(MAGIC.length);
      const length = readSync(file, head, 0, head.length, 0);
      return [fileBytes(path) ?? 0, head.toString("latin1", 0, length)];
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    const hint = `check the path, and that this user may read it; ${NAME_HINT}`;
    throw new Problem("fsck-file", "the file cannot be read", {
      ...{ where: path, got: describeProblem(cause).message, hint, cause },
    });
  }
}

/** The kind that most of the file's tables are of, so that one damaged name does not hide it. */
function kindOf(database: SqliteDatabase, path: string): FileKind {
  const held = new Set(objectsOf(database).keys());
  const shared = (kind: FileKind): number =>
    [...schemaOf(kind).keys()].filter((name) => held.has(name)).length;
  const [journal, store] = [shared("journal"), shared("store")];
  if (journal !== store) return journal > store ? "journal" : "store";
  throw new Problem("fsck-kind", "the database is neither an agent's journal nor a node's store", {
    where: path,
    expected: "their tables",
    got: [...held].slice(0, 8).join(", ") || "no table",
    hint: NAME_HINT,
  });
}

function requireVersion(
  database: SqliteDatabase,
  { path, kind }: { readonly path: string; readonly kind: FileKind },
): void {
  const version = Number(database.pragma("user_version", { simple: true }));
  const newest = SCHEMAS[kind].length;
  if (version === newest) return;
  const isOlder = version < newest;
  throw new Problem(isOlder ? "fsck-older" : "fsck-newer", `the ${kind} is of another version`, {
    where: path,
    expected: `schema ${newest}`,
    got: `schema ${version}`,
    hint: isOlder
      ? `start this version's ${OWNERS[kind]} on it once, which brings it up to date, or check it with the version that wrote it`
      : "check it with the version that wrote it",
  });
}

/** What SQLite itself, the schema and the settings in the file's head say; in order, the deepest damage first. */
export function* checkDatabase(opened: OpenedFile): Generator<Problem, void, undefined> {
  const { database, kind } = opened;
  yield* checkEnd(opened);
  yield* checkSchema(database, kind);
  yield* checkSettings(database);
  for (const row of database.pragma(`integrity_check(${MAX_FOUND})`) as readonly object[]) {
    const [said] = Object.values(row);
    if (said === "ok") continue;
    yield new Problem("database-damaged", "SQLite's own check fails", {
      ...{ where: "the file", expected: "ok", got: String(said), hint: DAMAGED_HINT },
    });
  }
  for (const row of database.pragma("foreign_key_check") as readonly ForeignRow[]) {
    yield new Problem("fsck-orphan", `a row belongs to a ${row.parent} that is not there`, {
      where: `table ${row.table}${row.rowid === null ? "" : `, rowid ${row.rowid}`}`,
      ...{ expected: `its row in ${row.parent}`, got: "none", hint: DAMAGED_HINT },
    });
  }
}

interface ForeignRow {
  readonly table: string;
  readonly rowid: number | null;
  readonly parent: string;
}

/** SQLite takes what is missing of the last page for zeros, and says nothing. */
function* checkEnd({ database, ownBytes }: OpenedFile): Generator<Problem, void, undefined> {
  const page = Number(database.pragma("page_size", { simple: true }));
  if (ownBytes % page === 0) return;
  yield new Problem("database-damaged", "the file ends within a page", {
    where: "the file's end",
    ...{ expected: `a multiple of ${page} bytes`, got: `${ownBytes} bytes`, hint: DAMAGED_HINT },
  });
}

function* checkSchema(database: SqliteDatabase, kind: FileKind): Generator<Problem, void, undefined> {
  const [expected, got] = [schemaOf(kind), objectsOf(database)];
  for (const name of new Set([...expected.keys(), ...got.keys()])) {
    if (expected.get(name) === got.get(name)) continue;
    yield new Problem("fsck-schema", "the database does not have the structure that it should", {
      where: name,
      expected: expected.get(name) ?? "nothing of that name",
      got: got.get(name) ?? "nothing of that name",
      hint: got.has(name)
        ? "another program has changed the file, or it is damaged: keep it, and drop what is foreign only in a copy"
        : DAMAGED_HINT,
    });
  }
}

const schemas = new Map<FileKind, ReadonlyMap<string, string>>();

/** What a fresh database of that kind has. */
function schemaOf(kind: FileKind): ReadonlyMap<string, string> {
  const known = schemas.get(kind) ?? freshSchema(kind);
  schemas.set(kind, known);
  return known;
}

function freshSchema(kind: FileKind): ReadonlyMap<string, string> {
  const fresh = openScratchDatabase(SCHEMAS[kind].map((script) => readFileSync(script, "utf8")));
  try {
    return objectsOf(fresh);
  } finally {
    fresh.close();
  }
}

/** Tables, indexes, views and triggers by kind and name, as they were made; those that SQLite makes have no text. */
function objectsOf(database: SqliteDatabase): ReadonlyMap<string, string> {
  const rows = database
    .prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema")
    .raw()
    .all() as unknown[][];
  return new Map(rows.map(([type, name, table, sql]) => [`${type} ${name}`, plainSql(`${table}: ${sql}`)]));
}

/** Without comments, quotes and line breaks, none of which mean anything in these schemas. */
function plainSql(text: string): string {
  return text
    .replaceAll(/--[^\n]*/g, "")
    .replaceAll('"', "")
    .replaceAll(/\s+/g, " ")
    .trim();
}

/** Settings that stay in the file: how the log is written, and that room can be given back. */
function* checkSettings(database: SqliteDatabase): Generator<Problem, void, undefined> {
  const settings = [
    ["auto_vacuum", [2], "2 (incremental)"],
    // A copy that SQLite made of a database is not in WAL mode until its owner opens it.
    ["journal_mode", ["wal", "delete"], "wal"],
    ["encoding", ["UTF-8"], "UTF-8"],
  ] as const;
  for (const [name, allowed, expected] of settings) {
    const got = database.pragma(name, { simple: true });
    if (allowed.some((value) => value === got)) continue;
    yield new Problem("database-pragma", `the file has another ${name}`, {
      where: "the file's head",
      ...{ expected, got: String(got) },
      hint: "another program made this file, or its head is damaged",
    });
  }
}
