import type Database from "better-sqlite3";
import type { SqliteDatabase } from "../../runtime/database.ts";
import { readStatements } from "../../runtime/sql.ts";
import type { Audit, AuditRecords, Difference, KeptAudit } from "./audit-record.ts";

/** The file of a node's store, and how it is changed: a SqliteStore. */
export interface AuditDatabase {
  readonly database: SqliteDatabase;
  write<T>(change: { readonly run: () => T; readonly bytes?: number }): Promise<T>;
}

/** Of each device. What differs is kept apart, so that nothing else pushes it out. */
export const MOST_DIFFERENCES = 16;
export const MOST_OTHERS = 256;

type OrNull<T> = { readonly [Column in keyof T]: T[Column] | null };

interface Row extends Omit<KeptAudit, "difference">, OrNull<Difference> {}

interface WholeRow extends Row, OrNull<NonNullable<Audit["evidence"]>> {}

type Values = Readonly<Record<string, number | string | Uint8Array | null>>;

/** Audits in the store's own file (004-audits.sql): of each device the newest. */
export class SqliteAudits implements AuditRecords {
  readonly #owner: AuditDatabase;
  readonly #text: (name: string) => string;
  readonly #prepared = new Map<string, Database.Statement>();

  constructor(owner: AuditDatabase) {
    this.#owner = owner;
    this.#text = readStatements(new URL("audits.sql", import.meta.url));
  }

  /** Throws what the store throws when it cannot be written. */
  async add({ evidence, difference, ...audit }: Audit): Promise<void> {
    const { deviceKey, verdict } = audit;
    const bytes = evidence?.frame.length ?? 0;
    const parts = { ...NO_PARTS, ...difference, ...evidence };
    const differs = verdict === "differs";
    const kept = differs ? MOST_DIFFERENCES : MOST_OTHERS;
    const run = (): void => {
      this.#statement("add").run({ ...audit, ...parts });
      this.#statement("forget").run({ deviceKey, differs: Number(differs), kept });
    };
    await this.#owner.write({ run, bytes });
  }

  async newest(
    deviceKey: Uint8Array,
    { before, limit }: { readonly before: number; readonly limit: number },
  ): Promise<readonly KeptAudit[]> {
    return this.#statement<Row>("newest").all({ deviceKey, before, limit }).map(auditOf);
  }

  async find(deviceKey: Uint8Array, id: number): Promise<(KeptAudit & Pick<Audit, "evidence">) | undefined> {
    const row = this.#statement<WholeRow>("find").get({ deviceKey, id });
    return row && { ...auditOf(row), ...evidenceOf(row) };
  }

  #statement<Result = never>(name: string): Database.Statement<[Values], Result> {
    let statement = this.#prepared.get(name);
    if (statement === undefined) {
      statement = this.#owner.database.prepare(this.#text(name));
      this.#prepared.set(name, statement);
    }
    // The schema is STRICT, and each caller names the columns of the statement it asks for.
    return statement as Database.Statement<[Values], Result>;
  }
}

const NO_PARTS = {
  value: null,
  expected: null,
  got: null,
  frame: null,
  leaf: null,
  path: null,
  checkpoint: null,
};

function auditOf({ id, epoch, seq, channel, leafMs, auditedMs, verdict, detail, ...row }: Row): KeptAudit {
  const { deviceKey, value, expected, got } = row;
  const difference =
    value === null || expected === null || got === null ? {} : { difference: { value, expected, got } };
  const audit = { id, epoch, seq, channel, leafMs, auditedMs, verdict, detail, ...difference };
  return { deviceKey: plain(deviceKey), ...audit };
}

function evidenceOf({ frame, leaf, path, checkpoint }: WholeRow): Pick<Audit, "evidence"> {
  if (frame === null || leaf === null || path === null || checkpoint === null) return {};
  const parts = { leaf: plain(leaf), path: plain(path), checkpoint: plain(checkpoint) };
  return { evidence: { frame: plain(frame), ...parts } };
}

/** SQLite hands out Buffers. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
