import { equalBytes } from "../bytes.ts";
import { Problem } from "../problem.ts";
import { discontinuitiesBetween } from "../segments.ts";
import { closesOver, type Span } from "./settle-metered.ts";
import type { SettlementEvidence } from "./settle-types.ts";
import { encodeTerms } from "./terms.ts";

/** That what a settlement is computed from is of one commitment, and whole. */

/** Throws Problem `settlement-evidence`. */
export function checkCommitment({ commitment, order, terms, calls }: SettlementEvidence): void {
  for (const name of ["channel", "boundary", "fromMs", "intervalMs", "deltaMwh"] as const)
    if (String(commitment[name]) !== String(order[name]))
      throw wrong(`${name} of leaf ${commitment.seq}`, String(order[name]), String(commitment[name]));
  if (!equalBytes(encodeTerms(terms), order.terms))
    throw wrong("terms", "those of the commitment's order", "other ones");
  for (const { leaf, order: dispatch, acknowledgements } of calls) {
    const { commitmentId = new Uint8Array() } = dispatch;
    if (leaf.commitmentSeq !== commitment.seq || !equalBytes(commitmentId, order.objectId))
      throw wrong(`leaf ${leaf.seq}`, `a dispatch under leaf ${commitment.seq}`, "another one");
    const stray = acknowledgements.find(({ orderSeq }) => orderSeq !== leaf.seq);
    if (stray !== undefined) throw wrong(`leaf ${stray.seq}`, `an answer to leaf ${leaf.seq}`, "another one");
  }
}

/**
 * Each close names the one before it, and every discontinuity that the closes of `span` name is there. Throws Problem
 * `settlement-evidence` or `proof-chain`.
 */
export function checkShown({ commitment, closes, discontinuities }: SettlementEvidence, span: Span): void {
  for (const leaf of [...closes, ...discontinuities])
    if (leaf.channel !== commitment.channel)
      throw wrong(`leaf ${leaf.seq}`, `channel ${commitment.channel}`, String(leaf.channel));
  for (const [at, { seq, previousCloseSeq }] of closes.entries()) {
    const previous = closes[at - 1];
    if (previous !== undefined && (previousCloseSeq !== previous.seq || seq <= previous.seq))
      throw wrong(`close ${seq}`, `previous close ${previous.seq}`, String(previousCloseSeq));
  }
  const { before, last } = closesOver(closes, span);
  if (before === undefined || last === undefined) return;
  const known = new Map(discontinuities.map((each) => [each.seq, each]));
  discontinuitiesBetween({ first: before, last: before }, { first: last, last }, known);
}

function wrong(where: string, expected: string, got: string): Problem {
  return new Problem("settlement-evidence", "what is shown is not of one commitment, or not whole", {
    ...{ where, expected, got },
  });
}
