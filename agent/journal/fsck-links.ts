import { equalBytes, toHex } from "../../attest/bytes.ts";
import { type LogIdentity, logIdOf } from "../../attest/identity.ts";
import type { EpochOpen, Leaf } from "../../attest/leaf.ts";
import { nativeSuite } from "../../attest/native.ts";
import { Problem } from "../../attest/problem.ts";
import { openReceipt, receiptKeyHint } from "../../attest/receipt.ts";
import {
  bytesOf,
  type Findings,
  guarded,
  placeOf,
  type Row,
  type Rows,
  wholeOf,
} from "../../runtime/fsck-rows.ts";

const EPOCH_OPEN_SEQ = 1;
const HINT =
  "keep the file: an epoch before this one is missing or changed, or another key was used; a proof cannot go over both";

/** An epoch after the first says at seq 1 which log it continues: the newest one that a node had receipted. */
export function* checkLink(rows: Rows, identity: LogIdentity, second: Leaf | undefined): Findings {
  const { epoch } = identity;
  if (epoch === 1 || second === undefined) return;
  const where = placeOf("leaf", { epoch, seq: EPOCH_OPEN_SEQ });
  if (second.kind !== "epochOpen") {
    yield new Problem("epoch-open-missing", "a later epoch must say at seq 1 which log it continues", {
      ...{ where, expected: "epochOpen", got: second.kind, hint: HINT },
    });
    return;
  }
  const newest = rows.one("newestReceiptBelow", { epoch });
  if (newest === undefined && !namesHeld(rows, identity, second)) return;
  const expected = newest === undefined ? "no log" : yield* guarded(() => continued(identity, newest));
  if (expected === undefined || expected === linkOf(second)) return;
  yield new Problem("fsck-link", "the epoch does not continue the log that was receipted last before it", {
    ...{ where, expected, got: linkOf(second), hint: HINT },
  });
}

/** Of a log that is in a journal that was set aside or lost, this one knows nothing. */
function namesHeld(rows: Rows, identity: LogIdentity, { oldLogId }: EpochOpen): boolean {
  if (oldLogId === undefined) return false;
  for (let epoch = identity.epoch - 1; epoch > 0; epoch--) {
    const logId = logIdOf(nativeSuite, { ...identity, epoch });
    if (equalBytes(logId, oldLogId)) return rows.one("heldEpoch", { epoch }) !== undefined;
  }
  return false;
}

function linkOf({ oldLogId, oldSize, oldRoot }: EpochOpen): string {
  const [id, root] = [oldLogId, oldRoot].map((hash) => (hash === undefined ? "none" : toHex(hash)));
  return oldLogId === undefined && oldSize === undefined && oldRoot === undefined
    ? "no log"
    : `log ${id}, size ${oldSize}, root ${root}`;
}

/** What the epoch must say where this is the newest receipt of the ones before it; undefined where that is damaged. */
function continued(identity: LogIdentity, row: Row): string | undefined {
  const where = placeOf("receipt", { epoch: row["epoch"], size: row["size"] });
  const epoch = wholeOf(row, "epoch", where);
  const bytes = bytesOf(row, "bytes", where);
  const oldLogId = logIdOf(nativeSuite, { ...identity, epoch });
  try {
    const { size, root } = openReceipt(nativeSuite, bytes, receiptKeyHint(bytes));
    return `log ${toHex(oldLogId)}, size ${size}, root ${toHex(root)}`;
  } catch (cause) {
    if (cause instanceof Problem) return undefined;
    throw cause;
  }
}
