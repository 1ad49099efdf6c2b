import { isoTime } from "./iso-time.ts";
import type { IntervalClose, Leaf } from "./leaf.ts";
import { decodeLeaf } from "./leaf-codec.ts";
import { Problem } from "./problem.ts";
import { encodeProof, type ProofPart } from "./proof.ts";
import { EPOCH_OPEN_SEQ } from "./proof-log.ts";
import { buildPart, coveringCheckpoint } from "./proof-part.ts";
import type { KeptCheckpoint, ProofSource } from "./proof-source.ts";
import { neededCloses } from "./segments.ts";

/** "This channel, from t0 to t1": both are ends of closes. */
export interface ProofRequest {
  readonly channel: number;
  readonly fromMs: number;
  readonly toMs: number;
}

/** One epoch's part of a span: [fromMs, toMs) of the channel as that epoch numbers it. */
export interface EpochRequest extends ProofRequest {
  readonly source: ProofSource;
}

/**
 * Builds the proof file of an interval within one epoch. Throws `proof-no-interval` when no close begins at `fromMs`
 * or ends at `toMs`, naming the nearest ones, and `proof-unsigned` while no checkpoint covers the interval.
 */
export function buildProof(source: ProofSource, request: ProofRequest): Uint8Array {
  return encodeProof({ parts: [energyPart(source, request, covering(source))] });
}

/**
 * Builds the proof file of a span that lies in several epochs of the key, oldest first. Throws as {@link buildProof}
 * does, and `proof-epoch` where an epoch does not name the end of the one before it, or that was not kept.
 */
export function buildProofAcross(
  epochs: readonly EpochRequest[],
  enrolment?: readonly Uint8Array[],
): Uint8Array {
  const parts = epochs.map(({ source, ...request }, at) => {
    const next = epochs[at + 1]?.source;
    const choose = next === undefined ? covering(source) : closedBy(source, next);
    return energyPart(source, request, choose, at > 0 ? [EPOCH_OPEN_SEQ] : []);
  });
  return encodeProof({ parts, ...(enrolment && { enrolment }) });
}

/** Builds the proof file of the flexibility reading at `seq`. Throws `proof-no-reading` or `proof-unsigned`. */
export function buildFlexibilityProof(source: ProofSource, seq: number): Uint8Array {
  const leaf = decodeLeaf(source.leaf(seq));
  if (leaf.kind !== "flexibility")
    throw new Problem("proof-no-reading", "the leaf is no flexibility reading", {
      where: `leaf ${seq}`,
      got: leaf.kind,
    });
  const edges = { opening: seq, closing: seq };
  const part = buildPart(source, {
    ...{ edges, seqs: [seq], manifests: [leaf.manifestSeq] },
    checkpoint: covering(source)(seq),
  });
  return encodeProof({ parts: [part] });
}

type CheckpointChoice = (lastSeq: number) => KeptCheckpoint;

function energyPart(
  source: ProofSource,
  request: ProofRequest,
  choose: CheckpointChoice,
  also: readonly number[] = [],
): ProofPart {
  const all = source.closes(request.channel, request.fromMs, request.toMs);
  const closes = neededCloses(unbrokenRun(all, request));
  const last = closes.at(-1);
  return buildPart(source, {
    edges: { opening: closes[0]?.openingSeq ?? 0, closing: last?.closingSeq ?? 0 },
    seqs: [...also, ...closes.map(({ seq }) => seq), ...discontinuitySeqs(source, closes)],
    manifests: closes.map(({ manifestSeq }) => manifestSeq),
    checkpoint: choose(last?.seq ?? 0),
  });
}

function covering(source: ProofSource): CheckpointChoice {
  return (lastSeq) => coveringCheckpoint(source, lastSeq);
}

/** The checkpoint of an earlier epoch that the next one names as its end. What lies above it is no part of the key's logs. */
function closedBy(source: ProofSource, next: ProofSource): CheckpointChoice {
  return (lastSeq) => {
    const open = decodeLeaf(next.leaf(EPOCH_OPEN_SEQ));
    const size = open.kind === "epochOpen" ? (open.oldSize ?? 0) : 0;
    const found = size > lastSeq ? source.checkpointAt(size) : undefined;
    if (found !== undefined) return found;
    throw new Problem(
      "proof-epoch",
      "the epoch does not name an end of the one before it that covers this interval, or that was not kept",
      { where: `epoch ${next.identity.epoch}`, hint: "ask for each part on its own" },
    );
  };
}

/** What broke the chains between the closes. */
function discontinuitySeqs(source: ProofSource, closes: readonly IntervalClose[]): number[] {
  const seqs: number[] = [];
  const stop = closes[0]?.lastDiscontinuitySeq;
  for (let seq = closes.at(-1)?.lastDiscontinuitySeq; seq !== undefined && seq !== stop; ) {
    seqs.push(seq);
    seq = previousDiscontinuity(decodeLeaf(source.leaf(seq)));
  }
  return seqs;
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
  if (from === request.fromMs && to === request.toMs) return brokenRun(request);
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

/** Closes between whose ends the clock was somewhere else. */
function brokenRun({ channel, fromMs, toMs }: ProofRequest): Problem {
  return new Problem("proof-no-interval", "the closes there do not follow one another", {
    where: `channel ${channel}`,
    expected: `closes from ${isoTime(fromMs)} to ${isoTime(toMs)}, each the previous one of the next`,
    got: "some between them at other times: the clock was set meanwhile",
    hint: "ask for the parts before and after the clock was set",
  });
}
