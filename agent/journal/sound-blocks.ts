import { equalBytes, toHex } from "../../attest/bytes.ts";
import { nativeSuite } from "../../attest/native.ts";
import { STORED_SUBTREE_LEAVES } from "../../attest/node-source.ts";
import { Problem } from "../../attest/problem.ts";
import { Frontier, leafHash } from "../../attest/tree.ts";

/** Leaves `from` to `to` - 1. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
}

/** What of a journal its blocks are checked by. */
export interface BlockSource {
  readonly path: string;
  size(epoch: number): number;
  leaves(epoch: number, from: number, to: number): readonly Uint8Array[];
  subtree(epoch: number, position: number): Uint8Array | undefined;
  releasedTo(epoch: number): number;
}

const BLOCK = STORED_SUBTREE_LEAVES;

/** Whether the leaves of a complete block are those that were sealed; some of them may have been released. */
export type Soundness = "sound" | "released" | "damaged";

/** Holds the leaves of block `position` against the hash that was stored when the last one of them was sealed. */
export function soundness(journal: BlockSource, epoch: number, position: number): Soundness {
  const leaves = journal.leaves(epoch, position * BLOCK, (position + 1) * BLOCK);
  if (leaves.length < BLOCK) return journal.releasedTo(epoch) > position * BLOCK ? "released" : "damaged";
  const stored = journal.subtree(epoch, position);
  return stored !== undefined && equalBytes(stored, blockRoot(leaves)) ? "sound" : "damaged";
}

/** Root over leaves that begin where a block does; at most a block of them. */
export function blockRoot(leaves: readonly Uint8Array[]): Uint8Array {
  const frontier = new Frontier(nativeSuite);
  for (const bytes of leaves) frontier.append(leafHash(nativeSuite, bytes));
  return frontier.root();
}

/**
 * One changed bit in a leaf is still a leaf, and SQLite has no check sums: what is handed out is held against the hashes
 * first. The block that is not complete yet has none. Throws `journal-damaged`.
 */
export function requireSound(journal: BlockSource, epoch: number, { from, to }: Stretch): void {
  const complete = Math.floor(journal.size(epoch) / BLOCK);
  for (
    let position = Math.floor(from / BLOCK);
    position < Math.min(complete, Math.ceil(to / BLOCK));
    position++
  )
    if (soundness(journal, epoch, position) === "damaged") throw damagedBlock(journal, epoch, position);
}

/** `journal-damaged`, naming the block. */
export function damagedBlock(journal: BlockSource, epoch: number, position: number): Problem {
  const stored = journal.subtree(epoch, position);
  return new Problem("journal-damaged", "the journal does not hold the leaves that were sealed", {
    where: `${journal.path}, leaves ${position * BLOCK} to ${(position + 1) * BLOCK - 1} of epoch ${epoch}`,
    expected: stored === undefined ? "a stored hash over them" : `leaves with the hash ${toHex(stored)}`,
    got: "others",
    hint: "replace the card if it happens again",
  });
}
