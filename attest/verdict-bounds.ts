import { equalBytes, toHex } from "./bytes.ts";
import { boundaryToleranceMs } from "./intervals.ts";
import { isoTime } from "./iso-time.ts";
import type { IntervalClose } from "./leaf.ts";
import { Problem } from "./problem.ts";
import type { ProvenSegment } from "./proof-claim.ts";
import {
  EPOCH_OPEN_SEQ,
  type ProvenAnchor,
  type ProvenLog,
  type ProvenReceipt,
  type Witness,
} from "./proof-log.ts";
import type { ProvenFile } from "./proof-verify.ts";
import { RULE_VERSION } from "./receipt.ts";
import type { TrustPolicy } from "./trust-policy.ts";

/** One end of a claim: the reading that it rests on, and between which instants of trusted nodes' clocks it was written. */
export interface Edge {
  readonly edge: "opening" | "closing" | "reading";
  /** By the device's clock. */
  readonly timeMs: number;
  /** Written after this instant. */
  readonly notBeforeMs?: number;
  /** Written before this instant. */
  readonly notAfterMs?: number;
}

/** How far a device's clock may be off the nodes' before a claim is refused, unless the policy says otherwise. */
export const CLOCK_TOLERANCE_MS = 120_000;

/**
 * How long before its boundary a reading may lie at most, ms. The device says in its manifests how long that is; half
 * of the longest market interval is as much as a verifier believes.
 */
const OLDEST_READING_MS = 1_800_000;

/** Where a claim begins or ends in the logs. */
interface Place {
  readonly edge: Edge["edge"];
  readonly timeMs: number;
  readonly log: number;
  /** The reading, and the leaf in the proof that says that it is this one: the same for a flexibility reading. */
  readonly seq: number;
  readonly statedBy: number;
  /** The reading may be older than `timeMs` by this. */
  readonly oldestMs: number;
}

/** Whether a node of the policy has signed. */
export function isTrusted(witness: Witness, policy: TrustPolicy): boolean {
  return policy.nodeKeys.some((key) => equalBytes(key, witness.nodeKey));
}

type Word = ProvenReceipt | ProvenAnchor;

/** A node that went by other rules may have meant something else by its receipt. */
function hasKnownRules({ ruleVersion }: Word): boolean {
  return ruleVersion === RULE_VERSION;
}

/**
 * The receipts of a log that stand behind all that is claimed of it: over every claimed leaf, by rules that this
 * version knows.
 */
export function witnessesOf(log: ProvenLog): readonly ProvenReceipt[] {
  const { closes, flexibility } = log.leaves;
  const lastSeq = Math.max(closes.at(-1)?.seq ?? 0, flexibility[0]?.seq ?? 0);
  return log.receipts.filter((receipt) => receipt.size > lastSeq && hasKnownRules(receipt));
}

/** How many trusted nodes have witnessed, in the log where they are fewest. */
export function witnessCount(proven: ProvenFile, policy: TrustPolicy): number {
  const counts = proven.logs.map((log) => distinct(witnessesOf(log), policy).length);
  return Math.min(...counts);
}

/**
 * The claim's ends with their bounds. With k witnesses asked for, a bound is one that holds unless k of the trusted
 * nodes are wrong, or all of them where there are fewer. Throws `proof-time` where the device's clock contradicts it.
 */
export function edgesOf(proven: ProvenFile, policy: TrustPolicy): Edge[] {
  return placesOf(proven).map((place) => {
    const edge = { edge: place.edge, timeMs: place.timeMs, ...boundsOf(proven, place, policy) };
    requireWithin(edge, place.oldestMs, policy.clockToleranceMs ?? CLOCK_TOLERANCE_MS);
    return edge;
  });
}

