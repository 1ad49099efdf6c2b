import { concatBytes } from "./bytes.ts";
import { openCheckpointSize } from "./checkpoint.ts";
import { isoTime } from "./iso-time.ts";
import type { IntervalClose, Leaf } from "./leaf.ts";
import { decodeLeaf } from "./leaf-codec.ts";
import { buildMultiproof } from "./multiproof.ts";
import { Problem } from "./problem.ts";
import { encodeProof, joinHashes } from "./proof.ts";
import type { ProofSource } from "./proof-source.ts";
import { neededCloses } from "./segments.ts";

/** "This channel, from t0 to t1": both are ends of closes. */
export interface ProofRequest {
  readonly channel: number;
  readonly fromMs: number;
  readonly toMs: number;
}

const MAX_RECEIPTS = 8;

/**
 * Builds the proof file of an interval. Throws `proof-no-interval` when no close begins at `fromMs` or ends at
 * `toMs`, naming the nearest ones, and `proof-unsigned` while no checkpoint covers the interval.
 */
export function buildProof(source: ProofSource, request: ProofRequest): Uint8Array {
  const closes = neededCloses(
    unbrokenRun(source.closes(request.channel, request.fromMs, request.toMs), request),
  );
  const lastSeq = closes.at(-1)?.seq ?? 0;
  const checkpoint = source.checkpointOver(lastSeq);
  if (checkpoint === undefined) {
    throw new Problem("proof-unsigned", "no checkpoint covers this interval yet", {
      hint: "ask again in a minute",
    });
  }
  const anchor = source.anchorBelow(closes[0]?.openingSeq ?? 0);
  const seqs = leafSeqs(source, closes, anchor?.seq);
  const size = openCheckpointSize(checkpoint.bytes);
  const receipts = checkpoint.receipts.slice(0, MAX_RECEIPTS);
  return encodeProof({
    network: source.identity.network,
    deviceKey: source.identity.deviceKey,
    epoch: source.identity.epoch,
    ...request,
    checkpoint: checkpoint.bytes,
    ...(receipts.length === 0 ? {} : { receipts }),
    leaves: concatBytes(...seqs.map((seq) => source.leaf(seq))),
    hashes: joinHashes(buildMultiproof(source.tree(), size, seqs)),
    ...(anchor === undefined ? {} : { anchoredReceipt: anchor.receipt }),
    manifests: concatBytes(...manifestSeqs(closes).map((seq) => source.leaf(seq))),
  });
}

/** The log's manifest and those that were in force in the channel. */
function manifestSeqs(closes: readonly IntervalClose[]): number[] {
  return [...new Set([0, ...closes.map((close) => close.manifestSeq)])].sort((a, b) => a - b);
}

/** Every leaf that the multiproof holds: closes, what broke their chains, the anchor. */
function leafSeqs(source: ProofSource, closes: readonly IntervalClose[], anchorSeq?: number): number[] {
  const seqs = new Set(closes.map((close) => close.seq));
  if (anchorSeq !== undefined) seqs.add(anchorSeq);
  const stop = closes[0]?.lastDiscontinuitySeq;
  for (let seq = closes.at(-1)?.lastDiscontinuitySeq; seq !== undefined && seq !== stop; ) {
    seqs.add(seq);
    seq = previousDiscontinuity(decodeLeaf(source.leaf(seq)));
  }
  return [...seqs].sort((a, b) => a - b);
}

function previousDiscontinuity(leaf: Leaf): number | undefined {
  if (leaf.kind === "discontinuity") return leaf.previousDiscontinuitySeq;
  throw new Problem("proof-chain", "a close names a leaf that is no discontinuity", {
    where: `leaf ${leaf.seq}`,
  });
}

/**
 * The closes from `fromMs` to `toMs`, each the previous one of the next. Where the clock was set back the log holds
 * the same times twice; the latest run is taken.
 */
function unbrokenRun(closes: readonly IntervalClose[], request: ProofRequest): readonly IntervalClose[] {
  for (let end = closes.length - 1; end >= 0; end--) {
    if (closes[end]?.t1Ms !== request.toMs) continue;
    for (let at = end; at >= 0; at--) {
      if (closes[at]?.t0Ms === request.fromMs) return closes.slice(at, end + 1);
      if (closes[at]?.previousCloseSeq !== closes[at - 1]?.seq) break;
    }
  }
  throw noInterval(closes, request);
}

function noInterval(closes: readonly IntervalClose[], request: ProofRequest): Problem {
  const from = closes[0]?.t0Ms;
  const to = closes.at(-1)?.t1Ms;
  return new Problem("proof-no-interval", "no closed interval begins and ends there", {
    where: `channel ${request.channel}`,
    expected: `${isoTime(request.fromMs)} to ${isoTime(request.toMs)}`,
    got:
      from === undefined || to === undefined
        ? "no close in that span"
        : `closes from ${isoTime(from)} to ${isoTime(to)}`,
    hint: "list the closed intervals first and use their ends",
  });
}
