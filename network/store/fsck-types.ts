import type { LogIdentity } from "../../attest/identity.ts";
import type { SqliteDatabase } from "../../runtime/database.ts";
import type { Rows } from "../../runtime/fsck-rows.ts";
import type { Statements } from "./statements.ts";

/** Whose keys and network the file must be of; those that it names itself where none are given. */
export interface StoreTrust {
  readonly deviceKeys: readonly Uint8Array[];
  /** Of the node itself. */
  readonly nodeKeys: readonly Uint8Array[];
  readonly network?: string;
}

/** A store that is only read, and how it is looked at. */
export interface StoreCheck {
  readonly database: SqliteDatabase;
  readonly trust: StoreTrust;
  /** Told after each batch how many leaves have been looked at, and of how many. */
  readonly looked: (leaves: number, of: number) => void;
}

/** What was looked at. */
export interface StoreCounts {
  devices: number;
  logs: number;
  batches: number;
  leaves: number;
  checkpoints: number;
  receipts: number;
  faults: number;
}

/** What the checks of one store share. */
export interface StoreContext {
  readonly rows: Rows;
  readonly database: SqliteDatabase;
  /** The node's own, of which only those that read are used. */
  readonly statements: Statements;
  readonly counts: StoreCounts;
  readonly looked: () => void;
  readonly deviceKeys: readonly Uint8Array[];
  /** Keys that receipts may be of; the first receipt's where none is given. */
  nodeKeys: readonly Uint8Array[];
  /** The network of all logs; the first log's where none is given. */
  network: string | undefined;
}

/** A log as it stood at the instant at which it was first looked at; the node may extend it meanwhile. */
export interface StoredLog {
  /** The store's own number of it. */
  readonly log: number;
  readonly identity: LogIdentity;
  readonly logId: Uint8Array;
  readonly size: number;
  readonly rules: string;
  readonly openedMs: number;
}
