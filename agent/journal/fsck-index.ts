import type { Leaf } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { Problem } from "../../attest/problem.ts";
import { bytesOf, type Findings, placeOf, type Row, type Rows, shown } from "../../runtime/fsck-rows.ts";
import type { EpochCheck, Extent } from "./fsck-types.ts";
import { indexRow } from "./index-row.ts";

type Values = NonNullable<ReturnType<typeof indexRow>>["values"];

const HINT =
  "only the index is wrong: the leaves are checked by themselves, and a node that holds this log proves what this journal does not find";
const LEAST: Row = {
  channel: Number.MIN_SAFE_INTEGER,
  ms: Number.MIN_SAFE_INTEGER,
  seq: Number.MIN_SAFE_INTEGER,
};
const MARK_COLUMNS = ["kind", "channel", "t0Ms", "t1Ms"] as const;

/** Leaves `from` to `to` - 1. */
interface Stretch {
  readonly from: number;
  readonly to: number;
}

/** Holds the index rows of a stretch against what its leaves say; returns how many are in the table `flexibility`. */
export function* checkIndex(check: EpochCheck, stretch: Stretch, leaves: readonly Leaf[]): Findings<number> {
  const { epoch } = check.extent;
  const wanted = leaves.flatMap((leaf) => indexRow(leaf) ?? []);
  const marks = wanted.filter(({ statement }) => statement === "addMark").map(({ values }) => values);
  yield* checkMarks(check, stretch, marks);
  const flexibility = wanted.filter(({ statement }) => statement === "addFlexibility");
  for (const { values } of flexibility) {
    if (check.rows.one("flexibility", { epoch, ...values }) !== undefined) continue;
    const { seq, channel, ms } = values;
    yield indexProblem("flexibility", { epoch, seq }, { expected: `channel ${channel}, time ${ms}` });
  }
  return flexibility.length;
}

/** Both by ascending seq, which is the key: what one has and the other has not shows on the way. */
function* checkMarks({ rows, extent }: EpochCheck, stretch: Stretch, wanted: readonly Values[]): Findings {
  const { epoch } = extent;
  const bySeq = new Map(wanted.map((values) => [values["seq"], values]));
  for (const row of rows.all("marks", { epoch, ...stretch })) {
    const { seq } = row;
    const values = typeof seq === "number" ? bySeq.get(seq) : undefined;
    if (values === undefined) yield indexProblem("mark", { epoch, seq }, { got: said(row, MARK_COLUMNS) });
    else if (!MARK_COLUMNS.every((name) => row[name] === values[name])) {
      const [expected, got] = [said(values, MARK_COLUMNS), said(row, MARK_COLUMNS)];
      yield indexProblem("mark", { epoch, seq }, { expected, got });
    }
    if (typeof seq === "number") bySeq.delete(seq);
  }
  for (const [seq, values] of bySeq)
    yield indexProblem("mark", { epoch, seq }, { expected: said(values, MARK_COLUMNS) });
}

/** Every leaf's row has been looked up: with as many rows as such leaves there is none too many. */
export function* checkFlexibilityCount(rows: Rows, extent: Extent, expected: number): Findings {
  const { epoch, size } = extent;
  const count = rows.one("flexibilityCount", { epoch, size })?.["count"];
  if (count === expected) return;
  let found = false;
  let after: Row = LEAST;
  for (let page = pageAfter(rows, extent, after); page.length > 0; page = pageAfter(rows, extent, after)) {
    for (const row of page) {
      after = row;
      if (isTrue(rows, epoch, row)) continue;
      found = true;
      yield indexProblem("flexibility", { epoch, seq: row["seq"] }, { got: said(row, ["channel", "ms"]) });
    }
  }
  if (found) return;
  const [wanted, got] = [`${expected} rows`, `${shown(count)} rows`];
  yield indexProblem("flexibility", { epoch }, { expected: wanted, got });
}

function pageAfter(rows: Rows, { epoch, size }: Extent, after: Row): Row[] {
  return rows.all("flexibilityAfter", { epoch, size, ...after });
}

function isTrue(rows: Rows, epoch: number, row: Row): boolean {
  const { seq, channel, ms } = row;
  const held = typeof seq === "number" ? rows.one("leaves", { epoch, from: seq, to: seq + 1 }) : undefined;
  try {
    const index = held && indexRow(decodeLeaf(bytesOf(held, "bytes", "")));
    if (index?.statement !== "addFlexibility") return false;
    return index.values["channel"] === channel && index.values["ms"] === ms;
  } catch (cause) {
    if (cause instanceof Problem) return true; // said of the leaf already
    throw cause;
  }
}

function said(row: Row, names: readonly string[]): string {
  return names.map((name) => `${name} ${shown(row[name])}`).join(", ");
}

function indexProblem(
  table: string,
  keys: Row,
  { expected = "no row", got = "no row" }: { readonly expected?: string; readonly got?: string },
): Problem {
  const detail = { where: placeOf(table, keys), expected, got, hint: HINT };
  return new Problem("fsck-index", "the index is not what the leaves say", detail);
}
