import { equalBytes } from "../bytes.ts";
import { requireKey, signerHint } from "../key-checks.ts";
import { type Anchor, type Discontinuity, type IntervalClose, KNOWN_TIME, type Leaf } from "../leaf.ts";
import type {
  Acknowledgement,
  Actuation,
  Commitment,
  Dispatch,
  Offer,
  Settlement,
} from "../leaf-flexibility.ts";
import { isSharedWith, withCommitment } from "../open-commitments.ts";
import { Problem } from "../problem.ts";
import type { OpenPart } from "../proof-log.ts";
import type { Suite } from "../suite.ts";
import {
  type CommitmentOrder,
  type DispatchList,
  type DispatchOrder,
  openCommitment,
  openDispatch,
  openDispatchList,
} from "./orders.ts";
import { decodeTerms, type FlexTerms } from "./terms.ts";

/** A dispatch that the log holds, with what the node said in it. */
export interface ShownDispatch {
  readonly leaf: Dispatch;
  readonly order: DispatchOrder;
  /** SHA-256 of the whole order, as a dispatch list names it. */
  readonly digest: Uint8Array;
}

/** The life of one commitment, as leaves of one log and the orders in them tell it. */
export interface ShownLife {
  readonly commitment: Commitment;
  readonly order: CommitmentOrder;
  readonly terms: FlexTerms;
  /** Whose word the commitment is. */
  readonly nodeKey: Uint8Array;
  readonly offer?: Offer;
  /** This and what follows by seq. */
  readonly dispatches: readonly ShownDispatch[];
  readonly acknowledgements: readonly Acknowledgement[];
  readonly actuations: readonly Actuation[];
  /** The device's own account. */
  readonly account?: Settlement;
  readonly list?: DispatchList;
}

/** The leaves of a settlement proof by kind, each by seq. */
export interface LeavesByKind {
  readonly offers: readonly Offer[];
  readonly commitments: readonly Commitment[];
  readonly dispatches: readonly Dispatch[];
  readonly acknowledgements: readonly Acknowledgement[];
  readonly actuations: readonly Actuation[];
  readonly settlements: readonly Settlement[];
  readonly closes: readonly IntervalClose[];
  readonly discontinuities: readonly Discontinuity[];
  readonly anchors: readonly Anchor[];
}

/** A dispatch list names no more than this, and each costs its verifier a signature. */
export const MAX_DISPATCHES = 250;
const KINDS: readonly string[] = [
  ...["offer", "commitment", "dispatch", "acknowledgement", "actuation", "settlement"],
  ...["intervalClose", "discontinuity", "anchor"],
];

/** Throws `proof-leaf` for a leaf of a kind that no settlement needs. */
export function sortByKind(leaves: readonly Leaf[]): LeavesByKind {
  const stray = leaves.find(({ kind }) => !KINDS.includes(kind));
  if (stray !== undefined) throw notNeeded(stray);
  const of = <K extends Leaf["kind"]>(kind: K): readonly Extract<Leaf, { kind: K }>[] =>
    leaves.flatMap((leaf) => (isOf(leaf, kind) ? [leaf] : []));
  return {
    offers: of("offer"),
    commitments: of("commitment"),
    dispatches: of("dispatch"),
    acknowledgements: of("acknowledgement"),
    actuations: of("actuation"),
    settlements: of("settlement"),
    closes: of("intervalClose"),
    discontinuities: of("discontinuity"),
    anchors: of("anchor"),
  };
}

function isOf<K extends Leaf["kind"]>(leaf: Leaf, kind: K): leaf is Extract<Leaf, { kind: K }> {
  return leaf.kind === kind;
}

/**
 * Checks the commitment and every order under it, and that each leaf stands where it is referred to. Throws a Problem:
 * `commitment-…`, `dispatch-…`, `order-…`, `settlement-reference`, `proof-leaf`, `proof-time`, `key-invalid`, and what
 * opening an order does.
 */
