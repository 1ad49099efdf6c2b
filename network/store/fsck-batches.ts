import { equalBytes, readU32be } from "../../attest/bytes.ts";
import type { Checkpoint } from "../../attest/checkpoint.ts";
import type { Leaf } from "../../attest/leaf.ts";
import type { VerifiedLeaves } from "../../attest/leaf-walk.ts";
import { LogRules } from "../../attest/log-rules.ts";
import { nativeSuite } from "../../attest/native.ts";
import { Problem } from "../../attest/problem.ts";
import { MAX_BATCH_LEAVES, verifyBatch } from "../../attest/stream-verifier.ts";
import {
  at,
  bytesOf,
  type Findings,
  guarded,
  placed,
  placeOf,
  type Row,
  wholeOf,
} from "../../runtime/fsck-rows.ts";
import { endOffsets } from "./batch-reader.ts";
import { type EnclosureBook, tamperLeaves } from "./enclosure-book.ts";
import { type CheckpointRow, checkpointRow, openedRow, requireColumns } from "./fsck-checkpoints.ts";
import { enclosureBook } from "./fsck-enclosures.ts";
import { checkAnchors, checkMarks } from "./fsck-index.ts";
import { SubtreeCheck } from "./fsck-subtrees.ts";
import type { StoreContext, StoredLog } from "./fsck-types.ts";

const NOTHING = new Uint8Array(0);
const BATCH_HINT =
  "keep the file, and take proofs from another node that holds this log; later leaves of the log are not looked at";
const CHECKPOINT_HINT =
  "keep the file; the leaves are checked by themselves, and the device has its checkpoints still";
const ENDS_HINT = "keep the file; the leaves are checked by themselves, but are not found or are cut wrongly";

/** A batch whose columns have their types and fit each other. */
interface BatchRow {
  readonly where: string;
  readonly firstSeq: number;
  readonly nextSeq: number;
  readonly lastMs: number;
  readonly ends: Uint8Array;
  readonly leaves: Uint8Array;
}

/** Leaves that the rules took, and the rules behind them. */
interface Taken {
  readonly rules: LogRules;
  readonly leaves: VerifiedLeaves;
}

/** The batches of one log, one after the other, as the node took them. */
export class BatchWalk {
  /** Behind the last leaf that has been seen. */
  next = 0;
  /** Undefined behind a batch that is not there or that the node would not have taken. */
  rules: LogRules | undefined;
  /** The leaf at seq 1. */
  second: Leaf | undefined;
  /** What the leaves that have been seen say of enclosures. */
  readonly enclosures: EnclosureBook;
  readonly #context: StoreContext;
  readonly #stored: StoredLog;
  readonly #subtrees: SubtreeCheck;
  /** Checkpoints up to this size have been looked at. */
  #signed: number = Number.MIN_SAFE_INTEGER;

  constructor(context: StoreContext, stored: StoredLog) {
    this.#context = context;
    this.#stored = stored;
    this.rules = new LogRules(nativeSuite, stored.identity);
    this.#subtrees = new SubtreeCheck(context.rows, stored.log);
    this.enclosures = enclosureBook(context, stored.log);
  }

  /** All batches that the log had when it was first looked at. */
  *all(): Findings {
    const { rows, counts, looked } = this.#context;
    const { log, size } = this.#stored;
    let row = rows.one("nextBatch", { log, after: Number.MIN_SAFE_INTEGER, size });
    while (row !== undefined) {
      const found = row;
      counts.batches += 1;
      const batch = yield* guarded(() => batchRow(log, found));
      if (batch === undefined) this.rules = undefined;
      else yield* this.#batch(batch);
      looked();
      row = rows.one("nextBatch", { log, after: Number(row["firstSeq"]), size });
    }
    yield* this.#without(size);
  }

