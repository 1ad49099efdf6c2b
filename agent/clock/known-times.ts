import { TIME_QUALITY } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { nativeSuite } from "../../attest/native.ts";
import { openReceipt, type Receipt } from "../../attest/receipt.ts";
import type { Journal } from "../journal/journal.ts";
import type { Instant } from "./clock.ts";

/**
 * The latest UTC in the journal that came from time servers or nodes: of its last leaf, or of the newest close, since
 * what follows that may have been sealed with the time since boot. 0 for none.
 */
export function provenMs(journal: Journal, last: Instant | undefined): number {
  const closes = journal
    .epochs()
    .slice(0, 2)
    .flatMap((epoch) => newestClose(journal, epoch));
  const proven = [...(last === undefined ? [] : [last]), ...closes].filter(
    ({ timeQuality }) => timeQuality > TIME_QUALITY.batteryClock,
  );
  return Math.max(0, ...proven.map(({ timeMs }) => timeMs));
}

/** The newest receipt of that node that the journal holds, of the newest epoch that has any. */
export function newestReceiptOf(journal: Journal, nodeKey: Uint8Array): Receipt | undefined {
  for (const epoch of journal.epochs()) {
    const size = journal.receiptedSize(epoch, nodeKey);
    const found = (size === 0 ? undefined : journal.keptCheckpoint(epoch, size))?.receipts.flatMap((bytes) =>
      opened(bytes, nodeKey),
    );
    if (found?.[0] !== undefined) return found[0];
  }
  return undefined;
}

function newestClose(journal: Journal, epoch: number): Instant[] {
  return journal
    .recentCloseSeqs(epoch, 1)
    .flatMap((seq) => journal.leaves(epoch, seq, seq + 1))
    .map(decodeLeaf);
}

/** Receipts of several nodes lie under one size: only this one's can be opened with its key. */
function opened(bytes: Uint8Array, nodeKey: Uint8Array): Receipt[] {
  try {
    return [openReceipt(nativeSuite, bytes, nodeKey)];
  } catch {
    return [];
  }
}
