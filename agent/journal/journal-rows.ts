import type { Statement } from "better-sqlite3";
import type { SqliteDatabase } from "../../runtime/database.ts";
import { databaseFault } from "../../runtime/database-fault.ts";
import { readStatements } from "../../runtime/sql.ts";

/**
 * The statements beside this file, prepared once, and whether the file still gives and takes what they ask. What a
 * statement throws goes on to who asked; that it was the file's fault is remembered for whoever keeps the journal going.
 */
export class JournalRows {
  readonly #database: SqliteDatabase;
  readonly #sql: (name: string) => string;
  readonly #prepared = new Map<string, Statement>();
  #fault: unknown;

  constructor(database: SqliteDatabase) {
    this.#database = database;
    this.#sql = readStatements(new URL("./statements.sql", import.meta.url));
  }

  /** The first error that showed the file to be damaged or its device to fail; undefined while there was none. */
  get fault(): unknown {
    return this.#fault;
  }

  /** Remembers what showed by other ways than a statement that the file is damaged. */
  blame(cause: unknown): void {
    this.#fault ??= cause;
  }

  /** Number of rows that were changed. */
  run(name: string, values: object): number {
    return this.#attempt(() => this.#statement(name).run(values).changes);
  }

  // The row types are those of the statements beside this file; the schema's tests hold them.
  one<Row>(name: string, values: object = {}): Row | undefined {
    return this.#attempt(() => this.#statement(name).get(values)) as Row | undefined;
  }

  all<Row>(name: string, values: object = {}): Row[] {
    return this.#attempt(() => this.#statement(name).all(values)) as Row[];
  }

  /** All of it or nothing; durable when it returns. */
  atOnce<T>(work: () => T): T {
    return this.#attempt(() => this.#database.transaction(work)());
  }

  /** A number that SQLite keeps of the file. */
  pragma(name: string): number {
    return this.#attempt(() => Number(this.#database.pragma(name, { simple: true })));
  }

  /** Runs a pragma to its end: SQLite frees one page of `incremental_vacuum` at each step. */
  runPragma(name: string): void {
    this.#attempt(() => this.#database.pragma(name));
  }

  #statement(name: string): Statement {
    const known = this.#prepared.get(name);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(this.#sql(name));
    this.#prepared.set(name, statement);
    return statement;
  }

  #attempt<T>(work: () => T): T {
    try {
      return work();
    } catch (cause) {
      const fault = databaseFault(cause);
      if (fault === "damaged" || fault === "device") this.#fault ??= cause;
      throw cause;
    }
  }
}
