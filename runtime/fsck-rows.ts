import type { Statement } from "better-sqlite3";
import { Problem } from "../attest/problem.ts";
import type { SqliteDatabase } from "./database.ts";
import { readStatements } from "./sql.ts";

/** A row of a file that somebody may have changed: nothing is known of its values yet. */
export type Row = Readonly<Record<string, unknown>>;
/** What a check finds, in order; it goes on when it is asked for more. */
export type Findings<T = void> = Generator<Problem, T, undefined>;

const MAX_SHOWN = 40;

/** Named statements over a file that is only read. */
export class Rows {
  readonly #database: SqliteDatabase;
  readonly #sql: (name: string) => string;
  readonly #prepared = new Map<string, Statement>();

  /** @param sql the `.sql` file with the statements */
  constructor(database: SqliteDatabase, sql: URL) {
    this.#database = database;
    this.#sql = readStatements(sql);
  }

  /** Reads the file as it stands at one instant, although its owner may be writing. */
  atOnce<T>(read: () => T): T {
    return this.#database.transaction(read)();
  }

  one(name: string, values: object = {}): Row | undefined {
    return this.all(name, values)[0];
  }

  all(name: string, values: object = {}): Row[] {
    const statement = this.#prepared.get(name) ?? this.#database.prepare(this.#sql(name));
    this.#prepared.set(name, statement);
    // Every statement names its columns, and a row has no other type.
    return statement.all(values) as Row[];
  }
}

/** Where a row stands: `table leaf, epoch 1, seq 5`. */
export function placeOf(table: string, keys: Readonly<Record<string, unknown>>): string {
  const named = Object.entries(keys).map(([name, value]) => `${name} ${shown(value)}`);
  return [`table ${table}`, ...named].join(", ");
}

/** A whole number of at least 0. Throws `row-type`. */
export function wholeOf(row: Row, column: string, where: string): number {
  const value = row[column];
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw wrongType(column, { where, expected: "a whole number from 0", got: shown(value) });
}

/** A byte string, without a copy. Throws `row-type`. */
export function bytesOf(row: Row, column: string, where: string): Uint8Array {
  const value = row[column];
  if (value instanceof Uint8Array) return new Uint8Array(value.buffer, value.byteOffset, value.length);
  throw wrongType(column, { where, expected: "a byte string", got: shown(value) });
}

function wrongType(
  column: string,
  detail: { readonly where: string; readonly expected: string; readonly got: string },
): Problem {
  return new Problem("row-type", `column ${column} holds another kind of value`, {
    ...detail,
    hint: "the file was damaged or written by another program; keep it and replace the card",
  });
}

/** For people: a value of any column, short. */
export function shown(value: unknown): string {
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}

/** Runs a check that throws its finding; undefined when it did. */
export function* guarded<T>(check: () => T): Findings<T | undefined> {
  try {
    return check();
  } catch (cause) {
    if (!(cause instanceof Problem)) throw cause;
    yield cause;
    return undefined;
  }
}

/** What a lower room refused, with the row that it was in and what to do about it. */
export function placed(cause: Problem, where: string, hint: string): Problem {
  return new Problem(cause.code, cause.message, { where, hint, cause });
}

/** Runs work of a lower room and says of its refusal in which row it was. */
export function at<T>(where: string, hint: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw cause instanceof Problem ? placed(cause, where, hint) : cause;
  }
}
