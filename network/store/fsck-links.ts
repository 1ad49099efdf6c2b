import { equalBytes, toHex } from "../../attest/bytes.ts";
import type { EpochOpen, Leaf } from "../../attest/leaf.ts";
import { nativeSuite } from "../../attest/native.ts";
import { rangeHash } from "../../attest/node-source.ts";
import { Problem } from "../../attest/problem.ts";
import type { SqliteDatabase } from "../../runtime/database.ts";
import { type Findings, guarded, placeOf } from "../../runtime/fsck-rows.ts";
import type { StoredLog } from "./fsck-types.ts";
import { treeOf } from "./sqlite-proof-source.ts";
import { Statements } from "./statements.ts";

const HINT =
  "keep the file: the node would not have opened this log; it is damaged, or put together of several";

/** A later epoch says at seq 1 which log it continues; of the one before it here, what it says must be true. */
export function* checkLink(
  database: SqliteDatabase,
  { stored, before }: { readonly stored: StoredLog; readonly before: StoredLog | undefined },
  second: Leaf | undefined,
): Findings {
  if (stored.identity.epoch === 1) return;
  const where = placeOf("log", { id: stored.log, epoch: stored.identity.epoch, seq: 1 });
  if (second?.kind !== "epochOpen") {
    yield new Problem("epoch-open-missing", "a later epoch must say at seq 1 which log it continues", {
      ...{ where, expected: "epochOpen", got: second?.kind ?? "nothing", hint: HINT },
    });
    return;
  }
  if (before !== undefined) yield* guarded(() => requireTrue(database, { before, where }, second));
}

function requireTrue(
  database: SqliteDatabase,
  { before, where }: { readonly before: StoredLog; readonly where: string },
  { oldLogId, oldSize, oldRoot }: EpochOpen,
): void {
  // Of another log, and of more than is here, only other nodes know.
  if (oldLogId === undefined || !equalBytes(oldLogId, before.logId)) return;
  if (oldSize === undefined || oldSize === 0 || oldSize > before.size) return;
  const tree = treeOf(new Statements(database), nativeSuite, before.log);
  const root = rangeHash(tree, 0, oldSize);
  if (oldRoot !== undefined && equalBytes(oldRoot, root)) return;
  throw new Problem("epoch-open-mismatch", "the epoch continues a history that is not the one stored here", {
    where,
    expected: `log ${before.log}, size ${oldSize}, root ${toHex(root)}`,
    got: oldRoot === undefined ? "no root" : toHex(oldRoot),
    hint: HINT,
  });
}
