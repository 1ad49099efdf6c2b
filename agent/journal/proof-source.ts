import type { SettlementSource } from "../../attest/flexibility/settlement-source.ts";
import type { LogIdentity } from "../../attest/identity.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import type { NodeSource } from "../../attest/node-source.ts";
import { Problem } from "../../attest/problem.ts";
import type { JournalReader } from "./journal-reader.ts";
import { JournalTree } from "./journal-tree.ts";

/** Proofs out of the device's own journal, for one epoch. */
export function journalProofSource(journal: JournalReader, identity: LogIdentity): SettlementSource {
  const { epoch } = identity;
  return {
    identity,
    leaf: (seq) => storedLeaf(journal, epoch, seq),
    closes: (channel, fromMs, toMs) =>
      journal.closeSeqs(epoch, { channel, fromMs, toMs }).map((seq) => {
        const leaf = decodeLeaf(storedLeaf(journal, epoch, seq));
        if (leaf.kind === "intervalClose") return leaf;
        throw new Problem("journal-index", "the index of closes points at another leaf", {
          where: `leaf ${seq}`,
        });
      }),
    checkpointOver: (seq) => journal.checkpointOver(epoch, seq),
    checkpointAt: (size) => journal.keptCheckpoint(epoch, size),
    anchorBelow: (seq) => anchorBelow(journal, epoch, seq),
    tree: () => journalTree(journal, epoch),
    lifecycle: (fromMs, toMs) => journal.lifecycleSeqs(epoch, { fromMs, toMs }),
  };
}

/** The log's tree over the durable leaves, also where some of them were released. */
export function journalTree(journal: JournalReader, epoch: number): NodeSource {
  return new JournalTree(journal, epoch);
}

function storedLeaf(journal: JournalReader, epoch: number, seq: number): Uint8Array {
  const [bytes] = journal.leaves(epoch, seq, seq + 1);
  if (bytes !== undefined) return bytes;
  throw new Problem("journal-leaf", "the journal does not hold this leaf", {
    where: `leaf ${seq}`,
    ...(seq < journal.releasedTo(epoch)
      ? { hint: "it was released when every node had receipted it: ask a node for it" }
      : {}),
  });
}

function anchorBelow(
  journal: JournalReader,
  epoch: number,
  seq: number,
): { seq: number; receipt: Uint8Array } | undefined {
  const at = journal.anchorSeqBelow(epoch, seq);
  if (at === undefined) return undefined;
  const leaf = decodeLeaf(storedLeaf(journal, epoch, at));
  if (leaf.kind !== "anchor") return undefined;
  const receipt = journal.receiptByHash(leaf.receiptHash);
  return receipt === undefined ? undefined : { seq: at, receipt };
}
