import { CLOSE_SHAPE, type Discontinuity, type IntervalClose } from "./leaf.ts";
import { Problem } from "./problem.ts";

/** A stretch of one chain: from the opening of its first close to the closing of its last one. */
export interface Segment {
  readonly first: IntervalClose;
  readonly last: IntervalClose;
}

/**
 * Arranges closes, by seq, into segments that cover [fromMs, toMs) with nothing left out: the first begins at
 * `fromMs`, the last ends at `toMs`, and each next one names the one before it as its previous close. Closes between
 * the two ends of a segment are not needed: within a chain, opening is always the previous closing. Throws
 * `proof-cover` or `proof-chain`.
 */
export function arrangeSegments(closes: readonly IntervalClose[], fromMs: number, toMs: number): Segment[] {
  const segments: Segment[] = [];
  for (const close of closes) {
    const open = segments.at(-1);
    if (open !== undefined && sameChain(open.last, close))
      segments[segments.length - 1] = { first: open.first, last: close };
    else {
      if (open !== undefined) requireAdjacent(open.last, close);
      segments.push({ first: close, last: close });
    }
  }
  requireCover(segments, fromMs, toMs);
  return segments;
}

/** The closes that a proof must hold, out of all closes of the channel in its span, by seq: both ends of each chain. */
export function neededCloses(all: readonly IntervalClose[]): IntervalClose[] {
  return all.filter((close, at) => {
    const before = all[at - 1];
    const after = all[at + 1];
    return (
      before === undefined || after === undefined || !sameChain(before, close) || !sameChain(close, after)
    );
  });
}

/** Two closes, `a` before `b`, stand in one chain when no discontinuity, manifest or clock step lies between. */
export function sameChain(a: IntervalClose, b: IntervalClose): boolean {
  return (
    a.lastDiscontinuitySeq === b.lastDiscontinuitySeq &&
    a.lastClockStepSeq === b.lastClockStepSeq &&
    a.manifestSeq === b.manifestSeq &&
    !hasShape(a, CLOSE_SHAPE.endsChain) &&
    !hasShape(b, CLOSE_SHAPE.opensChain) &&
    a.t1Ms <= b.t0Ms
  );
}

/** Whether a close carries a bit of CLOSE_SHAPE. */
export function hasShape(close: IntervalClose, bit: number): boolean {
  return ((close.shape ?? 0) & bit) !== 0;
}

/**
 * The discontinuities between two segments, oldest first: followed back from the later one through their own
 * references. `known` holds those at hand, by seq. Throws `proof-chain` when one is missing.
 */
export function discontinuitiesBetween(
  earlier: Segment,
  later: Segment,
  known: ReadonlyMap<number, Discontinuity>,
): Discontinuity[] {
  const found: Discontinuity[] = [];
  for (let seq = later.first.lastDiscontinuitySeq; seq !== earlier.last.lastDiscontinuitySeq; ) {
    const leaf = seq === undefined ? undefined : known.get(seq);
    if (leaf === undefined)
      throw new Problem("proof-chain", "a discontinuity between two segments is not in the proof", {
        got: `seq ${seq}`,
      });
    found.push(leaf);
    seq = leaf.previousDiscontinuitySeq;
    // Only ever backwards: a device that signs a circle must not keep its verifier busy for ever.
    if (seq !== undefined && seq >= leaf.seq)
      throw new Problem("proof-chain", "a discontinuity names a later one as the one before it", {
        where: `leaf ${leaf.seq}`,
        got: `seq ${seq}`,
      });
  }
  return found.reverse();
}

function requireAdjacent(previous: IntervalClose, next: IntervalClose): void {
  if (next.previousCloseSeq === previous.seq) return;
  throw new Problem("proof-chain", "a close between two segments was left out", {
    where: `close ${next.seq}`,
    expected: `previous close ${previous.seq}`,
    got: String(next.previousCloseSeq),
  });
}

function requireCover(segments: readonly Segment[], fromMs: number, toMs: number): void {
  const first = segments[0]?.first;
  const last = segments.at(-1)?.last;
  if (first?.t0Ms === fromMs && last?.t1Ms === toMs) return;
  throw new Problem("proof-cover", "the closes do not begin and end where the claim does", {
    expected: `${fromMs} to ${toMs}`,
    got: first === undefined ? "no closes" : `${first.t0Ms} to ${last?.t1Ms}`,
  });
}
