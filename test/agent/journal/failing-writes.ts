import Database from "better-sqlite3";

/** What SQLite may report of a write. */
export const WRITE_FAULTS = [
  "SQLITE_FULL",
  "SQLITE_IOERR_WRITE",
  "SQLITE_IOERR_FSYNC",
  "SQLITE_READONLY",
] as const;

export interface Fault {
  readonly code: string;
  /** Writes that go well before. */
  readonly after: number;
  /** Writes in a row that fail. */
  readonly count: number;
  /** Whether a commit that fails has been carried out all the same, as where only its last step went wrong. */
  readonly late: boolean;
}

interface Runnable {
  readonly source: string;
  run(...values: unknown[]): unknown;
}

/** Between SQLite and whoever writes through it: statements fail when they are told to, as they do on a bad card. */
export class FailingWrites {
  readonly #prototype: Runnable;
  readonly #run: Runnable["run"];
  #fault: Fault | undefined;
  #seen = 0;
  failed = 0;

  constructor() {
    const database = new Database(":memory:");
    // better-sqlite3 exports no statement: its prototype is that of any.
    this.#prototype = Object.getPrototypeOf(database.prepare("SELECT 1")) as Runnable;
    database.close();
    this.#run = this.#prototype.run;
    const failing = this;
    this.#prototype.run = function (this: Runnable, ...values: unknown[]): unknown {
      return failing.#write(this, values);
    };
  }

  arm(fault: Fault): void {
    this.#fault = fault;
    this.#seen = 0;
  }

  disarm(): void {
    this.#fault = undefined;
  }

  restore(): void {
    this.#prototype.run = this.#run;
  }

  #write(statement: Runnable, values: unknown[]): unknown {
    const fault = this.#fault;
    const undo = statement.source === "ROLLBACK";
    if (fault === undefined || undo) return this.#run.apply(statement, values);
    const at = this.#seen;
    this.#seen += 1;
    if (at < fault.after || at >= fault.after + fault.count) return this.#run.apply(statement, values);
    this.failed += 1;
    if (fault.late && statement.source === "COMMIT") this.#run.apply(statement, values);
    throw new Database.SqliteError("injected", fault.code);
  }
}
