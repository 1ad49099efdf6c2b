import type Database from "better-sqlite3";
import type { SqliteDatabase } from "../../runtime/database.ts";
import { readStatements } from "../../runtime/sql.ts";

type Value = number | string | Uint8Array | null;
type Values = Readonly<Record<string, Value>>;

/** The statements of `exchange.sql`, each under the name in the line above it, prepared once. */
export class ExchangeStatements {
  readonly #database: SqliteDatabase;
  readonly #text: (name: string) => string;
  readonly #prepared = new Map<string, Database.Statement>();

  constructor(database: SqliteDatabase) {
    this.#database = database;
    this.#text = readStatements(new URL("exchange.sql", import.meta.url));
  }

  /** The first row, or undefined. `Row` is what the statement's columns are; byte strings come as Buffer. */
  get<Row>(name: string, values: Values): Row | undefined {
    return this.#statement<Row>(name).get(values);
  }

  all<Row>(name: string, values: Values): Row[] {
    return this.#statement<Row>(name).all(values);
  }

  run(name: string, values: Values): void {
    this.#statement(name).run(values);
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
