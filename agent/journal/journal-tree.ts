import { nativeSuite } from "../../attest/native.ts";
import { type NodeSource, STORED_LEVEL, SubtreeSource } from "../../attest/node-source.ts";
import { Problem } from "../../attest/problem.ts";
import type { Suite } from "../../attest/suite.ts";
import { leafHash, nodeHash } from "../../attest/tree.ts";
import type { JournalReader } from "./journal-reader.ts";
import { blockRoot } from "./sound-blocks.ts";

/** The log's tree over the durable leaves, also where some of them were released. */
export class JournalTree implements NodeSource {
  readonly suite: Suite = nativeSuite;
  readonly #journal: JournalReader;
  readonly #epoch: number;
  /** Stored subtrees and what lies above them: of those nothing is ever released. */
  readonly #upper: SubtreeSource;

  constructor(journal: JournalReader, epoch: number) {
    this.#journal = journal;
    this.#epoch = epoch;
    this.#upper = new SubtreeSource(nativeSuite, {
      size: () => journal.size(epoch),
      stored: (position) => journal.subtree(epoch, position),
      leafHashes: (from, to) => journal.leaves(epoch, from, to).map((bytes) => leafHash(nativeSuite, bytes)),
    });
  }

  get size(): number {
    return this.#upper.size;
  }

  subtree(level: number, index: number): Uint8Array {
    return level < STORED_LEVEL ? this.#lower(level, index) : this.#upper.subtree(level, index);
  }

  #lower(level: number, index: number): Uint8Array {
    const from = index * 2 ** level;
    const leaves = this.#journal.leaves(this.#epoch, from, from + 2 ** level);
    if (leaves.length === 2 ** level) return blockRoot(leaves);
    const kept = this.#journal.releasedHash(this.#epoch, from, level);
    if (kept !== undefined) return kept;
    if (level === 0) throw missing(from);
    return nodeHash(nativeSuite, this.#lower(level - 1, 2 * index), this.#lower(level - 1, 2 * index + 1));
  }
}

function missing(seq: number): Problem {
  return new Problem("tree-node-missing", "the journal does not hold this leaf, nor a hash in its place", {
    where: `leaf ${seq}`,
    hint: "of released leaves only what lies between signed sizes can be proven",
  });
}
