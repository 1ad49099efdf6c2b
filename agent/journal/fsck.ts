import { equalBytes, toHex } from "../../attest/bytes.ts";
import type { LogIdentity } from "../../attest/identity.ts";
import { Problem } from "../../attest/problem.ts";
import { type Findings, guarded, placeOf, type Row, Rows, shown, wholeOf } from "../../runtime/fsck-rows.ts";
import { checkCarry } from "./fsck-carry.ts";
import { checkEpoch } from "./fsck-epoch.ts";
import { checkLink } from "./fsck-links.ts";
import { checkEpochFile, checkNotes } from "./fsck-notes.ts";
import type { Extent, JournalCheck, JournalCounts } from "./fsck-types.ts";
import { SUBTREE_LEAVES } from "./journal.ts";

const MAX_EPOCH = 0xffff_ffff;
const ORPHAN_HINT = "keep the file: it was damaged, or put together of several";

/**
 * Checks a journal from end to end and hands out what is wrong, in the order of its epochs and leaves. Changes nothing,
 * and holds no read for longer than one stretch of leaves, so that its owner may write meanwhile. Throws what SQLite
 * throws where the file cannot be read on.
 */
export function* checkJournal(check: JournalCheck): Findings<JournalCounts> {
  const { trust, path } = check;
  const rows = new Rows(check.database, new URL("./fsck.sql", import.meta.url));
  const outline = rows.atOnce(() => readOutline(rows));
  const extents = yield* extentsOf(outline);
  const notes = yield* checkNotes(outline.notes, extents);
  yield* checkEpochFile(path, notes);
  yield* checkCarry(outline, notes, extents);
  const total = extents.reduce((sum, { size }) => sum + size, 0);
  const counts = { epochs: 0, leaves: 0, checkpoints: 0, receipts: 0, released: 0 };
  let before: LogIdentity | undefined;
  for (const extent of extents) {
    const saved = notes.epoch === extent.epoch ? notes.rules : undefined;
    const looked = (leaves: number): void => check.looked(counts.leaves + leaves, total);
    const checked = yield* checkEpoch({ rows, extent, trust, saved, bootCount: notes.bootCount, looked });
    counts.epochs += 1;
    for (const name of ["leaves", "checkpoints", "receipts", "released"] as const)
      counts[name] += checked[name];
    if (checked.identity === undefined) continue;
    yield* sameOwner(before, checked.identity);
    yield* checkLink(rows, checked.identity, checked.second);
    before = checked.identity;
  }
  return counts;
}

interface Outline {
  readonly notes: readonly Row[];
  readonly carry: readonly Row[];
  readonly passedOver: readonly Row[];
  /** Every epoch that a table has rows of. */
  readonly epochs: readonly Row[];
  /** By epoch, of those that have leaves. */
  readonly extents: ReadonlyMap<unknown, Row>;
}

function readOutline(rows: Rows): Outline {
  const epochs = rows.all("epochs");
  const held = epochs.filter((row) => row["table"] === "leaf").map((row) => row["epoch"]);
  return {
    notes: rows.all("notes"),
    carry: rows.all("carry"),
    passedOver: rows.all("passedOver"),
    epochs,
    extents: new Map(held.map((epoch) => [epoch, rows.one("extent", { epoch }) ?? {}])),
  };
}

function* extentsOf({ epochs, extents }: Outline): Findings<readonly Extent[]> {
  for (const row of epochs) yield* guarded(() => requireEpoch(row, extents));
  const sound: Extent[] = [];
  for (const [epoch, row] of extents) {
    if (!isEpoch(epoch)) continue;
    const extent = yield* guarded(() => extentOf(epoch, row));
    if (extent === undefined) continue;
    sound.push(extent);
    yield* beyondEnd(extent, row);
  }
  return sound.sort((a, b) => a.epoch - b.epoch);
}

function isEpoch(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= MAX_EPOCH;
}

function requireEpoch({ table, epoch }: Row, extents: Outline["extents"]): void {
  const where = placeOf(String(table), { epoch });
  if (!isEpoch(epoch)) {
    throw new Problem("fsck-epoch", "no epoch has that number", {
      ...{ where, expected: `1 to ${MAX_EPOCH}`, got: shown(epoch), hint: ORPHAN_HINT },
    });
  }
  if (extents.has(epoch)) return;
  throw new Problem("fsck-orphan", "the journal holds no leaf of the epoch that these rows are of", {
    ...{ where, expected: "rows of an epoch that has leaves", got: `epoch ${epoch}`, hint: ORPHAN_HINT },
  });
}

function extentOf(epoch: number, { firstSeq, lastSeq, signed, releasedRows }: Row): Extent {
  const where = placeOf("leaf", { epoch });
  wholeOf({ seq: firstSeq }, "seq", where);
  const size = wholeOf({ seq: lastSeq }, "seq", where) + 1;
  const known = typeof signed === "number" ? Math.min(signed, size) : 0;
  return { epoch, size, signed: known, releasedRows: Number(releasedRows) };
}

/** What is about leaves behind the last one was written with leaves that are gone. */
function* beyondEnd({ epoch, size, signed }: Extent, row: Row): Findings {
  const most: readonly (readonly [string, string, unknown, number])[] = [
    ["checkpoint", "size", row["signed"], size],
    ["receipt", "size", row["receipted"], signed],
    ["mark", "seq", row["lastMark"], size - 1],
    ["subtree", "position", row["lastSubtree"], Math.floor(size / SUBTREE_LEAVES) - 1],
    ["flexibility", "seq", row["lastFlexibility"], size - 1],
    ["released", "seq", row["lastReleased"], size - 1],
  ];
  for (const [table, column, value, limit] of most) {
    if (value === null || (typeof value === "number" && value <= limit)) continue;
    yield new Problem("fsck-beyond", "a row is about leaves that are not there", {
      where: placeOf(table, { epoch, [column]: value }),
      expected: `${column} ${limit} or less`,
      got: shown(value),
      hint: "keep the file: leaves at the end of the epoch are missing, or the row is damaged",
    });
  }
}

/** A journal is of one device in one network, in all its epochs. */
function* sameOwner(before: LogIdentity | undefined, now: LogIdentity): Findings {
  if (before === undefined) return;
  if (before.network === now.network && equalBytes(before.deviceKey, now.deviceKey)) return;
  yield new Problem("fsck-owner", "two epochs of the journal are of different keys or networks", {
    where: placeOf("leaf", { epoch: now.epoch, seq: 0 }),
    expected: ownerOf(before),
    got: ownerOf(now),
    hint: "another key file was put beside this journal, or another network configured: give each device its own journal",
  });
}

function ownerOf({ network, deviceKey }: LogIdentity): string {
  return `network ${network}, key ${toHex(deviceKey)}`;
}
