import { equalBytes, toHex } from "../../attest/bytes.ts";
import type { Checkpoint } from "../../attest/checkpoint.ts";
import { type LogIdentity, logIdOf } from "../../attest/identity.ts";
import { requireKey } from "../../attest/key-checks.ts";
import type { Leaf } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { nativeSuite } from "../../attest/native.ts";
import { Problem } from "../../attest/problem.ts";
import { at, bytesOf, type Findings, guarded, placeOf, type Row, wholeOf } from "../../runtime/fsck-rows.ts";
import { checkFlexibilityCount } from "./fsck-index.ts";
import { checkReceipts } from "./fsck-receipts.ts";
import type { CheckedEpoch, EpochCheck } from "./fsck-types.ts";
import { EpochWalk } from "./fsck-walk.ts";
import { SUBTREE_LEAVES } from "./journal.ts";

const COUNT_HINT = "the rows are damaged; the leaves are checked by themselves";
const MANIFEST_HINT =
  "keep the file, and take proofs from a node that holds this log; nothing here tells whose it is";
const KEY_HINT = "is this the journal of that device? The key stands in its log manifest";

/** Checks one epoch from its manifest to its last leaf, and everything that is said of its leaves. */
export function* checkEpoch(check: EpochCheck): Findings<CheckedEpoch> {
  const { rows, extent } = check;
  const identity = yield* openingOf(check);
  const walk = new EpochWalk(check, identity);
  const counts = { checkpoints: 0, receipts: 0 };
  let after = Number.MIN_SAFE_INTEGER;
  for (let page = pageAfter(check, after); page.length > 0; page = pageAfter(check, after)) {
    for (const row of page) {
      const checkpoint = yield* checkCheckpoint(check, walk, row);
      const size = Number(row["size"]);
      counts.receipts += yield* checkReceipts(check, { after, size }, checkpoint);
      counts.checkpoints += 1;
      after = size;
    }
  }
  yield* walk.leavesTo(extent.size);
  yield* checkCounts(check, walk.releasedRows);
  yield* checkFlexibilityCount(rows, extent, walk.flexibility);
  const { leaves, released, second } = walk;
  return { identity, second, leaves, released, ...counts };
}

function pageAfter({ rows, extent }: EpochCheck, after: number): Row[] {
  return rows.all("checkpoints", { epoch: extent.epoch, after, signed: extent.signed });
}

function* checkCheckpoint(
  { extent }: EpochCheck,
  walk: EpochWalk,
  row: Row,
): Findings<Checkpoint | undefined> {
  const where = placeOf("checkpoint", { epoch: extent.epoch, size: row["size"] });
  const found = yield* guarded(() => ({
    size: wholeOf(row, "size", where),
    bytes: bytesOf(row, "bytes", where),
  }));
  if (found === undefined) return undefined;
  yield* walk.leavesTo(found.size);
  return yield* walk.checkpoint(found.size, found.bytes);
}

/** Whose log it is, by its manifest; what cannot be read there is found on the way through the leaves. */
function* openingOf({ rows, extent, trust }: EpochCheck): Findings<LogIdentity | undefined> {
  const { epoch } = extent;
  const where = placeOf("leaf", { epoch, seq: 0 });
  const manifest = firstLeaf(rows.one("leaves", { epoch, from: 0, to: 1 }));
  if (manifest === undefined) return undefined;
  if (manifest.kind !== "logManifest") {
    yield new Problem("manifest-missing", "a log begins with its manifest", {
      ...{ where, expected: "logManifest", got: manifest.kind, hint: MANIFEST_HINT },
    });
    return undefined;
  }
  const { network, deviceKey } = manifest;
  const identity = { network, deviceKey, epoch };
  const logId = yield* guarded(() => at(where, MANIFEST_HINT, () => logIdOf(nativeSuite, identity)));
  if (logId === undefined) return undefined;
  yield* guarded(() => at(where, KEY_HINT, () => requireKey(nativeSuite, deviceKey, "device key")));
  if (trust.network !== undefined && trust.network !== network) {
    const got = JSON.stringify(network);
    yield new Problem("fsck-network", "the log is of another network", {
      ...{ where, expected: JSON.stringify(trust.network), got, hint: KEY_HINT },
    });
  }
  if (trust.deviceKeys.length > 0 && !trust.deviceKeys.some((key) => equalBytes(key, deviceKey))) {
    yield new Problem("fsck-device", "the log is of another device than those that are trusted", {
      ...{ where, expected: trust.deviceKeys.map(toHex).join(" or "), got: toHex(deviceKey), hint: KEY_HINT },
    });
  }
  return identity;
}

function firstLeaf(row: Row | undefined): Leaf | undefined {
  try {
    return row && decodeLeaf(bytesOf(row, "bytes", ""));
  } catch (cause) {
    if (cause instanceof Problem) return undefined;
    throw cause;
  }
}

/** Each row that should be there has been looked up: with as many rows as that there is none too many. */
function* checkCounts({ rows, extent }: EpochCheck, releasedRows: number): Findings {
  const { epoch, size } = extent;
  const below = Math.floor(size / SUBTREE_LEAVES);
  const counts = [
    ["subtree", "fsck-subtree", Number(rows.one("subtrees", { epoch, below })?.["count"]), below],
    ["released", "fsck-released", extent.releasedRows, releasedRows],
  ] as const;
  for (const [table, code, count, most] of counts) {
    if (count <= most) continue;
    yield new Problem(code, "there are more stored hashes than there is anything for them to stand for", {
      where: placeOf(table, { epoch }),
      ...{ expected: `${most} rows`, got: String(count), hint: COUNT_HINT },
    });
  }
}
