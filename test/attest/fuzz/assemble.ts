import { equalBytes } from "../../../attest/bytes.ts";
import type { IntervalClose, Leaf } from "../../../attest/leaf.ts";
import { buildCutMultiproof } from "../../../attest/multiproof.ts";
import { encodeProof, joinHashes, type ProofPart } from "../../../attest/proof.ts";
import { openReceiptSize } from "../../../attest/receipt.ts";
import type { LogBuilder, StoredCheckpoint } from "../../kit/log-builder.ts";
import type { Evidence } from "./evidence.ts";
import { inOrder } from "./truth.ts";
import { leafBytes } from "./world.ts";

/** Numbers by which pieces are chosen; zeros choose what an honest builder would. */
export class Tape {
  readonly #numbers: readonly number[];
  #at = 0;

  constructor(numbers: readonly number[]) {
    this.#numbers = numbers;
  }

  /** 0 to below - 1. */
  below(below: number): number {
    const number = this.#numbers[this.#at++] ?? 0;
    return below === 0 ? 0 : number % below;
  }

  /** True for one number of so many. */
  once(of: number): boolean {
    return this.below(of) === of - 1;
  }

  pick<T>(from: readonly T[]): T {
    const picked = from[this.below(from.length)];
    if (picked === undefined) throw new Error("nothing to pick from");
    return picked;
  }

  /** The list, or with one of them left out, doubled, put last or put there once more. */
  disturbed<T>(list: readonly T[], of: number): readonly T[] {
    if (!this.once(of)) return list;
    const [how, at] = [this.below(4), this.below(list.length)];
    const one = list.slice(at, at + 1);
    if (how === 0) return list.toSpliced(at, 1);
    if (how === 1) return list.toSpliced(at, 0, ...one);
    return [...(how === 2 ? list.toSpliced(at, 1) : list), ...one];
  }
}

/**
 * What somebody who holds all that was ever signed can put together: true leaves with true hashes under true
 * checkpoints, and beside them true receipts. False is only what is left out, put in, or put beside what.
 */
export function assembled(evidence: Evidence, tape: Tape): Uint8Array {
  const { first, second, neighbour, elsewhere, forked, ownReceipt } = evidence.world;
  const { statement, otherStatement, countersignature, otherCountersignature, lateRotation } = evidence.life;
  const logs = tape.once(3)
    ? [first, tape.pick([second, second, second, neighbour, elsewhere, first])]
    : [tape.pick([first, first, first, second, neighbour, elsewhere, forked])];
  const all = [first, second, neighbour, elsewhere, forked];
  const parts = logs.map((log, at) => partOf(log, { tape, all, ownReceipt, isLater: at > 0 }));
  const record = [
    tape.once(4) ? otherStatement : statement,
    tape.once(4) ? otherCountersignature : countersignature,
    ...(tape.once(2) ? [lateRotation] : []),
  ];
  return encodeProof({ parts, ...(tape.once(4) ? { enrolment: record } : {}) });
}

interface Choice {
  readonly tape: Tape;
  readonly all: readonly LogBuilder[];
  readonly ownReceipt: Uint8Array;
  readonly isLater: boolean;
}

