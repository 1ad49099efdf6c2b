import { CLOSE_SHAPE, type Discontinuity, type IntervalClose } from "./leaf.ts";
import { Problem } from "./problem.ts";

/** A stretch of one chain: from the opening of its first close to the closing of its last one. */
export interface Segment {
  readonly first: IntervalClose;
  readonly last: IntervalClose;
}

/**
 * Arranges the closes of one log, by seq, into segments with nothing left out: each next one names the one before it
 * as its previous close. Closes between the two ends of a segment are not needed: within a chain, opening is always the
 * previous closing. Throws `proof-chain`, and `proof-cover` without any close.
 */
export function arrangeSegments(closes: readonly IntervalClose[]): Segment[] {
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
  if (segments.length > 0) return segments;
  throw new Problem("proof-cover", "the proof holds no close");
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

/** Without a discontinuity the register goes on where it was, and time, too, unless the clock was set. */
export function requireContinued(previous: IntervalClose, next: IntervalClose): void {
  const same =
    next.openingImportMwh === previous.closingImportMwh &&
    next.openingExportMwh === previous.closingExportMwh &&
    (next.t0Ms === previous.t1Ms || next.lastClockStepSeq !== previous.lastClockStepSeq);
  if (same) return;
  throw new Problem("proof-chain", "a segment does not begin where the one before it ended", {
    where: `close ${next.seq}`,
  });
}

function requireAdjacent(previous: IntervalClose, next: IntervalClose): void {
  if (next.previousCloseSeq === previous.seq) return;
  throw new Problem("proof-chain", "a close between two segments was left out", {
    where: `close ${next.seq}`,
    expected: `previous close ${previous.seq}`,
    got: String(next.previousCloseSeq),
  });
}
