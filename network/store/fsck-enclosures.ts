import { type Findings, type Row, shown } from "../../runtime/fsck-rows.ts";
import { EnclosureBook } from "./enclosure-book.ts";
import { earlierEpochs } from "./enclosures.ts";
import { indexProblem } from "./fsck-index.ts";
import type { StoreContext, StoredLog } from "./fsck-types.ts";

/** A log's enclosures as its leaves say them; what earlier epochs say was checked with those. */
export function enclosureBook({ statements }: StoreContext, log: number): EnclosureBook {
  return new EnclosureBook(earlierEpochs(statements, log));
}

/** Holds the enclosures that stood in the file with the log's own row against its leaves. */
export function* checkEnclosures({ log }: StoredLog, row: Row, book: EnclosureBook): Findings {
  if (row["enclosureBacklog"] !== null) return; // the node reads them when it is started next
  const left = new Map<string, Row>([...book.inputs].map(([input, state]) => [input, { ...state }]));
  for (const held of heldRows(row["enclosures"])) {
    const input = String(held["input"]);
    yield* compared({ table: "enclosure", keys: { log, input } }, left.get(input), held);
    left.delete(input);
  }
  for (const [input, wanted] of left)
    yield* compared({ table: "enclosure", keys: { log, input } }, wanted, undefined);
  const further = heldRows(row["enclosureFurther"])[0];
  const wanted = book.further.leaves === 0 ? undefined : { ...book.further };
  yield* compared({ table: "enclosure_further", keys: { log } }, wanted, further);
}

interface Place {
  readonly table: string;
  readonly keys: Row;
}

function* compared({ table, keys }: Place, wanted: Row | undefined, held: Row | undefined): Findings {
  const names = Object.keys(wanted ?? held ?? {});
  const wrong = names.filter((name) => wanted?.[name] !== held?.[name]);
  if (wrong.length > 0)
    yield indexProblem(table, keys, { expected: said(wrong, wanted), got: said(wrong, held) });
}

function said(names: readonly string[], row: Row | undefined): string {
  return row === undefined ? "no row" : names.map((name) => `${name} ${shown(row[name])}`).join(", ");
}

/** Rows that SQLite has written as a JSON list of objects. */
function heldRows(text: unknown): Row[] {
  // SQLite's own json_group_array() of json_object().
  return typeof text === "string" ? (JSON.parse(text) as Row[]) : [];
}
