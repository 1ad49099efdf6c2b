import { DAY_MS } from "../../attest/baseline/zone.ts";
import { equalBytes, toHex } from "../../attest/bytes.ts";
import {
  type AnyOrder,
  type ChallengeOrder,
  type CommitmentOrder,
  type DispatchOrder,
  openOrder,
} from "../../attest/flexibility/orders.ts";
import { nativeSuite } from "../../attest/native.ts";
import { Problem } from "../../attest/problem.ts";
import type { Acknowledgements } from "./acknowledgements.ts";
import { requireNotice, requireTakeable } from "./commitment-rules.ts";
import {
  challengePlan,
  challengeRejection,
  type DispatchContext,
  dispatchPlan,
  dispatchRejection,
  withdrawnBy,
} from "./dispatch-rules.ts";
import type { FlexChannel, FlexHost, FlexSettings } from "./host.ts";
import {
  commitmentBody,
  endOf,
  type KeptCommitment,
  keptCommitment,
  noteDispatch,
} from "./kept-commitment.ts";
import { OrderRate } from "./known-orders.ts";
import type { Offers } from "./offers.ts";
import type { OrderBook } from "./order-book.ts";
import type { Run } from "./run.ts";
import type { Runs } from "./runs.ts";

/** What a node's clock may be ahead. */
const AHEAD_MS = 60_000;
/** Nothing is ordered further ahead. */
const FURTHEST_MS = 31 * DAY_MS;
const MOST_OPEN = 64;
/** As many as a settlement proof holds. */
const MOST_UNDER_COMMITMENT = 250;

/** What the taker of orders works on. */
export interface TakerParts {
  readonly host: FlexHost;
  readonly settings: FlexSettings;
  readonly book: OrderBook;
  readonly runs: Runs;
  readonly offers: Offers;
  readonly acknowledgements: Acknowledgements;
}

/** An order that is in the log now. */
interface Taken<T> {
  readonly order: T;
  readonly bytes: Uint8Array;
  readonly nodeKey: Uint8Array;
  readonly channel: FlexChannel;
}

/** Judges orders and puts those that count into the log. */
export class OrderTaker {
  readonly #parts: TakerParts;
  readonly #nodes: ReadonlySet<string>;
  readonly #rate = new OrderRate();

  constructor(parts: TakerParts) {
    this.#parts = parts;
    // Signatures are only worth something under a key of prime order.
    const keys = parts.settings.controlNodes.filter((key) => nativeSuite.checkPublicKey(key));
    this.#nodes = new Set(keys.map(toHex));
  }

  /**
   * Seals what the order leads to at once, and returns the device that has to be told something now, if one has.
   * Throws a Problem, and has then sealed nothing: docs/flexibility.md, "Orders".
   */
  take(nodeKey: Uint8Array, bytes: Uint8Array): string | undefined {
    const { host, book } = this.#parts;
    this.requireNode(nodeKey);
    this.#rate.take(nodeKey, host.monotonicMs());
    if (!host.clockKnown()) throw new Problem("order-clock", "the device does not know the time");
    const { kind, order } = openOrder(nativeSuite, bytes, nodeKey);
    const channel = this.#requireOurs(order);
    this.#requireTimely({ kind, order } as AnyOrder);
    const taken = { bytes, nodeKey, channel };
    const device = this.#seal({ kind, order } as AnyOrder, taken);
    book.known.note(order);
    return device;
  }

  /** Throws `order-not-allowed`. */
  requireNode(nodeKey: Uint8Array): void {
    if (this.#nodes.has(toHex(nodeKey))) return;
    throw new Problem("order-not-allowed", "the configuration lets this node order nothing", {
      hint: "control: true beside the node allows it",
    });
  }

  #seal(any: AnyOrder, taken: Omit<Taken<never>, "order">): string | undefined {
    switch (any.kind) {
      case "commitment":
        this.#commit({ ...taken, order: any.order });
        return undefined;
      case "dispatch":
        return this.#dispatch({ ...taken, order: any.order });
      case "challenge":
        return this.#challenge({ ...taken, order: any.order });
    }
  }

