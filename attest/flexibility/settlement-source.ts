import type { ProofSource } from "../proof-source.ts";

/** Where a settlement proof is built from: an agent's journal or a node's store, for one log. */
export interface SettlementSource extends ProofSource {
  /** Seqs of the leaves of kinds offer to settlement whose time lies in [fromMs, toMs], ascending. */
  lifecycle(fromMs: number, toMs: number): readonly number[];
}
