import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { nativeSuite } from "../../attest/native.ts";
import { STORED_LEVEL, STORED_SUBTREE_LEAVES } from "../../attest/node-source.ts";
import { leafHash, nodeHash } from "../../attest/tree.ts";
import type { Release } from "./journal.ts";
import type { JournalReader } from "./journal-reader.ts";
import { damagedBlock, type Stretch, soundness } from "./sound-blocks.ts";

/**
 * What of a complete block of leaves can go once it is receipted: its readings. Everything else stays, and the hashes
 * that proofs of it need: of the largest subtrees of nothing but readings, none of which a signed size cuts in two.
 * Undefined when nothing can go, or went already.
 *
 * @param position of the block, in blocks of 256 leaves
 * @throws Problem `journal-damaged` where the leaves are not those that were sealed
 */
export function planRelease(journal: JournalReader, epoch: number, position: number): Release | undefined {
  const from = position * STORED_SUBTREE_LEAVES;
  const sound = soundness(journal, epoch, position);
  if (sound === "damaged") throw damagedBlock(journal, epoch, position);
  if (sound === "released") return undefined;
  const leaves = journal.leaves(epoch, from, from + STORED_SUBTREE_LEAVES);
  const goes = leaves.map((bytes) => decodeLeaf(bytes).kind === "reading");
  if (!goes.includes(true)) return undefined;
  const sizes = journal.signedSizes(epoch, { from, to: from + STORED_SUBTREE_LEAVES - 1 });
  const cuts = new Set(sizes.map((size) => size - from));
  const levels = levelsOf(leaves);
  const hashes = largest({ goes, cuts }, STORED_LEVEL, 0).map(({ level, index }) => ({
    ...{ seq: from + index * 2 ** level, level },
    hash: levels[level]?.[index] ?? new Uint8Array(0),
  }));
  return { runs: runsOf(goes, from), hashes };
}

/** Number of leaves that a release takes away. */
export function leavesOf({ runs }: Release): number {
  return runs.reduce((sum, { from, to }) => sum + to - from, 0);
}

interface Block {
  /** Of each leaf whether it goes. */
  readonly goes: readonly boolean[];
  /** Sizes that were signed, counted from the first leaf of the block. */
  readonly cuts: ReadonlySet<number>;
}

interface Subtree {
  readonly level: number;
  readonly index: number;
}

function largest(block: Block, level: number, index: number): Subtree[] {
  const from = index * 2 ** level;
  const to = from + 2 ** level;
  const kept = block.goes.slice(from, to).includes(false);
  const cut = [...block.cuts].some((size) => size > from && size < to);
  if (!kept && !cut) return [{ level, index }];
  if (level === 0) return [];
  return [...largest(block, level - 1, 2 * index), ...largest(block, level - 1, 2 * index + 1)];
}

/** Hashes of all complete subtrees of the block: `[level][index]`. */
function levelsOf(leaves: readonly Uint8Array[]): Uint8Array[][] {
  const levels = [leaves.map((bytes) => leafHash(nativeSuite, bytes))];
  for (let level = 1; level <= STORED_LEVEL; level++) {
    const below = levels[level - 1] ?? [];
    levels.push(
      Array.from({ length: below.length / 2 }, (_, at) =>
        nodeHash(nativeSuite, below[2 * at] ?? new Uint8Array(0), below[2 * at + 1] ?? new Uint8Array(0)),
      ),
    );
  }
  return levels;
}

function runsOf(goes: readonly boolean[], from: number): Stretch[] {
  const runs: { from: number; to: number }[] = [];
  for (const [at, going] of goes.entries()) {
    const last = runs.at(-1);
    if (!going) continue;
    if (last?.to === from + at) last.to += 1;
    else runs.push({ from: from + at, to: from + at + 1 });
  }
  return runs;
}