export function shownLife(
  suite: Suite,
  log: Pick<OpenPart, "identity" | "logId" | "logManifest">,
  { leaves, list }: { readonly leaves: LeavesByKind; readonly list: Uint8Array | undefined },
): ShownLife {
  const commitment = theCommitment(leaves.commitments, log.logManifest.intervalMs);
  const nodeKey = signerHint(commitment.counterparty, "commitment");
  requireKey(suite, nodeKey, "the commitment's node key");
  // A device does not bind itself.
  if (equalBytes(nodeKey, log.identity.deviceKey))
    throw new Problem("commitment-own", "the commitment is signed by the device itself", at(commitment));
  const order = openCommitment(suite, commitment.counterparty, nodeKey);
  requireLog(order, log.logId, commitment);
  requireAsOrdered(suite, commitment, order);
  const terms = decodeTerms(order.terms);
  const under = { commitment, order, terms, nodeKey };
  const offer = theOffer(leaves.offers, under);
  const dispatches = theDispatches(suite, leaves.dispatches, { ...under, logId: log.logId });
  const account = theAccount(leaves.settlements, commitment);
  const answers = { acknowledgements: leaves.acknowledgements, actuations: leaves.actuations };
  for (const leaf of [...answers.acknowledgements, ...answers.actuations]) requireAnswer(leaf, dispatches);
  const opened = list === undefined ? undefined : theList(suite, list, { ...under, logId: log.logId });
  return {
    ...under,
    dispatches,
    ...answers,
    ...(offer && { offer }),
    ...(account && { account }),
    ...(opened && { list: opened }),
  };
}

/** Everything else in the file is there for this one. */
function theCommitment([first, second]: readonly Commitment[], logIntervalMs: number): Commitment {
  if (first === undefined) throw new Problem("commitment-missing", "the proof holds no commitment");
  withCommitment([], first);
  if (first.intervalMs !== logIntervalMs)
    throw new Problem("commitment-interval", "the commitment is by other intervals than the log's", {
      ...{ ...at(first), expected: `${logIntervalMs} ms`, got: `${first.intervalMs} ms` },
    });
  if (first.timeQuality < KNOWN_TIME)
    throw new Problem("proof-time", "the commitment was taken before the device knew the time", at(first));
  if (second === undefined) return first;
  if (isSharedWith(spanOf(first), spanOf(second)))
    throw new Problem("commitment-overlap", "the log holds two commitments of one boundary for one time", {
      where: `leaves ${first.seq} and ${second.seq}`,
    });
  throw notNeeded(second);
}

function spanOf(leaf: Commitment): Parameters<typeof isSharedWith>[0] {
  const { channel, boundary, fromMs, intervalMs, deltaMwh } = leaf;
  return { channel, boundary, fromMs, toMs: fromMs + intervalMs * deltaMwh.length };
}

/**
 * The leaf says what its order says, and was written before the order expired. Throws `commitment-order`, `-terms` or
 * `-expired`.
 */
export function requireAsOrdered(suite: Suite, leaf: Commitment, order: CommitmentOrder): void {
  const isSame =
    leaf.channel === order.channel &&
    leaf.boundary === order.boundary &&
    leaf.fromMs === order.fromMs &&
    leaf.intervalMs === order.intervalMs &&
    String(leaf.deltaMwh) === String(order.deltaMwh) &&
    leaf.offerSeq === order.offerSeq;
  if (!isSame)
    throw new Problem("commitment-order", "the commitment is another one than the node signed", at(leaf));
  if (!equalBytes(leaf.termsDigest, suite.sha256(order.terms)))
    throw new Problem("commitment-terms", "the commitment names other terms than the node signed", at(leaf));
  if (leaf.timeMs > order.expiresMs)
    throw new Problem("commitment-expired", "the commitment was taken after its order had expired", {
      ...{ ...at(leaf), expected: `by ${order.expiresMs}`, got: String(leaf.timeMs) },
    });
}

/** What dispatches and the list are held against. */
export interface Under extends Pick<ShownLife, "commitment" | "order" | "terms" | "nodeKey"> {
  readonly logId: Uint8Array;
}

function theOffer(
  [offer, second]: readonly Offer[],
  { commitment, terms }: Omit<Under, "logId">,
): Offer | undefined {
  const { offerSeq } = commitment;
  const stray = second ?? (offerSeq === undefined ? offer : undefined);
  if (stray !== undefined) throw notNeeded(stray);
  if (offerSeq === undefined) return undefined;
  const isNamed =
    offer?.seq === offerSeq &&
    offerSeq < commitment.seq &&
    offer.channel === commitment.channel &&
    offer.boundary === commitment.boundary &&
    offer.direction === terms.direction;
  if (isNamed) return offer;
  throw new Problem("commitment-offer", "the offer that the commitment names is missing or another one", {
    ...{
      ...at(commitment),
      expected: `leaf ${offerSeq}`,
      got: offer === undefined ? "none" : `leaf ${offer.seq}`,
    },
  });
}