function placesOf({ claim, logs }: ProvenFile): Place[] {
  if (claim.kind === "flexibility") {
    const { seq, timeMs } = claim.leaf;
    return [{ edge: "reading", timeMs, log: 0, seq, statedBy: seq, oldestMs: 0 }];
  }
  const [first] = claim.segments;
  const last = claim.segments.at(-1) ?? first;
  const place = (
    segment: ProvenSegment,
    close: IntervalClose,
  ): Pick<Place, "log" | "statedBy" | "oldestMs"> => ({
    log: segment.log,
    statedBy: close.seq,
    oldestMs: oldestReadingMs(logs[segment.log], segment),
  });
  return [
    { edge: "opening", timeMs: claim.fromMs, seq: first.first.openingSeq, ...place(first, first.first) },
    { edge: "closing", timeMs: claim.toMs, seq: last.last.closingSeq, ...place(last, last.last) },
  ];
}

function oldestReadingMs(log: ProvenLog | undefined, { manifest }: ProvenSegment): number {
  const { samplingMs } = manifest;
  const intervalMs = log?.logManifest.intervalMs ?? 0;
  return Math.min(boundaryToleranceMs({ intervalMs, samplingMs }), OLDEST_READING_MS);
}

/**
 * A later epoch's log commits to the earlier one by its open leaf, so its receipts lie above, and earlier anchors below.
 * Within the log, which reading it was is only the device's word until a trusted node has checked the leaf that says so.
 */
function boundsOf(
  proven: ProvenFile,
  place: Place,
  policy: TrustPolicy,
): Pick<Edge, "notBeforeMs" | "notAfterMs"> {
  const { log: at, seq, statedBy } = place;
  const vouched = (log: ProvenLog): boolean =>
    seq === statedBy || log.receipts.some((receipt) => receipt.size > statedBy && counts(receipt, policy));
  const above = proven.logs.flatMap((log, of) =>
    log.receipts.filter(({ size }) =>
      of === at ? size > seq && vouched(log) : of > at && size > EPOCH_OPEN_SEQ,
    ),
  );
  const below = proven.logs.flatMap((log, of) =>
    log.anchors.filter((anchor) => (of === at ? anchor.seq < seq && vouched(log) : of < at)),
  );
  const wanted = Math.max(1, policy.witnesses);
  const after = distinct(above, policy, (a, b) => a - b);
  const before = distinct(below, policy, (a, b) => b - a);
  return {
    ...named("notBeforeMs", before[Math.min(wanted, before.length) - 1]),
    ...named("notAfterMs", after[Math.min(wanted, after.length) - 1]),
  };
}

function counts(word: Word, policy: TrustPolicy): boolean {
  return isTrusted(word, policy) && hasKnownRules(word);
}

/** The best time of each trusted node, best first. */
function distinct(
  words: readonly Word[],
  policy: TrustPolicy,
  order: (a: number, b: number) => number = (a, b) => a - b,
): number[] {
  const best = new Map<string, number>();
  for (const { nodeKey, receivedAtMs } of words.filter((word) => counts(word, policy))) {
    const key = toHex(nodeKey);
    const known = best.get(key);
    if (known === undefined || order(receivedAtMs, known) < 0) best.set(key, receivedAtMs);
  }
  return [...best.values()].sort(order);
}

function named<N extends string>(name: N, value: number | undefined): { readonly [K in N]?: number } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [K in N]: number });
}

function requireWithin(edge: Edge, oldestMs: number, toleranceMs: number): void {
  const { timeMs, notBeforeMs = timeMs, notAfterMs = timeMs } = edge;
  if (timeMs >= notBeforeMs - toleranceMs && timeMs - oldestMs <= notAfterMs + toleranceMs) return;
  throw new Problem("proof-time", "the device's clock contradicts the clocks of nodes that you trust", {
    where: `${edge.edge} of the claim`,
    expected: `${isoTime(notBeforeMs)} to ${isoTime(notAfterMs)}, give or take ${toleranceMs / 1000} s`,
    got: isoTime(timeMs),
  });
}
