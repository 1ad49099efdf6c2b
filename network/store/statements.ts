import type Database from "better-sqlite3";
import type { SqliteDatabase } from "../../runtime/database.ts";
import { readStatements } from "../../runtime/sql.ts";

/** What a statement binds: `?` in order, or `:name` from one object. */
export type Values = readonly Value[] | Readonly<Record<string, Value>>;
type Value = number | string | Uint8Array | null;

/** The statements of `statements.sql`, each under the name in the line above it, prepared once. */
export class Statements {
  readonly database: SqliteDatabase;
  readonly #text: (name: string) => string;
  readonly #prepared = new Map<string, Database.Statement>();

  constructor(database: SqliteDatabase) {
    this.database = database;
    this.#text = readStatements(new URL("statements.sql", import.meta.url));
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
    let statement = this.#prepared.get(name);
    if (statement === undefined) {
      statement = this.database.prepare(this.#text(name));
      this.#prepared.set(name, statement);
    }
    // The schema is STRICT, and each caller names the columns of the statement it asks for.
    return statement as Database.Statement<[Values], Row>;
  }
}
