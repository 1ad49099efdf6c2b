import { equalBytes, toHex } from "../../attest/bytes.ts";
import { logIdOf } from "../../attest/identity.ts";
import type { Leaf } from "../../attest/leaf.ts";
import type { LogRules } from "../../attest/log-rules.ts";
import { nativeSuite } from "../../attest/native.ts";
import { STORED_SUBTREE_LEAVES } from "../../attest/node-source.ts";
import { Problem } from "../../attest/problem.ts";
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
import { BatchWalk } from "./fsck-batches.ts";
import { checkEnclosures } from "./fsck-enclosures.ts";
import type { StoreContext, StoredLog } from "./fsck-types.ts";

const LOG_HINT = "keep the file: the row is damaged, or the store is put together of several";
const END_HINT = "keep the file: batches at the end of the log are missing, or the row is damaged";
const RULES_HINT =
  "keep the file: with this state the node cannot take the log's next batch; the leaves are checked by themselves";

/** The row of a log, if it is one of this device and of the store's network. Throws the first thing that is wrong. */
export function storedLog(
  context: StoreContext,
  { log, deviceKey }: { readonly log: number; readonly deviceKey: Uint8Array },
  row: Row,
): StoredLog {
  const where = placeOf("log", { id: log });
  const { network, rules } = row;
  const epoch = wholeOf(row, "epoch", where);
  if (typeof network !== "string" || typeof rules !== "string")
    throw new Problem("row-type", "network or rules is no text", { where, hint: LOG_HINT });
  context.network ??= network;
  if (network !== context.network) {
    throw new Problem("fsck-network", "the log is of another network", {
      ...{ where, expected: shown(context.network), got: shown(network), hint: LOG_HINT },
    });
  }
  const identity = { network, deviceKey, epoch };
  const logId = at(where, LOG_HINT, () => logIdOf(nativeSuite, identity));
  const stored = bytesOf(row, "logId", where);
  if (!equalBytes(logId, stored)) {
    throw new Problem("fsck-log-id", "the log id is not that of the network, the device and the epoch", {
      ...{ where, expected: toHex(logId), got: toHex(stored), hint: LOG_HINT },
    });
  }
  const [size, openedMs] = [wholeOf(row, "size", where), wholeOf(row, "openedMs", where)];
  return { log, identity, logId, size, rules, openedMs };
}

export interface CheckedLog {
  /** Whether every batch was lawful, up to the size of the log. */
  readonly isSound: boolean;
  /** The leaf at seq 1. */
  readonly second: Leaf | undefined;
}

/** Checks all batches of a log and everything that is said of their leaves. */
export function* checkLog(context: StoreContext, stored: StoredLog, row: Row): Findings<CheckedLog> {
  const { log, size } = stored;
  yield* beyondEnd(stored, row);
  const walk = new BatchWalk(context, stored);
  yield* walk.all();
  yield* checkSubtreeCount(context, stored);
  const { rules, next, second } = walk;
  if (next !== size) {
    yield new Problem("fsck-batch", "the batches do not end where the log does", {
      where: placeOf("log", { id: log }),
      ...{ expected: `batches up to leaf ${size - 1}`, got: `up to leaf ${next - 1}`, hint: END_HINT },
    });
  }
  if (rules === undefined || next !== size) return { isSound: false, second };
  yield* guarded(() => requireState(stored, rules));
  yield* checkEnclosures(stored, row, walk.enclosures);
  return { isSound: true, second };
}

/** What is about leaves behind the last one was written with leaves that are gone. */
function* beyondEnd({ log, size }: StoredLog, row: Row): Findings {
  const most: readonly (readonly [string, string, unknown, number])[] = [
    ["batch", "next_seq", row["lastNextSeq"], size],
    ["checkpoint", "size", row["lastCheckpoint"], size],
    ["mark", "seq", row["lastMark"], size - 1],
    ["anchor", "seq", row["lastAnchor"], size - 1],
    ["subtree", "place", row["lastSubtree"], Math.floor(size / STORED_SUBTREE_LEAVES) - 1],
  ];
  for (const [table, column, value, limit] of most) {
    if (value === null || (typeof value === "number" && value <= limit)) continue;
    yield new Problem("fsck-beyond", "a row is about leaves behind the end of the log", {
      where: placeOf(table, { log, [column]: value }),
      ...{ expected: `${column} ${limit} or less`, got: shown(value), hint: END_HINT },
    });
  }
}

/** Each complete subtree has been looked up: with as many rows as there are subtrees there is none too many. */
function* checkSubtreeCount({ rows }: StoreContext, { log, size }: StoredLog): Findings {
  const below = Math.floor(size / STORED_SUBTREE_LEAVES);
  const count = Number(rows.one("subtreeCount", { log, below })?.["count"]);
  if (count <= below) return;
  yield new Problem("fsck-subtree", "there are more stored hashes than complete subtrees", {
    where: placeOf("subtree", { log }),
    ...{ expected: `${below} rows`, got: String(count), hint: LOG_HINT },
  });
}

/** The saved state against that of the leaves. The order of properties is not the same. */
function requireState({ log, size, rules: saved }: StoredLog, rules: LogRules): void {
  const expected = ordered(JSON.parse(rules.toText()));
  if (orderedText(saved) === expected) return;
  throw new Problem("fsck-rules", "the saved state is not what the leaves lead to", {
    where: placeOf("log", { id: log }),
    expected: `the state behind leaf ${size - 1}`,
    got: "another one",
    hint: RULES_HINT,
  });
}

function orderedText(saved: string): string {
  try {
    return ordered(JSON.parse(saved));
  } catch {
    return "";
  }
}

/** Text that is the same for the same properties and items. */
function ordered(value: unknown): string {
  return JSON.stringify(value, (_name, item: unknown) =>
    typeof item === "object" && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}
