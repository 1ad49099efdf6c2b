import { equalBytes } from "../../attest/bytes.ts";
import { type Anchor, LEAF_KINDS, type Leaf, type ReadingLeaf } from "../../attest/leaf.ts";
import { nativeSuite } from "../../attest/native.ts";
import { Problem } from "../../attest/problem.ts";
import { openReceipt, receiptKeyHint } from "../../attest/receipt.ts";
import { bytesOf, type Findings, placeOf, type Row, type Rows, shown } from "../../runtime/fsck-rows.ts";
import type { StoreContext } from "./fsck-types.ts";

type OtherLeaf = Exclude<Leaf, ReadingLeaf>;

/** Leaves of a log behind `after` and before `to`. */
export interface Stretch {
  readonly log: number;
  readonly after: number;
  readonly to: number;
}

const HINT =
  "only the index is wrong: the leaves are checked by themselves, but questions and proofs do not find what they should";

/** Holds the marks of a stretch against the leaves that are no readings. */
export function* checkMarks(
  { rows }: StoreContext,
  stretch: Stretch,
  leaves: readonly OtherLeaf[],
): Findings {
  const wanted = new Map(leaves.map((leaf) => [leaf.seq, markOf(leaf)]));
  yield* compare("mark", stretch.log, { wanted, held: rows.all("marks", { ...stretch }) });
}

/** Holds the anchors of a stretch against the leaves that name a receipt of this node, as it is stored. */
export function* checkAnchors(
  { rows }: StoreContext,
  stretch: Stretch,
  leaves: readonly OtherLeaf[],
): Findings {
  const { log } = stretch;
  const own = leaves.filter((leaf) => leaf.kind === "anchor").filter((leaf) => isOwn(rows, log, leaf));
  const wanted = new Map(own.map(({ seq, receiptSize }) => [seq, { receiptSize }]));
  yield* compare("anchor", log, { wanted, held: rows.all("anchors", { ...stretch }) });
}

function markOf(leaf: OtherLeaf): Row {
  const kind = leaf.kind === "opaque" ? leaf.number : LEAF_KINDS[leaf.kind];
  const channel = ("channel" in leaf ? leaf.channel : undefined) ?? null;
  const at = { kind, channel, t0Ms: leaf.timeMs, t1Ms: leaf.timeMs };
  if (leaf.kind === "intervalClose") return { ...at, t0Ms: leaf.t0Ms, t1Ms: leaf.t1Ms };
  if (leaf.kind === "discontinuity") return { ...at, t0Ms: leaf.gapFromMs, t1Ms: leaf.gapToMs };
  return at;
}

/** By seq, which is the key of both tables. */
function* compare(
  table: string,
  log: number,
  { wanted, held }: { readonly wanted: ReadonlyMap<number, Row>; readonly held: readonly Row[] },
): Findings {
  const left = new Map(wanted);
  for (const row of held) {
    const seq = Number(row["seq"]);
    const values = left.get(seq);
    left.delete(seq);
    const isSame = values !== undefined && Object.keys(values).every((name) => values[name] === row[name]);
    if (!isSame) yield indexProblem(table, { log, seq }, { expected: said(values), got: said(row) });
  }
  for (const [seq, values] of left)
    yield indexProblem(table, { log, seq }, { expected: said(values), got: "no row" });
}

function said(row: Row | undefined): string {
  if (row === undefined) return "no row";
  const values = Object.entries(row).filter(([name]) => name !== "seq");
  return values.map(([name, value]) => `${name} ${shown(value)}`).join(", ");
}

/** `fsck-index`: what is found by is not what the leaves say. */
export function indexProblem(
  table: string,
  keys: Row,
  { expected, got }: { readonly expected: string; readonly got: string },
): Problem {
  const detail = { where: placeOf(table, keys), expected, got, hint: HINT };
  return new Problem("fsck-index", "the index is not what the leaves say", detail);
}

/** Whether the stored receipt of that size is the one that the anchor says: those of other nodes are only leaves. */
function isOwn(rows: Rows, log: number, leaf: Anchor): boolean {
  const row = rows.one("checkpointAt", { log, size: leaf.receiptSize });
  if (row === undefined) return false;
  try {
    const bytes = bytesOf(row, "receipt", "");
    if (!equalBytes(receiptKeyHint(bytes), leaf.nodeKey)) return false;
    if (!equalBytes(nativeSuite.sha256(bytes), leaf.receiptHash)) return false;
    return openReceipt(nativeSuite, bytes, leaf.nodeKey).receivedAtMs === leaf.receivedAtMs;
  } catch (cause) {
    if (cause instanceof Problem) return false; // said of the receipt itself
    throw cause;
  }
}
