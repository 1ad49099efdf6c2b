import type Database from "better-sqlite3";
import type { SqliteDatabase } from "../../runtime/database.ts";
import { readStatements } from "../../runtime/sql.ts";
import type { Change } from "../store/group-commit.ts";

/** The node's database, as it is shared by all that keep tables in it. */
export interface SharedDatabase {
  readonly database: SqliteDatabase;
  /** Runs the change in a transaction; resolves when it is durable. */
  write<T>(change: Change<T>): Promise<T>;
}

export const ENROLMENT_STATES = ["waiting", "approved", "rejected", "enrolled"] as const;
export type EnrolmentState = (typeof ENROLMENT_STATES)[number];

/** What the node knows of a key that is to be enrolled, or is. */
export interface EnrolmentRow {
  readonly key: Uint8Array;
  readonly state: EnrolmentState;
  /** Of the code that it came with, or what the operator wrote; may be empty. */
  readonly label: string;
  /** Where it last asked from; empty for one that never did. */
  readonly source: string;
  readonly changedMs: number;
  readonly statement: Uint8Array | null;
  readonly countersignature: Uint8Array | null;
}

/** A one-time code that is kept. */
export interface CodeRow {
  readonly id: number;
  readonly label: string;
  readonly codeKey: Uint8Array;
  readonly createdMs: number;
  readonly expiresMs: number;
}

/** A statement with the countersignature that is to become the node's answer, and what allows it. */
export interface Granted {
  readonly key: Uint8Array;
  readonly source: string;
  readonly nowMs: number;
  readonly statement: Uint8Array;
  readonly countersignature: Uint8Array;
  /** The code that is used up by this; undefined for a key that the operator has approved. */
  readonly codeId: number | undefined;
}

/** Keys that wait at one time: in all, and from one source. */
export interface WaitingLimits {
  readonly total: number;
  readonly perSource: number;
}

type Values = Readonly<Record<string, number | string | Uint8Array | null>>;

/** Enrolled keys, those that wait, and one-time codes, in the node's database. Reads are small and by index. */
export class EnrolmentRecords {
  readonly #shared: SharedDatabase;
  readonly #limits: WaitingLimits;
  readonly #text: (name: string) => string;
  readonly #prepared = new Map<string, Database.Statement>();

  constructor(shared: SharedDatabase, limits: WaitingLimits) {
    this.#shared = shared;
    this.#limits = limits;
    this.#text = readStatements(new URL("enrolment.sql", import.meta.url));
  }

  stateOf(key: Uint8Array): EnrolmentState | undefined {
    return this.#one<{ state: EnrolmentState }>("state", [key])?.state;
  }

  record(key: Uint8Array): EnrolmentRow | undefined {
    const row = this.#one<EnrolmentRow>("record", [key]);
    return row && plainRow(row);
  }

  /** By key, those after `after`. */
  list(page: {
    readonly state: EnrolmentState | null;
    readonly after: Uint8Array;
    readonly limit: number;
  }): EnrolmentRow[] {
    return this.#all<EnrolmentRow>("list", { ...page }).map(plainRow);
  }

  counts(): Readonly<Record<EnrolmentState, number>> {
    const rows = this.#all<{ state: EnrolmentState; count: number }>("count", {});
    const none = { waiting: 0, approved: 0, rejected: 0, enrolled: 0 };
    return Object.assign(none, Object.fromEntries(rows.map(({ state, count }) => [state, count])));
  }

  codes(): CodeRow[] {
    return this.#all<CodeRow>("codes", {}).map((row) => ({ ...row, codeKey: new Uint8Array(row.codeKey) }));
  }

  /** Puts a key on the list of those that wait, or brings it up to date; the longest unheard ones make room. */
  async wait(asked: Pick<Granted, "key" | "source" | "nowMs" | "statement">): Promise<void> {
    const { source } = asked;
    await this.#shared.write({
      run: () => {
        this.#run("wait", { ...asked });
        this.#run("forget-waiting-of-source", { source, most: this.#limits.perSource });
        this.#run("forget-waiting", { most: this.#limits.total });
      },
    });
  }

  /** Uses up the code and enrols, both or neither. False when the code, or the approval, is not there any more. */
  async enrol({ codeId, ...granted }: Granted): Promise<boolean> {
    return this.#shared.write({
      run: () => {
        const label = this.#permission(granted, codeId);
        if (label === undefined) return false;
        return this.#run("enrol", { ...granted, label }) === 1;
      },
    });
  }

  #permission({ key, nowMs }: Omit<Granted, "codeId">, codeId: number | undefined): string | undefined {
    const record = this.record(key);
    if (record?.state === "approved") return record.label;
    if (record?.state === "rejected" || record?.state === "enrolled" || codeId === undefined)
      return undefined;
    return this.#one<{ label: string }>("use-code", { id: codeId, nowMs })?.label;
  }

  /** Notes the operator's decision about a key that is not enrolled; false when it is, and nothing changes. */
  async decide(
    key: Uint8Array,
    decision: { readonly state: "approved" | "rejected"; readonly label?: string; readonly nowMs: number },
  ): Promise<boolean> {
    return this.#shared.write({
      run: () => {
        const before = this.record(key);
        if (before?.state === "enrolled") return false;
        this.#run("decide", { key, ...decision, label: decision.label ?? before?.label ?? "" });
        return true;
      },
    });
  }

  /** Forgets the key. False when there is nothing to forget. */
  async remove(key: Uint8Array): Promise<boolean> {
    return this.#shared.write({ run: () => this.#statement("remove").run(key).changes > 0 });
  }

  /** The new code's number, or undefined when `most` are kept; those that ended before `clearMs` are cleared away first. */
  async addCode(
    code: Omit<CodeRow, "id">,
    { most, clearMs }: { readonly most: number; readonly clearMs: number },
  ): Promise<number | undefined> {
    const { createdMs, ...rest } = code;
    return this.#shared.write({
      run: () => {
        this.#statement("clear-codes").run(clearMs);
        if ((this.#one<{ count: number }>("count-codes", {})?.count ?? 0) >= most) return undefined;
        return this.#one<{ id: number }>("add-code", { ...rest, nowMs: createdMs })?.id;
      },
    });
  }

  async removeCode(id: number): Promise<boolean> {
    return this.#shared.write({ run: () => this.#statement("remove-code").run(id).changes > 0 });
  }

  #one<Row>(name: string, values: Values | readonly Uint8Array[]): Row | undefined {
    return this.#statement<Row>(name).get(values);
  }

  #all<Row>(name: string, values: Values): Row[] {
    return this.#statement<Row>(name).all(values);
  }

  #run(name: string, values: Values): number {
    return this.#statement(name).run(values).changes;
  }

  #statement<Row>(name: string): Database.Statement<unknown[], Row> {
    let statement = this.#prepared.get(name);
    if (statement === undefined) {
      statement = this.#shared.database.prepare(this.#text(name));
      this.#prepared.set(name, statement);
    }
    // The schema is STRICT, and each caller names the columns of the statement it asks for.
    return statement as Database.Statement<unknown[], Row>;
  }
}

/** Byte strings come as Buffer, which compares unequal to a Uint8Array of the same bytes. */
function plainRow(row: EnrolmentRow): EnrolmentRow {
  const { key, statement, countersignature } = row;
  return {
    ...row,
    key: new Uint8Array(key),
    statement: statement && new Uint8Array(statement),
    countersignature: countersignature && new Uint8Array(countersignature),
  };
}
