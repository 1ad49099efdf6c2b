import { compareBytes, concatBytes, equalBytes } from "./bytes.ts";
import { openCheckpointSize } from "./checkpoint.ts";
import { buildCutMultiproof } from "./multiproof.ts";
import { Problem } from "./problem.ts";
import { joinHashes, type ProofPart } from "./proof.ts";
import type { KeptCheckpoint, ProofSource } from "./proof-source.ts";
import { openReceiptSize, receiptKeyHint } from "./receipt.ts";

/** What a part of a proof is to show of one log. */
export interface PartPlan {
  /** Seqs of what the claim begins and ends with: the last anchor below each is shown. */
  readonly edges: { readonly opening: number; readonly closing: number };
  /** The first receipts over this leaf are shown; left out: over the opening. */
  readonly receiptedSeq?: number;
  readonly seqs: readonly number[];
  /** Beside the log's own. */
  readonly manifests: readonly number[];
  readonly checkpoint: KeptCheckpoint;
  /** Most leaves of the multiproof; left out: as many as a proof of energy has. */
  readonly mostLeaves?: number;
}

/** How many receipts one size, and how many one part may have. */
const MAX_RECEIPTS_PER_EDGE = 4;

/** The leaves with their proof, and for each edge the last receipt below it and the first ones above. */
export function buildPart(source: ProofSource, plan: PartPlan): ProofPart {
  const size = openCheckpointSize(plan.checkpoint.bytes);
  const anchors = anchorsOf(source, plan.edges);
  const receipts = receiptsOf(source, plan, size);
  const seqs = ascending([...plan.seqs, ...anchors.map(({ seq }) => seq)]);
  const spare = anchors.map(({ receipt }) => receipt).filter((bytes) => !includes(receipts, bytes));
  const cuts = ascending(receipts.map(openReceiptSize)).filter((cut) => cut < size);
  const { mostLeaves } = plan;
  const targets = { size, indices: seqs, cuts, ...(mostLeaves !== undefined && { mostLeaves }) };
  return {
    checkpoint: plan.checkpoint.bytes,
    manifests: leavesOf(source, ascending([0, ...plan.manifests])),
    leaves: leavesOf(source, seqs),
    hashes: joinHashes(buildCutMultiproof(source.tree(), targets)),
    ...(receipts.length === 0 ? {} : { receipts }),
    ...(spare.length === 0 ? {} : { anchoredReceipts: spare }),
  };
}

/** The smallest checkpoint that covers a leaf. Throws `proof-unsigned`. */
export function coveringCheckpoint(source: ProofSource, lastSeq: number): KeptCheckpoint {
  const found = source.checkpointOver(lastSeq);
  if (found !== undefined) return found;
  throw new Problem("proof-unsigned", "no checkpoint covers what is to be proven yet", {
    hint: "ask again in a minute; an epoch that is over will not be signed any more",
  });
}

function anchorsOf(
  source: ProofSource,
  { opening, closing }: PartPlan["edges"],
): { readonly seq: number; readonly receipt: Uint8Array }[] {
  const first = source.anchorBelow(opening);
  const last = source.anchorBelow(closing);
  const found = [first, last].flatMap((anchor) => anchor ?? []);
  return found.filter(({ seq }, at) => at === 0 || seq !== found[0]?.seq);
}

/** The first receipts above the opening edge, if they are not those over the checkpoint itself, and those. */
function receiptsOf(source: ProofSource, plan: PartPlan, size: number): Uint8Array[] {
  const early = source.checkpointOver(plan.receiptedSeq ?? plan.edges.opening);
  const isEarlier = early !== undefined && openCheckpointSize(early.bytes) < size;
  const first = isEarlier ? early.receipts.slice(0, MAX_RECEIPTS_PER_EDGE) : [];
  return [...inOrder(first), ...inOrder(plan.checkpoint.receipts.slice(0, MAX_RECEIPTS_PER_EDGE))];
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
