import {
  ACKNOWLEDGEMENT,
  type Acknowledgement,
  type Challenge,
  type Commitment,
  type LifecycleLeaf,
  SETTLEMENT,
  type Settlement,
} from "../leaf-flexibility.ts";
import { CHALLENGE_FIELDS } from "./orders.ts";
import { payloadOf, type Story, storyOf } from "./track-record-story.ts";

/** How a commitment ended. "open": it may still end well; "notCalled": nobody asked for it, and nothing is owed. */
export type Outcome =
  | "delivered"
  | "partial"
  | "notDelivered"
  | "dataInvalid"
  | "optedOut"
  | "unavailable"
  | "unsettled"
  | "notCalled"
  | "open";

/** What somebody computed anew from a proof: it counts, and not the device's word. */
export interface Recomputed {
  /** A number of SETTLEMENT; absent where nobody called it. */
  readonly result?: number;
  /** Sum over the intervals, in the direction of the commitment; absent where it could not be computed. */
  readonly deliveredMwh?: number;
  /** Of the intervals that were called, unsigned; absent: of all. */
  readonly committedMwh?: number;
}

export interface TrackOptions {
  /** By the seq of the commitment leaf. */
  readonly recomputed?: ReadonlyMap<number, Recomputed>;
  /** Whether a judged challenge was passed, by the seq of its leaf. */
  readonly judged?: ReadonlyMap<number, boolean>;
  /** Until when the log is known; default the time of the last leaf given. */
  readonly asOfMs?: number;
}

/** One commitment, as it ended. */
export interface TrackedCommitment {
  readonly seq: number;
  readonly outcome: Outcome;
  /** Whose word the outcome is. */
  readonly by: "recomputed" | "device" | "log";
  /** The settlement leaf says something else than what was recomputed, or than what the log shows. */
  readonly disagrees: boolean;
  readonly committedMwh: number;
  readonly deliveredMwh?: number;
}

export interface TrackRecord {
  readonly commitments: readonly TrackedCommitment[];
  readonly delivered: number;
  readonly partial: number;
  /** Not delivered, data invalid, or called and never settled. */
  readonly failed: number;
  /** Those of the failed that were called, ended a day ago, and were neither settled nor recomputed. */
  readonly unsettled: number;
  readonly optedOut: number;
  readonly unavailable: number;
  readonly notCalled: number;
  readonly open: number;
  /** Settlement leaves that say something else than what was recomputed, or that settle what was never called. */
  readonly disagreements: number;
  readonly challenges: {
    readonly answered: number;
    readonly rejected: number;
    readonly unanswered: number;
    readonly open: number;
    /** Of the answered, those that somebody judged. */
    readonly passed: number;
    readonly notPassed: number;
  };
  /** Of all commitments that were called and are not open, unsigned. */
  readonly committedMwh: number;
  /** Of the same ones, signed: below 0 where more was drawn than without them. Where nobody says, 0. */
  readonly deliveredMwh: number;
}

/** After its end, a commitment has so long to be settled, and a challenge to be answered. */
const SETTLED_WITHIN_MS = 86_400_000;

const OUTCOMES: ReadonlyMap<number, Outcome> = new Map<number, Outcome>([
  [SETTLEMENT.delivered, "delivered"],
  [SETTLEMENT.partial, "partial"],
  [SETTLEMENT.notDelivered, "notDelivered"],
  [SETTLEMENT.optedOut, "optedOut"],
  [SETTLEMENT.unavailable, "unavailable"],
  [SETTLEMENT.dataInvalid, "dataInvalid"],
]);

/**
 * What one log shows of a device's commitments and challenges, from the leaves of their life alone, in the log's order. A settlement
 * leaf is the device's own word and holds only until somebody recomputed it; of several for one commitment the last one counts.
 * Nothing is verified here: the leaves are those of a verified log.
 */
export function trackRecord(leaves: Iterable<LifecycleLeaf>, options: TrackOptions = {}): TrackRecord {
  const story = storyOf(leaves);
  const asOfMs = options.asOfMs ?? story.lastMs;
  const commitments = [...story.commitments.values()].map((leaf) =>
    tracked(leaf, story, { asOfMs, recomputed: options.recomputed?.get(leaf.seq) }),
  );
  const count = (...outcomes: readonly Outcome[]): number =>
    commitments.filter(({ outcome }) => outcomes.includes(outcome)).length;
  return {
    commitments,
    delivered: count("delivered"),
    partial: count("partial"),
    failed: count("notDelivered", "dataInvalid", "unsettled"),
    unsettled: count("unsettled"),
    optedOut: count("optedOut"),
    unavailable: count("unavailable"),
    notCalled: count("notCalled"),
    open: count("open"),
    disagreements: commitments.filter(({ disagrees }) => disagrees).length,
    challenges: challengesOf(story, asOfMs, options.judged ?? new Map()),
    ...energiesOf(commitments),
  };
}

interface Known {
  readonly asOfMs: number;
  readonly recomputed: Recomputed | undefined;
}

function tracked(leaf: Commitment, story: Story, known: Known): TrackedCommitment {
  const settlement = story.settlements.get(leaf.seq);
  const { outcome, by } = outcomeOf(leaf, story, known);
  const allMwh = sumOf(leaf.deltaMwh.map((delta) => Math.abs(delta)));
  const deliveredMwh =
    by === "recomputed"
      ? known.recomputed?.deliveredMwh
      : by === "device"
        ? deliveredOf(settlement)
        : undefined;
  return {
    seq: leaf.seq,
    outcome,
    by,
    disagrees: settlement !== undefined && isOtherwise(settlement, outcome, { deliveredMwh, by }),
    committedMwh: known.recomputed?.committedMwh ?? allMwh,
    ...(deliveredMwh === undefined ? {} : { deliveredMwh }),
  };
}

