import type Database from "better-sqlite3";
import type { SqliteDatabase } from "../../runtime/database.ts";
import { readStatements } from "../../runtime/sql.ts";

export type Values = Readonly<Record<string, number | string | Uint8Array | null>>;

/** The statements of one file of SQL, each under the name in the line above it, prepared once. */
export class NamedStatements {
  readonly #database: SqliteDatabase;
  readonly #text: (name: string) => string;
  readonly #prepared = new Map<string, Database.Statement>();

  constructor(database: SqliteDatabase, file: URL) {
    this.#database = database;
    this.#text = readStatements(file);
  }

  /** The first row, or undefined. `Row` is what the statement's columns are; byte strings come as Buffer. */
  get<Row>(name: string, values: Values): Row | undefined {
    return this.#statement<Row>(name).get(values);
  }

  all<Row>(name: string, values: Values = {}): Row[] {
    return this.#statement<Row>(name).all(values);
  }

  /** Number of rows that changed. */
  run(name: string, values: Values): number {
    return this.#statement(name).run(values).changes;
  }

  /** All of `run` or nothing of it, before anybody else writes. */
  transact<T>(run: () => T): T {
    return this.#database.transaction(run).immediate();
  }

  #statement<Row>(name: string): Database.Statement<[Values], Row> {
    let statement = this.#prepared.get(name);
    if (statement === undefined) {
      statement = this.#database.prepare(this.#text(name));
      this.#prepared.set(name, statement);
    }
    // The schema is STRICT, and each caller names the columns of the statement it asks for.
    return statement as Database.Statement<[Values], Row>;
  }
}

/** SQLite hands out Buffers; everything else sees plain byte arrays. */
export function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
