import type { Discontinuity, IntervalClose } from "../leaf.ts";
import { MAX_LARGE_MULTIPROOF_LEAVES } from "../multiproof.ts";
import type { ProofPart } from "../proof.ts";
import { buildPart, coveringCheckpoint } from "../proof-part.ts";
import type { ProofSource } from "../proof-source.ts";
import type { ShownLife } from "./proof-life.ts";

/** What a settlement proof is to show of a log. */
export interface ShownSettlement {
  readonly life: ShownLife;
  readonly closes: readonly IntervalClose[];
  readonly breaks: readonly Discontinuity[];
}

/**
 * The leaves with their proof; the first receipts over the commitment, which show that it was in time, and those over
 * the end. Throws `proof-unsigned` while no checkpoint covers it.
 */
export function settlementPart(source: ProofSource, { life, closes, breaks }: ShownSettlement): ProofPart {
  const seqs = [...lifeSeqs(life), ...[...closes, ...breaks].map(({ seq }) => seq)];
  const first = closes.find(({ t1Ms }) => t1Ms > life.commitment.fromMs) ?? closes.at(-1);
  return buildPart(source, {
    edges: { opening: first?.openingSeq ?? 0, closing: closes.at(-1)?.closingSeq ?? 0 },
    receiptedSeq: life.commitment.seq,
    seqs,
    manifests: closes.map(({ manifestSeq }) => manifestSeq),
    checkpoint: coveringCheckpoint(
      source,
      seqs.reduce((last, seq) => Math.max(last, seq), 0),
    ),
    mostLeaves: MAX_LARGE_MULTIPROOF_LEAVES,
  });
}

function lifeSeqs({
  offer,
  commitment,
  dispatches,
  acknowledgements,
  actuations,
  account,
}: ShownLife): number[] {
  const leaves = [
    ...[commitment, ...dispatches.map(({ leaf }) => leaf), ...acknowledgements, ...actuations],
    ...[...(offer === undefined ? [] : [offer]), ...(account === undefined ? [] : [account])],
  ];
  return leaves.map(({ seq }) => seq);
}
