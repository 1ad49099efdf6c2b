import type { Problem } from "../../attest/problem.ts";
import { SUBTREE_LEAVES } from "./journal.ts";
import type { JournalReader } from "./journal-reader.ts";
import { damagedBlock, soundness } from "./sound-blocks.ts";

/** Blocks that are read at a time: a gigabyte in half a day at one commit in ten seconds. */
const BLOCKS_AT_A_TIME = 8;

/**
 * Reads the journal through while the agent runs, a few blocks at each commit, and holds every leaf against the hash that
 * was stored when it was sealed: a card that forgets shows long before anybody asks for what it forgot, and opening a
 * large journal need not wait for it.
 */
export class Scrub {
  #epoch = 0;
  #position = 0;

  /** The next blocks; what is wrong with the first one that is not what was sealed, and where it ends. Throws what SQLite throws. */
  step(
    journal: JournalReader,
  ): { readonly epoch: number; readonly to: number; readonly problem: Problem } | undefined {
    if (this.#epoch === 0) this.#begin(journal);
    for (let count = 0; count < BLOCKS_AT_A_TIME; count++) {
      const position = this.#position;
      if (position >= Math.floor(journal.size(this.#epoch) / SUBTREE_LEAVES)) {
        this.#begin(journal);
        return undefined;
      }
      this.#position += 1;
      journal.touch(this.#epoch, { from: position * SUBTREE_LEAVES, to: this.#position * SUBTREE_LEAVES });
      if (soundness(journal, this.#epoch, position) === "damaged") {
        const problem = damagedBlock(journal, this.#epoch, position);
        return { epoch: this.#epoch, to: this.#position * SUBTREE_LEAVES, problem };
      }
    }
    return undefined;
  }

  /** The oldest epoch behind the one that is done, or again the first. */
  #begin(journal: JournalReader): void {
    const epochs = journal.epochs().reverse();
    this.#epoch = epochs.find((epoch) => epoch > this.#epoch) ?? epochs[0] ?? 0;
    this.#position = 0;
  }
}
