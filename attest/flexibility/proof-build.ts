import { logIdOf } from "../identity.ts";
import { isoTime } from "../iso-time.ts";
import type { ChannelManifest, Discontinuity, IntervalClose, Leaf } from "../leaf.ts";
import { decodeLeaf } from "../leaf-codec.ts";
import { Problem } from "../problem.ts";
import { endOf, evidenceOf, spanOf } from "./proof-evidence.ts";
import { encodeSettlementProof, MAX_SETTLEMENT_BYTES } from "./proof-file.ts";
import { followersOf } from "./proof-followers.ts";
import { type ShownLife, shownLife, sortByKind } from "./proof-life.ts";
import { settle } from "./settle.ts";
import { settlementPart } from "./settlement-part.ts";
import type { SettlementSource } from "./settlement-source.ts";

/** Which commitment, and what its log does not hold. */
export interface SettlementRequest {
  readonly commitmentSeq: number;
  /** The node's signed list of dispatches. */
  readonly list?: Uint8Array;
  readonly enrolment?: readonly Uint8Array[];
}

const DAY_MS = 86_400_000;
/** No method looks back further than 60 local days. */
const LOOK_BACK_MS = 62 * DAY_MS;
/** How long behind the event a close may end that was the first one since. */
const CLOSED_WITHIN_MS = 31 * DAY_MS;

/**
 * Builds the settlement proof of a commitment. Throws `commitment-missing` when the leaf is none, `settlement-open`
 * before a close reaches the end of the rebound, `proof-unsigned` while no checkpoint covers it, `settlement-size` when
 * it does not fit into a file, and what is wrong with the orders.
 */
export function buildSettlementProof(source: SettlementSource, request: SettlementRequest): Uint8Array {
  const { commitmentSeq, ...rest } = request;
  const life = lifeOf(source, commitmentSeq, request.list);
  const closes = closesOf(source, life);
  const part = settlementPart(source, { life, closes, breaks: breaksOf(source, closes) });
  const bytes = encodeSettlementProof({ ...rest, part });
  if (bytes.length <= MAX_SETTLEMENT_BYTES) return bytes;
  throw new Problem("settlement-size", "the commitment's history does not fit into a settlement proof", {
    expected: `at most ${MAX_SETTLEMENT_BYTES} bytes`,
    got: String(bytes.length),
    hint: "longer market intervals make fewer closes",
  });
}

/** The commitment, its offer, every dispatch under it with what answers it, and the device's last account. */
function lifeOf(source: SettlementSource, commitmentSeq: number, list: Uint8Array | undefined): ShownLife {
  const commitment = leafAt(source, commitmentSeq);
  if (commitment.kind !== "commitment")
    throw new Problem("commitment-missing", "the leaf is no commitment", {
      where: `leaf ${commitmentSeq}`,
      got: commitment.kind,
    });
  const first = leafAt(source, 0);
  if (first.kind !== "logManifest") throw new Problem("proof-manifest", "the log manifest is missing");
  const { suite } = source.tree();
  const log = { identity: source.identity, logId: logIdOf(suite, source.identity), logManifest: first };
  const offer = commitment.offerSeq === undefined ? [] : [leafAt(source, commitment.offerSeq)];
  const under = shownLife(suite, log, { leaves: sortByKind([...offer, commitment]), list });
  const followers = followersOf(source, { ...under, logId: log.logId });
  const leaves = sortByKind([...offer, commitment, ...followers]);
  return shownLife(suite, log, { leaves, list });
}

/** The closes that the settlement looks at, with none left out between them: settled once with all that there are. */
function closesOf(source: SettlementSource, life: ShownLife): IntervalClose[] {
  const { commitment } = life;
  const { channel, fromMs } = commitment;
  const all = source
    .closes(channel, fromMs - LOOK_BACK_MS, endOf(commitment) + CLOSED_WITHIN_MS)
    .toSorted((a, b) => a.seq - b.seq);
  const unbroken = runBack(source, all);
  const evidence = evidenceOf(life, {
    ...{ closes: unbroken, discontinuities: breaksOf(source, unbroken) },
    meters: metersOf(source, unbroken),
  });
  const span = spanOf(commitment, settle(evidence));
  const last = unbroken.find(({ seq, t1Ms }) => seq > commitment.seq && t1Ms >= span.toMs);
  if (last === undefined)
    throw new Problem("settlement-open", "no close reaches the end of the event and of its rebound yet", {
      expected: `a close to ${isoTime(span.toMs)} or later`,
      hint: "ask again when it is over and the meter was read since",
    });
  const kept = unbroken.filter(({ seq }) => seq <= last.seq);
  const first = kept.find(({ t1Ms }) => t1Ms > span.fromMs) ?? last;
  return begunBefore(
    source,
    kept.filter(({ seq }) => seq >= first.seq),
    span.fromMs,
  );
}

/** The closes back from the last one to the first, by the references of each to the one before it. */
function runBack(source: SettlementSource, all: readonly IntervalClose[]): IntervalClose[] {
  const known = new Map(all.map((close) => [close.seq, close]));
  const firstSeq = all[0]?.seq ?? 0;
  const run: IntervalClose[] = [];
  for (let close = all.at(-1); close !== undefined && close.seq >= firstSeq; ) {
    run.push(close);
    close = known.get(close.previousCloseSeq ?? -1) ?? previousOf(source, close);
  }
  return run.reverse();
}

/** The same closes from one on that begins by `fromMs`, or from the channel's first. */
function begunBefore(
  source: SettlementSource,
  closes: readonly IntervalClose[],
  fromMs: number,
): IntervalClose[] {
  const earlier: IntervalClose[] = [];
  let oldest = closes[0];
  while (oldest !== undefined && oldest.t0Ms > fromMs) {
    oldest = previousOf(source, oldest);
    if (oldest !== undefined) earlier.push(oldest);
  }
  return [...earlier.reverse(), ...closes];
}

function previousOf(
  source: SettlementSource,
  { seq, previousCloseSeq }: IntervalClose,
): IntervalClose | undefined {
  if (previousCloseSeq === undefined) return undefined;
  const leaf = leafAt(source, previousCloseSeq);
  if (leaf.kind === "intervalClose" && leaf.seq < seq) return leaf;
  throw new Problem("proof-chain", "a close names a leaf that is no close before it", {
    where: `leaf ${seq}`,
  });
}

/** What broke the chains between the closes. */
function breaksOf(source: SettlementSource, closes: readonly IntervalClose[]): Discontinuity[] {
  const found: Discontinuity[] = [];
  const stop = closes[0]?.lastDiscontinuitySeq;
  for (let seq = closes.at(-1)?.lastDiscontinuitySeq; seq !== undefined && seq !== stop; ) {
    const leaf = leafAt(source, seq);
    if (leaf.kind !== "discontinuity")
      throw new Problem("proof-chain", "a close names a leaf that is no discontinuity", {
        where: `leaf ${seq}`,
      });
    found.push(leaf);
    seq = leaf.previousDiscontinuitySeq;
  }
  return found.reverse();
}

/** What the closes name as in force. */
function metersOf(
  source: SettlementSource,
  closes: readonly IntervalClose[],
): ReadonlyMap<number, ChannelManifest> {
  const seqs = [...new Set(closes.map(({ manifestSeq }) => manifestSeq))];
  const found = seqs.map((seq) => leafAt(source, seq));
  return new Map(found.flatMap((leaf) => (leaf.kind === "channelManifest" ? [[leaf.seq, leaf]] : [])));
}

function leafAt(source: SettlementSource, seq: number): Leaf {
  return decodeLeaf(source.leaf(seq));
}
