import { compareBytes, concatBytes, equalBytes } from "../bytes.ts";
import { openCheckpointSize } from "../checkpoint.ts";
import type { Discontinuity, IntervalClose } from "../leaf.ts";
import { buildCutMultiproof, MAX_LARGE_MULTIPROOF_LEAVES } from "../multiproof.ts";
import { Problem } from "../problem.ts";
import { joinHashes, type ProofPart } from "../proof.ts";
import type { KeptCheckpoint, ProofSource } from "../proof-source.ts";
import { openReceiptSize, receiptKeyHint } from "../receipt.ts";
import type { ShownLife } from "./proof-life.ts";

/** What a settlement proof is to show of a log. */
export interface ShownSettlement {
  readonly life: ShownLife;
  readonly closes: readonly IntervalClose[];
  readonly breaks: readonly Discontinuity[];
}

/** How many receipts one size may have. */
const MAX_RECEIPTS_PER_EDGE = 4;

/**
 * The leaves with their proof; the first receipts over the commitment, which show that it was in time, and those over
 * the end. Throws `proof-unsigned` while no checkpoint covers it.
 */
export function settlementPart(source: ProofSource, shown: ShownSettlement): ProofPart {
  const { life, closes, breaks } = shown;
  const leaves = ascending([...lifeSeqs(life), ...[...closes, ...breaks].map(({ seq }) => seq)]);
  const checkpoint = covering(source, leaves.at(-1) ?? 0);
  const size = openCheckpointSize(checkpoint.bytes);
  const receipts = receiptsOf(source, { commitmentSeq: life.commitment.seq, checkpoint, size });
  const anchors = anchorsOf(source, shown);
  const seqs = ascending([...leaves, ...anchors.map(({ seq }) => seq)]);
  const spare = anchors.map(({ receipt }) => receipt).filter((bytes) => !includes(receipts, bytes));
  const cuts = ascending(receipts.map(openReceiptSize)).filter((cut) => cut < size);
  const targets = { size, indices: seqs, cuts, mostLeaves: MAX_LARGE_MULTIPROOF_LEAVES };
  return {
    checkpoint: checkpoint.bytes,
    manifests: leavesOf(source, ascending([0, ...closes.map(({ manifestSeq }) => manifestSeq)])),
    leaves: leavesOf(source, seqs),
    hashes: joinHashes(buildCutMultiproof(source.tree(), targets)),
    ...(receipts.length === 0 ? {} : { receipts }),
    ...(spare.length === 0 ? {} : { anchoredReceipts: spare }),
  };
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

/** The smallest checkpoint that covers a leaf. */
function covering(source: ProofSource, lastSeq: number): KeptCheckpoint {
  const found = source.checkpointOver(lastSeq);
  if (found !== undefined) return found;
  throw new Problem("proof-unsigned", "no checkpoint covers what is to be proven yet", {
    hint: "ask again in a minute; an epoch that is over will not be signed any more",
  });
}

/** The last anchors below the event's first and last close. */
function anchorsOf(
  source: ProofSource,
  { life, closes }: ShownSettlement,
): { readonly seq: number; readonly receipt: Uint8Array }[] {
  const first = closes.find(({ t1Ms }) => t1Ms > life.commitment.fromMs) ?? closes.at(-1);
  const opening = source.anchorBelow(first?.openingSeq ?? 0);
  const closing = source.anchorBelow(closes.at(-1)?.closingSeq ?? 0);
  const found = [opening, closing].flatMap((anchor) => anchor ?? []);
  return found.filter(({ seq }, at) => at === 0 || seq !== found[0]?.seq);
}

interface Receipted {
  readonly commitmentSeq: number;
  readonly checkpoint: KeptCheckpoint;
  readonly size: number;
}

function receiptsOf(source: ProofSource, { commitmentSeq, checkpoint, size }: Receipted): Uint8Array[] {
  const early = source.checkpointOver(commitmentSeq);
  const isEarlier = early !== undefined && openCheckpointSize(early.bytes) < size;
  const first = isEarlier ? early.receipts.slice(0, MAX_RECEIPTS_PER_EDGE) : [];
  return [...inOrder(first), ...inOrder(checkpoint.receipts.slice(0, MAX_RECEIPTS_PER_EDGE))];
}

function inOrder(receipts: readonly Uint8Array[]): Uint8Array[] {
  return receipts.toSorted((a, b) => compareBytes(receiptKeyHint(a), receiptKeyHint(b)));
}

function includes(list: readonly Uint8Array[], bytes: Uint8Array): boolean {
  return list.some((item) => equalBytes(item, bytes));
}

function ascending(seqs: readonly number[]): number[] {
  return [...new Set(seqs)].sort((a, b) => a - b);
}

function leavesOf(source: ProofSource, seqs: readonly number[]): Uint8Array {
  return concatBytes(...seqs.map((seq) => source.leaf(seq)));
}