function partOf(log: LogBuilder, { tape, all, ownReceipt, isLater }: Choice): ProofPart {
  const stored = tape.pick(log.checkpoints.toReversed());
  const leaves = log.leaves.slice(0, stored.checkpoint.size).map(({ leaf }) => leaf);
  const closes = someCloses(leaves, tape);
  const anchors = leaves.filter((leaf) => leaf.kind === "anchor" && !tape.once(2));
  const others = tape.once(5) ? [tape.pick(leaves)] : [];
  const open = leaves.filter(({ kind }) => kind === "epochOpen" && isLater !== tape.once(8));
  const shown = [...open, ...closes, ...breaksBetween(leaves, closes, tape), ...anchors, ...others];
  const indices = [...new Set(shown.map(({ seq }) => seq))].sort((a, b) => a - b);
  const bounds = { over: closes[0]?.openingSeq ?? 0, atMost: stored.checkpoint.size };
  const receipts = [
    ...someReceipts(tape.once(5) ? tape.pick(all) : log, tape, bounds),
    ...(tape.once(9) ? [ownReceipt] : []),
  ];
  const spare = tape.disturbed(anchoredReceipts(log, receipts, anchors), 8);
  return {
    checkpoint: stored.bytes,
    manifests: leafBytes(log, tape.disturbed([0, ...manifestsOf(closes)], 8)),
    leaves: leafBytes(log, tape.disturbed(indices, 12)),
    hashes: joinHashes(tape.disturbed(hashesOf(log, stored, { indices, receipts }), 8)),
    ...(receipts.length === 0 ? {} : { receipts }),
    ...(spare.length === 0 ? {} : { anchoredReceipts: spare }),
  };
}

/** A run of closes of one channel, or one of them left out, or one of another channel in between. */
function someCloses(leaves: readonly Leaf[], tape: Tape): readonly IntervalClose[] {
  const all = leaves.flatMap((leaf) => (leaf.kind === "intervalClose" ? [leaf] : []));
  const own = tape.once(8) ? all : all.filter(({ channel }) => channel === 1);
  const from = tape.below(own.length);
  return tape.disturbed(own.slice(from, from + 1 + tape.below(own.length)), 6);
}

function breaksBetween(
  leaves: readonly Leaf[],
  closes: readonly IntervalClose[],
  tape: Tape,
): readonly Leaf[] {
  const [from = 0, to = 0] = [closes[0]?.seq, closes.at(-1)?.seq];
  const all = leaves.filter(({ kind }) => kind === "discontinuity");
  return tape.once(6) ? tape.disturbed(all, 2) : all.filter(({ seq }) => seq > from && seq < to);
}

function manifestsOf(closes: readonly IntervalClose[]): number[] {
  return [...new Set(closes.map(({ manifestSeq }) => manifestSeq))].sort((a, b) => a - b);
}

/** Some of a log's receipts, in order; mostly those that the claim can use. */
function someReceipts(
  log: LogBuilder,
  tape: Tape,
  { over, atMost }: { readonly over: number; readonly atMost: number },
): readonly Uint8Array[] {
  const useful = (size: number): boolean => (size > over && size <= atMost) || tape.once(9);
  const kept = log.checkpoints.flatMap(({ checkpoint, receipts }) =>
    useful(checkpoint.size) ? receipts : [],
  );
  return tape.disturbed(kept.filter(() => !tape.once(2)).toSorted(inOrder), 6);
}

function anchoredReceipts(
  log: LogBuilder,
  receipts: readonly Uint8Array[],
  anchors: readonly Leaf[],
): readonly Uint8Array[] {
  const all = log.checkpoints.flatMap((stored) => stored.receipts);
  const named = anchors.flatMap((leaf) =>
    leaf.kind === "anchor"
      ? all.filter((receipt) => equalBytes(log.suite.sha256(receipt), leaf.receiptHash))
      : [],
  );
  return named.filter((receipt) => !receipts.some((other) => equalBytes(other, receipt)));
}

interface Under {
  readonly indices: readonly number[];
  readonly receipts: readonly Uint8Array[];
}

/** Nothing where the tree has no such proof. */
function hashesOf(
  log: LogBuilder,
  { checkpoint }: StoredCheckpoint,
  { indices, receipts }: Under,
): readonly Uint8Array[] {
  const sizes = [...new Set(receipts.map(openReceiptSize))].sort((a, b) => a - b);
  const cuts = sizes.filter((size) => size < checkpoint.size);
  if (indices.length === 0) return [];
  return buildCutMultiproof(log.proofSource().tree(), { size: checkpoint.size, indices, cuts });
}