function theDispatches(suite: Suite, leaves: readonly Dispatch[], under: Under): ShownDispatch[] {
  if (leaves.length > MAX_DISPATCHES)
    throw new Problem("dispatch-count", "too many dispatches under one commitment", {
      ...{ expected: `at most ${MAX_DISPATCHES}`, got: String(leaves.length) },
    });
  const taken = new Set<string>();
  return leaves.map((leaf) => {
    const order = theDispatch(suite, leaf, under);
    const id = String(order.objectId);
    if (taken.has(id))
      throw new Problem("dispatch-twice", "a dispatch stands in the log a second time", at(leaf));
    taken.add(id);
    return { leaf, order, digest: suite.sha256(leaf.order) };
  });
}

/** What a dispatch under the commitment says. Throws `order-…`, `dispatch-order`, and what opening it does. */
export function theDispatch(
  suite: Suite,
  leaf: Dispatch,
  { commitment, order, nodeKey, logId }: Under,
): DispatchOrder {
  if (!equalBytes(signerHint(leaf.order, "dispatch"), nodeKey))
    throw new Problem("order-key", "a dispatch is by another node than the commitment", at(leaf));
  const said = openDispatch(suite, leaf.order, nodeKey);
  requireLog(said, logId, leaf);
  const isUnder =
    said.commitmentId !== undefined &&
    equalBytes(said.commitmentId, order.objectId) &&
    leaf.channel === said.channel &&
    (leaf.commitmentSeq ?? commitment.seq) === commitment.seq &&
    leaf.seq > commitment.seq;
  if (isUnder) return said;
  throw new Problem(
    "dispatch-order",
    "a dispatch is not under this commitment, or not what the node signed",
    at(leaf),
  );
}

function theAccount(
  [account, second]: readonly Settlement[],
  commitment: Commitment,
): Settlement | undefined {
  if (second !== undefined) throw notNeeded(second);
  if (account === undefined) return undefined;
  if (account.commitmentSeq === commitment.seq && account.seq > commitment.seq) return account;
  throw strayReference(account);
}

/** What the device said and did stands behind the dispatch that it is about. */
function requireAnswer(leaf: Acknowledgement | Actuation, dispatches: readonly ShownDispatch[]): void {
  const named = dispatches.find((dispatch) => dispatch.leaf.seq === leaf.orderSeq)?.leaf;
  if (named === undefined || named.seq >= leaf.seq || named.channel !== leaf.channel)
    throw strayReference(leaf);
}

function theList(
  suite: Suite,
  bytes: Uint8Array,
  { order, nodeKey, logId, commitment }: Under,
): DispatchList {
  if (!equalBytes(signerHint(bytes, "dispatchList"), nodeKey))
    throw new Problem("order-key", "the dispatch list is by another node than the commitment");
  const list = openDispatchList(suite, bytes, nodeKey);
  requireLog(list, logId, commitment);
  if (equalBytes(list.commitmentId, order.objectId)) return list;
  throw new Problem("dispatch-list-other", "the dispatch list is of another commitment");
}

function requireLog({ logId }: { readonly logId: Uint8Array }, expected: Uint8Array, leaf: Leaf): void {
  if (equalBytes(logId, expected)) return;
  throw new Problem("order-log", "an order is to another log than this one", at(leaf));
}

function strayReference(leaf: Leaf): Problem {
  return new Problem("settlement-reference", "a leaf is about none of the leaves before it in the proof", {
    ...{ ...at(leaf), got: leaf.kind },
  });
}

function notNeeded(leaf: Leaf): Problem {
  return new Problem("proof-leaf", "the proof holds a leaf that the settlement does not need", {
    ...{ ...at(leaf), got: leaf.kind },
  });
}

function at({ seq }: Leaf): { readonly where: string } {
  return { where: `leaf ${seq}` };
}