function outcomeOf(leaf: Commitment, story: Story, known: Known): Pick<TrackedCommitment, "outcome" | "by"> {
  const { recomputed, asOfMs } = known;
  if (recomputed !== undefined) return { outcome: outcomeNamed(recomputed.result), by: "recomputed" };
  const endMs = leaf.fromMs + leaf.intervalMs * leaf.deltaMwh.length;
  const calls = story.calls.get(leaf.seq) ?? [];
  if (calls.length === 0) return { outcome: asOfMs < endMs ? "open" : "notCalled", by: "log" };
  const settlement = story.settlements.get(leaf.seq);
  if (settlement !== undefined) return { outcome: outcomeNamed(settlement.result), by: "device" };
  const answers = calls.map(({ seq }) => story.answers.get(seq) ?? []);
  if (answers.flat().some(({ state }) => state === ACKNOWLEDGEMENT.optedOut))
    return { outcome: "optedOut", by: "log" };
  if (answers.every((each) => each.some(saysUnavailable))) return { outcome: "unavailable", by: "log" };
  return { outcome: asOfMs < endMs + SETTLED_WITHIN_MS ? "open" : "unsettled", by: "log" };
}

/** As a settlement has it: docs/flexibility.md, "Settlement". */
function saysUnavailable({ state, reason = "" }: Acknowledgement): boolean {
  return state === ACKNOWLEDGEMENT.rejected && /^unavailable(?:$|:)/.test(reason);
}

/** A result that this version does not know is none that was delivered. */
function outcomeNamed(result: number | undefined): Outcome {
  if (result === undefined) return "notCalled";
  return OUTCOMES.get(result) ?? "notDelivered";
}

function isOtherwise(
  settlement: Settlement,
  outcome: Outcome,
  { deliveredMwh, by }: Pick<TrackedCommitment, "by"> & { readonly deliveredMwh: number | undefined },
): boolean {
  if (by === "device") return false;
  const said = deliveredOf(settlement);
  const isOtherEnergy = said !== undefined && deliveredMwh !== undefined && said !== deliveredMwh;
  return outcomeNamed(settlement.result) !== outcome || isOtherEnergy;
}

function deliveredOf(settlement: Settlement | undefined): number | undefined {
  return settlement?.deliveredMwh === undefined ? undefined : sumOf(settlement.deliveredMwh);
}

function energiesOf(
  commitments: readonly TrackedCommitment[],
): Pick<TrackRecord, "committedMwh" | "deliveredMwh"> {
  const owed = commitments.filter(({ outcome }) => outcome !== "notCalled" && outcome !== "open");
  return {
    committedMwh: sumOf(owed.map(({ committedMwh }) => committedMwh)),
    deliveredMwh: sumOf(owed.map(({ deliveredMwh = 0 }) => deliveredMwh)),
  };
}

/** A device may write whatever fits 53 bits, and a sum of it is cut off there. */
function sumOf(values: readonly number[]): number {
  const sum = Number(values.reduce((total, value) => total + BigInt(value), 0n));
  return Math.max(Number.MIN_SAFE_INTEGER, Math.min(sum, Number.MAX_SAFE_INTEGER));
}

function challengesOf(
  { challenges, answers }: Story,
  asOfMs: number,
  judged: ReadonlyMap<number, boolean>,
): TrackRecord["challenges"] {
  const ends = challenges.map((leaf) => ({
    seq: leaf.seq,
    end: challengeEnd(leaf, answers.get(leaf.seq) ?? [], asOfMs),
  }));
  const count = (wanted: ChallengeEnd): number => ends.filter(({ end }) => end === wanted).length;
  const judgements = ends.filter(({ end }) => end === "answered").map(({ seq }) => judged.get(seq));
  return {
    answered: count("answered"),
    rejected: count("rejected"),
    unanswered: count("unanswered"),
    open: count("open"),
    passed: judgements.filter((passed) => passed === true).length,
    notPassed: judgements.filter((passed) => passed === false).length,
  };
}

type ChallengeEnd = "answered" | "rejected" | "unanswered" | "open";

/** Answered: followed to its end. What was begun and given up is not. */
function challengeEnd(leaf: Challenge, answers: readonly Acknowledgement[], asOfMs: number): ChallengeEnd {
  const states = answers.map(({ state }) => state);
  if (states.includes(ACKNOWLEDGEMENT.succeeded)) return "answered";
  if (states.includes(ACKNOWLEDGEMENT.rejected) || states.includes(ACKNOWLEDGEMENT.optedOut))
    return "rejected";
  if (states.includes(ACKNOWLEDGEMENT.aborted) || states.includes(ACKNOWLEDGEMENT.superseded))
    return "unanswered";
  return asOfMs < challengeDeadlineMs(leaf) ? "open" : "unanswered";
}

/** Nothing that a challenge asks for is later than the last start and its steps, which are a quarter of an hour at most. */
function challengeDeadlineMs({ order, timeMs }: Challenge): number {
  const payload = payloadOf(order);
  const [startByMs, stepMs, steps] = [
    CHALLENGE_FIELDS.startByMs,
    CHALLENGE_FIELDS.stepMs,
    CHALLENGE_FIELDS.steps,
  ].map(({ key }) => payload?.get(key));
  if (typeof startByMs !== "number" || typeof stepMs !== "number" || typeof steps !== "number") return timeMs;
  return startByMs + stepMs * steps;
}
