import { equalBytes, toHex } from "../../attest/bytes.ts";
import { type Checkpoint, openCheckpoint } from "../../attest/checkpoint.ts";
import { requireKey } from "../../attest/key-checks.ts";
import { nativeSuite } from "../../attest/native.ts";
import { Problem } from "../../attest/problem.ts";
import { openReceipt, receiptKeyHint } from "../../attest/receipt.ts";
import { at, bytesOf, placeOf, type Row, wholeOf } from "../../runtime/fsck-rows.ts";
import type { StoreContext, StoredLog } from "./fsck-types.ts";

const CHECKPOINT_HINT =
  "keep the file; the leaves are checked by themselves, and the device has this checkpoint still";
const RECEIPT_HINT =
  "keep the file: the device may hold the true receipt, and its anchor names the hash; do not give another one for this checkpoint";
const NODE_HINT =
  "was the node's key exchanged? Then name all its keys with --trust node:KEY; else the row was put in by somebody";

/** A checkpoint with its receipt, each column of its type. */
export interface CheckpointRow {
  readonly where: string;
  readonly size: number;
  readonly root: Uint8Array;
  readonly bytes: Uint8Array;
  readonly receipt: Uint8Array;
  readonly receivedMs: number;
}

/** Throws `row-type`. */
export function checkpointRow(log: number, row: Row): CheckpointRow {
  const where = placeOf("checkpoint", { log, size: row["size"] });
  return {
    where,
    size: wholeOf(row, "size", where),
    root: bytesOf(row, "root", where),
    bytes: bytesOf(row, "bytes", where),
    receipt: bytesOf(row, "receipt", where),
    receivedMs: wholeOf(row, "receivedMs", where),
  };
}

/** The checkpoint itself, signed by the device for this log and of the row's size. Throws what is wrong. */
export function openedRow({ identity, logId }: StoredLog, { where, bytes, size }: CheckpointRow): Checkpoint {
  const { deviceKey } = identity;
  const checkpoint = at(where, CHECKPOINT_HINT, () =>
    openCheckpoint(nativeSuite, bytes, { deviceKey, logId }),
  );
  if (checkpoint.size === size) return checkpoint;
  throw new Problem("checkpoint-size", "the checkpoint is over another size than its row says", {
    ...{ where, expected: String(size), got: String(checkpoint.size), hint: CHECKPOINT_HINT },
  });
}

/** The columns beside the signed bytes say what these say. Throws where one does not. */
export function requireColumns(context: StoreContext, row: CheckpointRow, checkpoint: Checkpoint): void {
  const { where, root } = row;
  if (!equalBytes(root, checkpoint.root)) {
    throw new Problem("fsck-root", "the root beside the checkpoint is not the signed one", {
      ...{ where, expected: toHex(checkpoint.root), got: toHex(root), hint: CHECKPOINT_HINT },
    });
  }
  requireReceipt(context, row, checkpoint);
}

/** The node's receipt over this very checkpoint, given when the row says. Throws where it is another. */
function requireReceipt(context: StoreContext, row: CheckpointRow, checkpoint: Checkpoint): void {
  const { where, receivedMs } = row;
  const nodeKey = nodeKeyOf(context, row);
  const receipt = at(where, RECEIPT_HINT, () => openReceipt(nativeSuite, row.receipt, nodeKey));
  const [expected, got] = [saidBy({ ...checkpoint, receivedAtMs: receivedMs }), saidBy(receipt)];
  context.counts.receipts += 1;
  if (expected === got) return;
  throw new Problem("receipt-foreign", "the receipt is not over this checkpoint, or of another time", {
    ...{ where, expected, got, hint: RECEIPT_HINT },
  });
}

function saidBy(said: {
  readonly size: number;
  readonly root: Uint8Array;
  readonly manifestHash: Uint8Array;
  readonly receivedAtMs: number;
}): string {
  const { size, root, manifestHash, receivedAtMs } = said;
  return `size ${size}, root ${toHex(root)}, manifest ${toHex(manifestHash)}, at ${receivedAtMs}`;
}

/** All receipts are of this node's own key: of those that are trusted, or else of the first one that was found. */
function nodeKeyOf(context: StoreContext, { where, receipt }: CheckpointRow): Uint8Array {
  const key = at(where, RECEIPT_HINT, () => receiptKeyHint(receipt));
  if (context.nodeKeys.length === 0) {
    at(where, RECEIPT_HINT, () => requireKey(nativeSuite, key, "node key"));
    context.nodeKeys = [key];
  }
  if (context.nodeKeys.some((own) => equalBytes(own, key))) return key;
  throw new Problem("fsck-node", "the receipt is of another node", {
    ...{ where, expected: context.nodeKeys.map(toHex).join(" or "), got: toHex(key), hint: NODE_HINT },
  });
}
