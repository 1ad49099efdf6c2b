import { equalBytes, toHex } from "../../attest/bytes.ts";
import type { Checkpoint } from "../../attest/checkpoint.ts";
import { requireKey } from "../../attest/key-checks.ts";
import type { Anchor } from "../../attest/leaf.ts";
import { nativeSuite } from "../../attest/native.ts";
import { Problem } from "../../attest/problem.ts";
import { openReceipt, type Receipt } from "../../attest/receipt.ts";
import {
  at,
  bytesOf,
  type Findings,
  guarded,
  placeOf,
  type Row,
  shown,
  wholeOf,
} from "../../runtime/fsck-rows.ts";
import type { EpochCheck } from "./fsck-types.ts";

/** More than nodes that give receipts to one device. */
const MAX_RECEIPTS = 1000;
const HINT =
  "the receipt counts for nothing as it stands here; the node that gave it has it still, and the log is no worse for it";
const ANCHOR_HINT =
  "keep the file: the log says that it had a receipt which the journal does not hold; the node that gave it has it still";

/**
 * Receipts of sizes above `after` up to that of a checkpoint: each must be over that very checkpoint. Returns how many
 * there are.
 */
export function* checkReceipts(
  check: EpochCheck,
  { after, size }: { readonly after: number; readonly size: number },
  checkpoint: Checkpoint | undefined,
): Findings<number> {
  const { epoch } = check.extent;
  const page = check.rows.all("receipts", { epoch, after, to: size, limit: MAX_RECEIPTS });
  for (const row of page) {
    if (row["size"] === size) yield* guarded(() => requireReceipt(check, row, checkpoint));
    else
      yield new Problem("fsck-orphan", "a receipt is over a size that was never signed here", {
        where: placeOf("receipt", { epoch, size: row["size"] }),
        expected: "a checkpoint of that size",
        got: "none",
        hint: "a checkpoint is missing, or the row is damaged; a node that holds this log has both",
      });
  }
  if (page.length === MAX_RECEIPTS) yield tooMany(epoch, size);
  return page.length;
}

function tooMany(epoch: number, size: number): Problem {
  return new Problem(
    "fsck-orphan",
    "there are more receipts than nodes can have given; the rest is left out",
    {
      where: placeOf("receipt", { epoch, size }),
      ...{ expected: `fewer than ${MAX_RECEIPTS}`, got: `${MAX_RECEIPTS} or more`, hint: HINT },
    },
  );
}

function requireReceipt({ extent, trust }: EpochCheck, row: Row, checkpoint: Checkpoint | undefined): void {
  const { epoch } = extent;
  const size = wholeOf(row, "size", placeOf("receipt", { epoch }));
  const nodeKey = bytesOf(row, "nodeKey", placeOf("receipt", { epoch, size }));
  const where = placeOf("receipt", { epoch, size, "node key": toHex(nodeKey) });
  const bytes = bytesOf(row, "bytes", where);
  const differs = (code: string, what: string, expected: string, got: string): Problem =>
    new Problem(code, what, { where, expected, got, hint: HINT });
  at(where, HINT, () => requireKey(nativeSuite, nodeKey, "node key"));
  if (trust.nodeKeys.length > 0 && !trust.nodeKeys.some((key) => equalBytes(key, nodeKey)))
    throw differs(
      "fsck-node",
      "the receipt is of a node that is not trusted",
      trust.nodeKeys.map(toHex).join(" or "),
      toHex(nodeKey),
    );
  const receipt = at(where, HINT, () => openReceipt(nativeSuite, bytes, nodeKey));
  const [hash, stored] = [nativeSuite.sha256(bytes), bytesOf(row, "hash", where)];
  if (!equalBytes(hash, stored))
    throw differs("fsck-hash", "the stored hash is not the receipt's", toHex(hash), toHex(stored));
  if (receipt.size !== size)
    throw differs("receipt-size", "the receipt is over another size", String(size), String(receipt.size));
  if (checkpoint === undefined || isOver(receipt, checkpoint)) return;
  throw differs(
    "receipt-foreign",
    "the receipt is over another log or root than the one signed here",
    `manifest ${toHex(checkpoint.manifestHash)}, root ${toHex(checkpoint.root)}`,
    `manifest ${toHex(receipt.manifestHash)}, root ${toHex(receipt.root)}`,
  );
}

function isOver(receipt: Receipt, checkpoint: Checkpoint): boolean {
  return (
    equalBytes(receipt.manifestHash, checkpoint.manifestHash) && equalBytes(receipt.root, checkpoint.root)
  );
}

/** An anchor is written when its receipt is durable, and says of it what it is. */
export function* checkAnchor({ rows, extent }: EpochCheck, leaf: Anchor): Findings {
  const { epoch } = extent;
  const held = rows.all("receiptByHash", { hash: leaf.receiptHash });
  const row = held.find((one) => one["epoch"] === epoch && one["size"] === leaf.receiptSize);
  const where = placeOf("leaf", { epoch, seq: leaf.seq });
  const expected = `a receipt of node ${toHex(leaf.nodeKey)} over ${leaf.receiptSize} leaves at ${leaf.receivedAtMs}, hash ${toHex(leaf.receiptHash)}`;
  const got = row === undefined ? "none" : yield* guarded(() => differenceOf(row, leaf));
  if (got === undefined) return;
  yield new Problem("fsck-anchor", "the anchor's receipt is not in the journal", {
    ...{ where, expected, got, hint: ANCHOR_HINT },
  });
}

/** What the stored receipt is, where it is not what the anchor says of it; a receipt that is none is reported by itself. */
function differenceOf(row: Row, leaf: Anchor): string | undefined {
  const nodeKey = bytesOf(row, "nodeKey", "receipt");
  if (!equalBytes(nodeKey, leaf.nodeKey)) return `one of node ${shown(toHex(nodeKey))}`;
  const { receivedAtMs } = openedOrSame(bytesOf(row, "bytes", "receipt"), leaf);
  return receivedAtMs === leaf.receivedAtMs ? undefined : `one at ${receivedAtMs}`;
}

function openedOrSame(bytes: Uint8Array, leaf: Anchor): Pick<Receipt, "receivedAtMs"> {
  try {
    return openReceipt(nativeSuite, bytes, leaf.nodeKey);
  } catch (cause) {
    if (cause instanceof Problem) return leaf;
    throw cause;
  }
}
