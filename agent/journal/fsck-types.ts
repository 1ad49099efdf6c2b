import type { LogIdentity } from "../../attest/identity.ts";
import type { Leaf } from "../../attest/leaf.ts";
import type { SqliteDatabase } from "../../runtime/database.ts";
import type { Rows } from "../../runtime/fsck-rows.ts";

/** Whose keys and network the file must be of; those that it names itself where none are given. */
export interface JournalTrust {
  readonly deviceKeys: readonly Uint8Array[];
  readonly nodeKeys: readonly Uint8Array[];
  readonly network?: string;
}

/** A journal that is only read, and how it is looked at. */
export interface JournalCheck {
  readonly database: SqliteDatabase;
  /** Of the journal: the epoch file stands beside it. */
  readonly path: string;
  readonly trust: JournalTrust;
  /** Told after each stretch of leaves how many have been looked at, and of how many. */
  readonly looked: (leaves: number, of: number) => void;
}

/** What was looked at. */
export interface JournalCounts {
  readonly epochs: number;
  readonly leaves: number;
  readonly checkpoints: number;
  readonly receipts: number;
  /** Leaves that are released: only the hashes over them are still there. */
  readonly released: number;
}

/** How far an epoch went at the instant at which it was first looked at; its owner may write on meanwhile. */
export interface Extent {
  readonly epoch: number;
  /** Behind its last leaf. */
  readonly size: number;
  /** Size of its newest checkpoint; 0 for none. */
  readonly signed: number;
  /** Hashes that stood for released leaves. */
  readonly releasedRows: number;
}

/** What the notes say, as far as the leaves can show it. */
export interface Notes {
  readonly epoch?: number;
  readonly bootCount?: number;
  /** The saved state of the newest epoch; absent where it is empty or cannot be read. */
  readonly rules?: SavedRules;
}

export interface SavedRules {
  readonly size: number;
  readonly text: string;
}

/** What the checks of one epoch share. */
export interface EpochCheck {
  readonly rows: Rows;
  readonly extent: Extent;
  readonly trust: JournalTrust;
  /** Only of the newest epoch. */
  readonly saved: SavedRules | undefined;
  /** The number of starts that the journal counts; no checkpoint can name a later one. */
  readonly bootCount: number | undefined;
  /** Told after each stretch how many leaves of the epoch have been looked at. */
  readonly looked: (leaves: number) => void;
}

export interface CheckedEpoch extends Omit<JournalCounts, "epochs"> {
  /** Undefined where the log manifest cannot be read. */
  readonly identity: LogIdentity | undefined;
  /** The leaf at seq 1, where it could be read. */
  readonly second: Leaf | undefined;
}
