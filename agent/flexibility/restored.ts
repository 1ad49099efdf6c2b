import { equalBytes, toHex } from "../../attest/bytes.ts";
import { parseObject } from "../../attest/cose.ts";
import {
  type OrderCommon,
  openChallenge,
  openCommitment,
  openDispatch,
} from "../../attest/flexibility/orders.ts";
import type { Leaf } from "../../attest/leaf.ts";
import {
  ACKNOWLEDGEMENT,
  type Challenge,
  type Commitment,
  type Dispatch,
  type Offer,
} from "../../attest/leaf-flexibility.ts";
import { nativeSuite } from "../../attest/native.ts";
import { dispatchPlan } from "./dispatch-rules.ts";
import type { FlexChannel, FlexHost } from "./host.ts";
import { type KeptCommitment, keptCommitment, noteDispatch } from "./kept-commitment.ts";
import { FINAL_STATES, type Run } from "./run.ts";

/** What the log of this epoch says of orders. */
export interface Restored {
  readonly offers: Offer[];
  readonly commitments: KeptCommitment[];
  readonly ids: Pick<OrderCommon, "objectId" | "expiresMs">[];
  /** Channel of every dispatch and challenge leaf. */
  readonly orders: Map<number, number>;
  /** Dispatches that were accepted and have not begun. */
  readonly waiting: Run[];
  /** Orders that were being carried out, or had no answer yet, with the state that they end in. */
  readonly interrupted: Interrupted[];
}

export interface Interrupted extends Pick<Run, "seq" | "channel"> {
  readonly device: string | undefined;
  readonly state: "rejected" | "aborted";
}

interface Reading {
  readonly host: FlexHost;
  readonly channels: readonly FlexChannel[];
  /** States that were acknowledged, by the order's leaf. */
  readonly states: ReadonlyMap<number, ReadonlySet<number>>;
  readonly into: Restored;
}

/** Reads back what was sealed before a restart. What cannot be opened is of another log, and is left out. */
export function restored(host: FlexHost, leaves: readonly Leaf[]): Restored {
  const into: Restored = {
    ...{ offers: [], commitments: [], ids: [], orders: new Map(), waiting: [], interrupted: [] },
  };
  const reading = { host, channels: host.channels(), states: statesOf(leaves), into };
  for (const leaf of leaves) read(reading, leaf);
  for (const leaf of leaves)
    if (leaf.kind === "settlement")
      for (const each of into.commitments) if (each.seq === leaf.commitmentSeq) each.settled = true;
  return into;
}

function statesOf(leaves: readonly Leaf[]): Map<number, Set<number>> {
  const states = new Map<number, Set<number>>();
  for (const leaf of leaves)
    if (leaf.kind === "acknowledgement")
      states.set(leaf.orderSeq, (states.get(leaf.orderSeq) ?? new Set()).add(leaf.state));
  return states;
}

function read(reading: Reading, leaf: Leaf): void {
  try {
    if (leaf.kind === "offer") reading.into.offers.push(leaf);
    if (leaf.kind === "commitment") readCommitment(reading, leaf);
    if (leaf.kind === "dispatch") readDispatch(reading, leaf);
    if (leaf.kind === "challenge") readChallenge(reading, leaf);
  } catch (thrown) {
    reading.host.logger.problem("flex-leaf-unreadable", thrown, { seq: leaf.seq, kind: leaf.kind });
  }
}

function readCommitment({ host, states, into }: Reading, leaf: Commitment): void {
  const nodeKey = parseObject(leaf.counterparty).kid;
  const order = openCommitment(nativeSuite, leaf.counterparty, nodeKey);
  if (!equalBytes(order.logId, host.logId())) return;
  into.ids.push(order);
  const kept = keptCommitment(leaf, order, nodeKey);
  kept.optedOut = states.get(leaf.seq)?.has(ACKNOWLEDGEMENT.optedOut) === true;
  into.commitments.push(kept);
}

function readDispatch(reading: Reading, leaf: Dispatch): void {
  const { host, into, channels } = reading;
  const nodeKey = parseObject(leaf.order).kid;
  const order = openDispatch(nativeSuite, leaf.order, nodeKey);
  if (!equalBytes(order.logId, host.logId())) return;
  const states = reading.states.get(leaf.seq) ?? new Set();
  into.ids.push(order);
  into.orders.set(leaf.seq, leaf.channel);
  const commitment = into.commitments.find(({ seq }) => seq === leaf.commitmentSeq);
  if (commitment !== undefined) noteDispatch(commitment, order);
  const plan = dispatchPlan(order);
  const device = channels.find(({ number }) => number === leaf.channel)?.device;
  const isWaiting = states.has(ACKNOWLEDGEMENT.accepted) && states.size === 1;
  if (!isWaiting || plan === undefined || device === undefined) {
    interrupt(reading, leaf, states);
    return;
  }
  into.waiting.push({
    ...{ seq: leaf.seq, channel: leaf.channel, device, nodeKey, objectId: toHex(order.objectId), plan },
    ...{ accepted: true, told: false, steps: 0, over: false },
    ...(leaf.commitmentSeq === undefined ? {} : { commitmentSeq: leaf.commitmentSeq }),
  });
}

function readChallenge(reading: Reading, leaf: Challenge): void {
  const order = openChallenge(nativeSuite, leaf.order, parseObject(leaf.order).kid);
  if (!equalBytes(order.logId, reading.host.logId())) return;
  reading.into.ids.push(order);
  reading.into.orders.set(leaf.seq, leaf.channel);
  interrupt(reading, leaf, reading.states.get(leaf.seq) ?? new Set());
}

/** What was begun does not go on by itself: the device went back to its own rules, and nobody knows since when. */
function interrupt(
  { into, channels }: Reading,
  { seq, channel }: Dispatch | Challenge,
  states: ReadonlySet<number>,
): void {
  if ([...states].some((state) => FINAL_STATES.has(state))) return;
  const device = channels.find(({ number }) => number === channel)?.device;
  into.interrupted.push({ seq, channel, device, state: states.size === 0 ? "rejected" : "aborted" });
}
