import type { SqliteDatabase } from "../../runtime/database.ts";

/** Changes and bytes that wait for one transaction at most; beyond that it is not put off any longer. */
const MOST_CHANGES = 512;
const MOST_BYTES = 16 * 1_048_576;

/** One change of the database. */
export interface Change<T> {
  /**
   * Only reads and writes the database, all or nothing; it is run again, alone, when another change of its transaction
   * fails.
   */
  readonly run: () => T;
  /** Called with what `run` returned as soon as that is durable, before anything else happens. */
  readonly durable?: (value: T) => void;
  /** About how much memory is held until then. */
  readonly bytes?: number;
}

interface Waiting {
  readonly run: () => unknown;
  readonly done: (value: unknown) => void;
  readonly failed: (cause: unknown) => void;
}

/** What became of one transaction. */
type Outcome =
  | { readonly written: true; readonly values: readonly unknown[] }
  | { readonly written: false; readonly begun: number; readonly cause: unknown };

/**
 * Writes changes that come at the same time in one transaction, so that one sync of the disk, which takes longer than
 * checking a batch, makes all of them durable. Nothing waits for others to come: what has come when this turn of the event
 * loop ends is written then.
 */
export class GroupCommit {
  readonly #database: SqliteDatabase;
  #waiting: Waiting[] = [];
  #bytes = 0;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  /** Resolves to what `run` returned, once it is durable. Rejects with what it or SQLite throws, and then has changed nothing. */
  write<T>({ run, durable, bytes = 0 }: Change<T>): Promise<T> {
    return new Promise((resolve, failed) => {
      const done = (value: unknown): void => {
        // What comes back is what this very `run` returned.
        durable?.(value as T);
        resolve(value as T);
      };
      if (this.#waiting.length === 0) setImmediate(() => this.flush());
      this.#waiting.push({ run, done, failed });
      this.#bytes += bytes;
      if (this.#waiting.length >= MOST_CHANGES || this.#bytes >= MOST_BYTES) this.flush();
    });
  }

  /** Writes what waits now. */
  flush(): void {
    const changes = this.#waiting;
    this.#waiting = [];
    this.#bytes = 0;
    if (changes.length > 0) this.#writeAll(changes);
  }

  #writeAll(changes: readonly Waiting[]): void {
    const outcome = this.#transact(changes);
    if (outcome.written) for (const [at, { done }] of changes.entries()) done(outcome.values[at]);
    // One that is alone failed by itself, and where none was begun there is nothing that one of them spoilt.
    else if (changes.length === 1 || outcome.begun === 0)
      for (const { failed } of changes) failed(outcome.cause);
    else for (const change of changes) this.#writeAll([change]);
  }

  #transact(changes: readonly Waiting[]): Outcome {
    let begun = 0;
    const runAll = (): readonly unknown[] =>
      changes.map(({ run }) => {
        begun += 1;
        return run();
      });
    try {
      // IMMEDIATE: two processes on one file queue up instead of failing half-way.
      return { written: true, values: this.#database.transaction(runAll).immediate() };
    } catch (cause) {
      return { written: false, begun, cause };
    }
  }
}
