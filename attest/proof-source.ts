import type { LogIdentity } from "./identity.ts";
import type { IntervalClose } from "./leaf.ts";
import type { NodeSource } from "./node-source.ts";

/** A signed checkpoint as it is kept, with the receipts over it. */
export interface KeptCheckpoint {
  readonly bytes: Uint8Array;
  readonly receipts: readonly Uint8Array[];
}

/** Where a proof is built from: an agent's journal or a node's store, for one log. */
export interface ProofSource {
  readonly identity: LogIdentity;
  /** The exact bytes of leaf `seq`. Throws when they are not kept. */
  leaf(seq: number): Uint8Array;
  /** The channel's closes with t0 >= fromMs and t1 <= toMs, by seq. */
  closes(channel: number, fromMs: number, toMs: number): readonly IntervalClose[];
  /**
   * The smallest stored checkpoint over more than `seq` leaves that has a receipt, with its receipts; without
   * any receipt the smallest one at all; undefined when no checkpoint covers `seq` yet.
   */
  checkpointOver(seq: number): KeptCheckpoint | undefined;
  /** The stored checkpoint of exactly this size, with its receipts. */
  checkpointAt(size: number): KeptCheckpoint | undefined;
  /** The last anchor leaf below `seq` whose receipt is stored, with that receipt. */
  anchorBelow(seq: number): { readonly seq: number; readonly receipt: Uint8Array } | undefined;
  /** The tree, at least as large as the newest stored checkpoint. */
  tree(): NodeSource;
}
