import { readU32be } from "../../attest/bytes.ts";
import { Problem } from "../../attest/problem.ts";
import type { Statements } from "./statements.ts";

/** A stored batch: leaves firstSeq to nextSeq-1, back to back, with the end offset of each. */
export interface BatchRow {
  readonly firstSeq: number;
  readonly nextSeq: number;
  readonly ends: Uint8Array;
  readonly leaves: Uint8Array;
}

/** The `ends` column: u32be end offset of every leaf. */
export function endOffsets(ends: Uint32Array): Uint8Array {
  const column = new Uint8Array(4 * ends.length);
  const view = new DataView(column.buffer);
  for (let at = 0; at < ends.length; at++) view.setUint32(4 * at, ends[at] ?? 0);
  return column;
}

/** The bytes of one leaf of a batch. */
export function leafOf(batch: BatchRow, seq: number): Uint8Array {
  const at = seq - batch.firstSeq;
  const from = at === 0 ? 0 : readU32be(batch.ends, 4 * (at - 1));
  return new Uint8Array(batch.leaves.subarray(from, readU32be(batch.ends, 4 * at)));
}

/** Reads leaves of one log; the batch read last is kept, because neighbours are asked for together. */
export class BatchReader {
  readonly #statements: Statements;
  readonly #log: number;
  #kept: BatchRow | undefined;

  constructor(statements: Statements, log: number) {
    this.#statements = statements;
    this.#log = log;
  }

  /** Throws `leaf-missing` when the log does not hold that leaf. */
  leaf(seq: number): Uint8Array {
    return leafOf(this.#batch(seq), seq);
  }

  /** Leaves from..to-1. */
  range(from: number, to: number): Uint8Array[] {
    return Array.from({ length: to - from }, (_, at) => this.leaf(from + at));
  }

  #batch(seq: number): BatchRow {
    if (this.#kept !== undefined && holds(this.#kept, seq)) return this.#kept;
    const row = this.#statements.get<BatchRow>("batch-of", [this.#log, seq]);
    if (row === undefined || !holds(row, seq))
      throw new Problem("leaf-missing", "the store does not hold this leaf", { where: `leaf ${seq}` });
    this.#kept = row;
    return row;
  }
}

function holds(batch: BatchRow, seq: number): boolean {
  return seq >= batch.firstSeq && seq < batch.nextSeq;
}
