import type { Checkpoint } from "../../attest/checkpoint.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { rangeHash } from "../../attest/node-source.ts";
import { Problem } from "../../attest/problem.ts";
import type { JournalReader } from "../journal/journal-reader.ts";
import { journalTree } from "../journal/proof-source.ts";

/** A checkpoint is due after so many leaves, and covers no more new ones: a batch is what one checkpoint covers. */
export const CHECKPOINT_LEAVES = 1024;

/**
 * Checkpoints that come before `last`, over fewer of the same leaves, so that none covers more than 1,024 new ones. After a
 * start nothing is signed until the nodes have answered, and a new epoch may take over a long backlog: a batch of all that
 * would be more than any node takes.
 *
 * @param signedSize size of the newest checkpoint before
 */
export function* prefixCheckpoints(
  journal: JournalReader,
  epoch: number,
  { signedSize, last }: { readonly signedSize: number; readonly last: Checkpoint },
): Generator<Checkpoint> {
  const tree = journalTree(journal, epoch);
  for (let size = signedSize + CHECKPOINT_LEAVES; size < last.size; size += CHECKPOINT_LEAVES) {
    const [bytes] = journal.leaves(epoch, size - 1, size);
    if (bytes === undefined)
      throw new Problem("journal-gap", `leaf ${size - 1} of epoch ${epoch} is missing`);
    yield { ...last, size, root: rangeHash(tree, 0, size), lastLeafMs: decodeLeaf(bytes).timeMs };
  }
}