  *#batch(batch: BatchRow): Findings {
    const { firstSeq, nextSeq, where } = batch;
    if (firstSeq !== this.next) {
      this.rules = undefined;
      yield new Problem("fsck-batch", "the batch does not begin where the one before it ends", {
        ...{ where, expected: `first_seq ${this.next}`, got: String(firstSeq), hint: BATCH_HINT },
      });
    }
    yield* this.#without(firstSeq);
    const before = this.rules;
    const rows = yield* this.#rowsTo(nextSeq);
    const last = rows.find(({ size }) => size === nextSeq);
    if (last === undefined) yield this.#unsigned(batch);
    const { taken, checkpoint } = yield* this.#judged(batch, last);
    for (const row of rows) {
      const opened = row === last ? checkpoint : yield* guarded(() => openedRow(this.#stored, row));
      if (opened !== undefined) yield* guarded(() => requireColumns(this.#context, row, opened));
      if (row !== last && before !== undefined && taken !== undefined)
        yield* guarded(() => requireInside(before, { batch, taken, row }));
    }
    if (taken !== undefined) yield* this.#compare(batch, taken);
    if (firstSeq === 0 && last !== undefined) yield* this.#opening(last);
    this.rules = taken?.rules;
    this.#context.counts.leaves += nextSeq - firstSeq;
    this.next = Math.max(this.next, nextSeq);
  }

  /** Takes a batch as the node took it, and says which of leaves and checkpoint is wrong where it would not have. */
  *#judged(
    batch: BatchRow,
    last: CheckpointRow | undefined,
  ): Findings<{ readonly taken?: Taken | undefined; readonly checkpoint?: Checkpoint | undefined }> {
    const rules = this.rules;
    const { leaves, where, firstSeq, nextSeq } = batch;
    const verified =
      rules && last && attempt(() => verifyBatch(nativeSuite, rules, { leaves, checkpoint: last.bytes }));
    if (verified !== undefined && !(verified instanceof Problem))
      return { taken: verified, checkpoint: verified.checkpoint };
    const checkpoint = last && (yield* guarded(() => openedRow(this.#stored, last)));
    if (rules === undefined) return { checkpoint };
    if (verified instanceof Problem && checkpoint !== undefined) {
      yield placed(verified, `${where}, leaves ${firstSeq} to ${nextSeq - 1}`, BATCH_HINT);
      return { checkpoint };
    }
    const extended = (): Taken => at(where, BATCH_HINT, () => rules.extended(leaves, MAX_BATCH_LEAVES));
    return { taken: yield* guarded(extended), checkpoint };
  }

  /** What is written beside the leaves, against what they say. */
  *#compare(batch: BatchRow, { leaves }: Taken): Findings {
    const { log } = this.#stored;
    const { firstSeq, nextSeq, where } = batch;
    this.second ??= leaves.others.find(({ seq }) => seq === 1);
    yield* guarded(() => requireEnds(batch, leaves));
    if (leaves.latestMs !== batch.lastMs) {
      const [expected, got] = [String(leaves.latestMs), String(batch.lastMs)];
      const what = "last_ms is not the time of the batch's latest leaf";
      yield new Problem("fsck-time", what, { where, expected, got, hint: ENDS_HINT });
    }
    for (const leaf of tamperLeaves(leaves.others)) this.enclosures.enter(leaf);
    yield* this.#subtrees.add(firstSeq, leaves.hashes);
    const stretch = { log, after: firstSeq === 0 ? Number.MIN_SAFE_INTEGER : firstSeq - 1, to: nextSeq };
    yield* checkMarks(this.#context, stretch, leaves.others);
    yield* checkAnchors(this.#context, stretch, leaves.others);
  }

  /** The receipt that the log was opened with says when that was. */
  *#opening({ receivedMs }: CheckpointRow): Findings {
    const { log, openedMs } = this.#stored;
    if (receivedMs === openedMs) return;
    yield new Problem("fsck-time", "the log was opened at another time than its first batch was receipted", {
      where: placeOf("log", { id: log }),
      ...{ expected: String(receivedMs), got: String(openedMs), hint: CHECKPOINT_HINT },
    });
  }

  /** Checkpoints up to `size` that no batch lies under. */
  *#without(size: number): Findings {
    for (const { where } of yield* this.#rowsTo(size)) {
      yield new Problem("fsck-orphan", "a checkpoint is over leaves that no batch holds", {
        ...{ where, expected: "a batch with these leaves", got: "none", hint: BATCH_HINT },
      });
    }
  }

  *#rowsTo(size: number): Findings<readonly CheckpointRow[]> {
    const { rows, counts } = this.#context;
    const { log } = this.#stored;
    const found: CheckpointRow[] = [];
    for (const row of rows.all("checkpoints", { log, after: this.#signed, to: size })) {
      const checkpoint = yield* guarded(() => checkpointRow(log, row));
      if (checkpoint !== undefined) found.push(checkpoint);
      counts.checkpoints += 1;
    }
    this.#signed = Math.max(this.#signed, size);
    return found;
  }

  #unsigned({ nextSeq, where }: BatchRow): Problem {
    return new Problem("fsck-checkpoint", "the batch has no checkpoint at its end", {
      where: `${placeOf("checkpoint", { log: this.#stored.log, size: nextSeq })} (${where})`,
      ...{ expected: "the checkpoint with which it came", got: "none", hint: CHECKPOINT_HINT },
    });
  }
}

function attempt<T>(work: () => T): T | Problem {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof Problem) return cause;
    throw cause;
  }
}

/** Throws what is wrong with a row of `batch` by itself. */
function batchRow(log: number, row: Row): BatchRow {
  const where = placeOf("batch", { log, first_seq: row["firstSeq"], rowid: row["rowid"] });
  const [firstSeq, nextSeq] = [wholeOf(row, "firstSeq", where), wholeOf(row, "nextSeq", where)];
  const [ends, leaves] = [bytesOf(row, "ends", where), bytesOf(row, "leaves", where)];
  const count = nextSeq - firstSeq;
  if (count >= 1 && count <= MAX_BATCH_LEAVES)
    return { where, firstSeq, nextSeq, ends, leaves, lastMs: wholeOf(row, "lastMs", where) };
  throw new Problem("fsck-batch", "no batch has that many leaves", {
    ...{ where, expected: `1 to ${MAX_BATCH_LEAVES}`, got: String(count), hint: BATCH_HINT },
  });
}

/** Throws unless the batch has as many leaves as its numbers say, and their ends where the offsets are. */
function requireEnds({ where, ends, firstSeq, nextSeq }: BatchRow, leaves: VerifiedLeaves): void {
  if (leaves.ends.length !== nextSeq - firstSeq) {
    throw new Problem("fsck-batch", "the batch has another number of leaves than it says", {
      ...{ where, expected: String(nextSeq - firstSeq), got: String(leaves.ends.length), hint: BATCH_HINT },
    });
  }
  const offsets = endOffsets(leaves.ends);
  if (equalBytes(offsets, ends)) return;
  const wrong = leaves.ends.findIndex((end, i) => 4 * i + 4 > ends.length || readU32be(ends, 4 * i) !== end);
  throw new Problem("fsck-ends", "the end offsets are not those of the leaves", {
    where: `${where}, leaf ${firstSeq + Math.max(0, wrong)}`,
    expected: String(leaves.ends[wrong] ?? `${offsets.length} bytes`),
    got: ends.length === offsets.length ? String(readU32be(ends, 4 * wrong)) : `${ends.length} bytes`,
    hint: ENDS_HINT,
  });
}

/** A checkpoint that came for leaves which were stored already is over the first of the batch's leaves. */
function requireInside(
  before: LogRules,
  { batch, taken, row }: { readonly batch: BatchRow; readonly taken: Taken; readonly row: CheckpointRow },
): void {
  const end = taken.leaves.ends[row.size - batch.firstSeq - 1];
  const { rules } = before.extended(batch.leaves.subarray(0, end), MAX_BATCH_LEAVES);
  at(row.where, CHECKPOINT_HINT, () =>
    verifyBatch(nativeSuite, rules, { leaves: NOTHING, checkpoint: row.bytes }),
  );
}
