import { readFileSync } from "node:fs";
import type Database from "better-sqlite3";
import { Problem } from "../../attest/problem.ts";
import type { SqliteDatabase } from "../../runtime/database.ts";

/** What a statement binds: `?` in order, or `:name` from one object. */
export type Values = readonly Value[] | Readonly<Record<string, Value>>;
type Value = number | string | Uint8Array | null;

const NAME_LINE = /^-- name: (\S+)$/m;

/** The statements of the `.sql` files beside this one, each under the name in the line above it, prepared once. */
export class Statements {
  readonly database: SqliteDatabase;
  readonly #texts: ReadonlyMap<string, string>;
  readonly #prepared = new Map<string, Database.Statement>();

  constructor(database: SqliteDatabase) {
    this.database = database;
    this.#texts = new Map(["ingest.sql", "questions.sql"].flatMap((file) => split(readSql(file))));
  }

  /** The first row, or undefined. `Row` is what the statement's columns are; byte strings come as Buffer. */
  get<Row>(name: string, values: Values): Row | undefined {
    return this.#statement<Row>(name).get(values);
  }

  all<Row>(name: string, values: Values): Row[] {
    return this.#statement<Row>(name).all(values);
  }

  /** Rows one by one, so that a reader can stop early. */
  iterate<Row>(name: string, values: Values): IterableIterator<Row> {
    return this.#statement<Row>(name).iterate(values);
  }

  /** Number of rows that changed. */
  run(name: string, values: Values): number {
    return this.#statement(name).run(values).changes;
  }

  #statement<Row>(name: string): Database.Statement<[Values], Row> {
    const statement = this.#prepared.get(name) ?? this.database.prepare(this.#text(name));
    this.#prepared.set(name, statement);
    // The schema is STRICT, and each caller names the columns of the statement it asks for.
    return statement as Database.Statement<[Values], Row>;
  }

  #text(name: string): string {
    const text = this.#texts.get(name);
    if (text !== undefined) return text;
    throw new Problem("statement-unknown", `no SQL statement has the name "${name}"`);
  }
}

/** The text of a `.sql` file of this folder. */
export function readSql(file: string): string {
  return readFileSync(new URL(file, import.meta.url), "utf8");
}

function split(text: string): (readonly [string, string])[] {
  const [, ...parts] = text.split(NAME_LINE);
  return parts.flatMap((part, at) => (at % 2 === 0 ? [[part, parts[at + 1] ?? ""] as const] : []));
}