  #requireOurs(order: AnyOrder["order"]): FlexChannel {
    const { host, book } = this.#parts;
    if (!equalBytes(order.logId, host.logId()))
      throw new Problem("order-log", "the order is for another log", {
        expected: toHex(host.logId()),
        got: toHex(order.logId),
      });
    book.known.requireNew(order, host.nowMs());
    const channel = host.channels().find(({ number }) => number === order.channel);
    if (channel !== undefined) return channel;
    throw new Problem("order-channel", "the log has no such channel", { got: String(order.channel) });
  }

  #requireTimely({ kind, order }: AnyOrder): void {
    const nowMs = this.#parts.host.nowMs();
    if (kind === "commitment") requireNotice(order, nowMs);
    const endMs = kind === "challenge" ? order.expiresMs : kind === "dispatch" ? order.toMs : endOf(order);
    const { issuedAtMs, expiresMs } = order;
    if (expiresMs <= nowMs)
      throw new Problem("order-expired", "the order has expired", {
        expected: `after ${nowMs}`,
        got: String(expiresMs),
      });
    if (issuedAtMs > nowMs + AHEAD_MS)
      throw new Problem("order-future", "the order was issued in the future", {
        expected: `by ${nowMs + AHEAD_MS}`,
        got: String(issuedAtMs),
        hint: "one of the two clocks is wrong",
      });
    if (endMs > nowMs + FURTHEST_MS)
      throw new Problem("order-too-far", "the order is for a time too far ahead", {
        expected: `by ${nowMs + FURTHEST_MS}`,
        got: String(endMs),
      });
  }

  #commit({ order, bytes, nodeKey, channel }: Taken<CommitmentOrder>): void {
    const { host, settings, book, offers } = this.#parts;
    const { holidays, excludedDays } = settings;
    const nowMs = host.nowMs();
    this.#requireRoom(book.commitments.filter(({ toMs }) => toMs > nowMs).length);
    requireTakeable(order, {
      ...{ nowMs, channel, intervalMs: host.intervalMs(), timeZone: host.timeZone },
      ...{ offered: settings.offers, offers: offers.sealed, commitments: book.commitments },
      calendar: { holidays, excludedDays: [...excludedDays, ...book.eventDays] },
    });
    const sealed = host.seal(commitmentBody(order, bytes));
    book.addCommitment(keptCommitment(sealed, order, nodeKey), nowMs);
    host.logger.info("flex-committed", { seq: sealed.seq, channel: order.channel, fromMs: order.fromMs });
  }

  #dispatch(taken: Taken<DispatchOrder>): string | undefined {
    const { order, bytes, nodeKey } = taken;
    const { host, runs, book } = this.#parts;
    const commitment = book.commitment(order.commitmentId);
    this.#requireOwn(commitment, nodeKey);
    this.#requireRoom(runs.open.length);
    const context = this.#context(taken);
    const rejection = dispatchRejection(order, commitment, context);
    const { seq } = host.seal({
      ...{ kind: "dispatch", channel: order.channel, order: bytes },
      ...(commitment === undefined ? {} : { commitmentSeq: commitment.seq }),
    });
    book.addOrder(seq, order.channel);
    if (commitment !== undefined) noteDispatch(commitment, order);
    if (rejection !== undefined) this.#reject(seq, order.channel, rejection);
    else if (commitment?.optedOut === true && order.command !== undefined)
      this.#parts.acknowledgements.answer({ seq, channel: order.channel }, "optedOut", "owner");
    else return this.#follow(taken, seq, commitment);
    return undefined;
  }

  /** Ends what the dispatch withdraws, and begins what it asks for when that is due. */
  #follow(
    { order, nodeKey, channel }: Taken<DispatchOrder>,
    seq: number,
    commitment: KeptCommitment | undefined,
  ): string | undefined {
    const { host, runs, acknowledgements } = this.#parts;
    const { device } = channel;
    const withdrawn = withdrawnBy(order, runs.open);
    const plan = dispatchPlan(order);
    const isDue = plan !== undefined && plan.fromMs <= host.nowMs();
    if (withdrawn !== undefined) runs.finish(withdrawn, "aborted", "withdrawn");
    if (plan === undefined) {
      acknowledgements.answer({ seq, channel: order.channel }, "accepted");
      acknowledgements.answer({ seq, channel: order.channel }, "succeeded");
    } else {
      if (!isDue) acknowledgements.answer({ seq, channel: order.channel }, "accepted");
      const run = { ...newRun({ seq, channel, nodeKey }, order), plan, accepted: !isDue };
      runs.add(commitment === undefined ? run : { ...run, commitmentSeq: commitment.seq });
    }
    // What takes its place at once is told to the device first: in between it would do as it likes.
    if (isDue) void runs.now(device);
    if (withdrawn !== undefined) runs.release(withdrawn, "withdrawn");
    return isDue ? device : undefined;
  }

  #challenge(taken: Taken<ChallengeOrder>): string | undefined {
    const { order, bytes, channel, nodeKey } = taken;
    const { host, runs, book } = this.#parts;
    this.#requireRoom(runs.open.length);
    const rejection = challengeRejection(order, this.#context(taken));
    const { seq } = host.seal({ kind: "challenge", channel: order.channel, order: bytes });
    book.addOrder(seq, order.channel);
    if (rejection !== undefined) {
      this.#reject(seq, order.channel, rejection);
      return undefined;
    }
    const plan = challengePlan(order, host.nowMs());
    runs.add({ ...newRun({ seq, channel, nodeKey }, order), plan });
    void runs.now(channel.device);
    return channel.device;
  }

  #reject(seq: number, channel: number, reason: string): void {
    this.#parts.acknowledgements.answer({ seq, channel }, "rejected", reason);
    this.#parts.host.logger.warn("flex-order-rejected", { orderSeq: seq, reason });
  }

  #context({ nodeKey, channel }: Taken<unknown>): DispatchContext {
    const { host, settings, runs } = this.#parts;
    return {
      ...{ nowMs: host.nowMs(), nodeKey, channel, channels: host.channels(), open: runs.open },
      ...{ controlled: settings.controlled, commands: host.commands(channel.device) },
    };
  }

  /** In the log it would stand as a dispatch under a commitment that its node has no word in. */
  #requireOwn(commitment: KeptCommitment | undefined, nodeKey: Uint8Array): void {
    if (commitment === undefined) return;
    if (!equalBytes(commitment.nodeKey, nodeKey))
      throw new Problem("order-commitment", "the commitment is another node's", {
        where: `leaf ${commitment.seq}`,
      });
    if (commitment.dispatches >= MOST_UNDER_COMMITMENT)
      throw new Problem("order-too-many", "too many dispatches under one commitment", {
        expected: `at most ${MOST_UNDER_COMMITMENT}`,
      });
  }

  #requireRoom(open: number): void {
    if (open < MOST_OPEN) return;
    throw new Problem("order-too-many", "too many orders are open", { expected: `at most ${MOST_OPEN}` });
  }
}

function newRun(
  {
    seq,
    channel,
    nodeKey,
  }: { readonly seq: number; readonly channel: FlexChannel; readonly nodeKey: Uint8Array },
  { objectId }: Pick<DispatchOrder, "objectId">,
): Omit<Run, "plan"> {
  return {
    ...{ seq, channel: channel.number, device: channel.device, nodeKey, objectId: toHex(objectId) },
    ...{ accepted: false, told: false, steps: 0, over: false },
  };
}
