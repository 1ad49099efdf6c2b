import { DAY_MS } from "../../attest/baseline/zone.ts";
import { equalBytes } from "../../attest/bytes.ts";
import { openDispatchList } from "../../attest/flexibility/orders.ts";
import { nativeSuite } from "../../attest/native.ts";
import { describeProblem, Problem } from "../../attest/problem.ts";
import type { Actuated, Authority, Hold } from "../control/types.ts";
import { Guard } from "../guard.ts";
import { Acknowledgements } from "./acknowledgements.ts";
import { actuationBody } from "./actuation.ts";
import type { FlexHost, FlexSettings } from "./host.ts";
import type { KeptCommitment } from "./kept-commitment.ts";
import { Offers } from "./offers.ts";
import { OrderBook } from "./order-book.ts";
import { OrderTaker } from "./order-taker.ts";
import { restored } from "./restored.ts";
import type { Run } from "./run.ts";
import { Runs } from "./runs.ts";
import { Settlements } from "./settlements.ts";

/** What was ordered at most a month ahead, and the days before it that a baseline may look back to. */
const LOOK_BACK_MS = 92 * DAY_MS;
const MOST_WORDS = 256;

/** What the desk is doing, for whoever looks on. */
export interface FlexStatus {
  /** Commitments that have not ended. */
  readonly commitments: readonly {
    readonly seq: number;
    readonly channel: number;
    readonly fromMs: number;
    readonly toMs: number;
    readonly called: boolean;
    /** The owner does not want it. */
    readonly optedOut: boolean;
  }[];
  /** Dispatches and challenges that have not ended. */
  readonly orders: readonly {
    readonly seq: number;
    readonly device: string;
    readonly kind: "dispatch" | "challenge";
    readonly state: "waiting" | "started";
    readonly fromMs: number;
    readonly toMs: number;
  }[];
  readonly taken: number;
  readonly refused: number;
  /** Code of the last refusal. */
  readonly lastRefusal?: string;
}

/**
 * The device's side of offers, commitments, dispatches and challenges: what nodes order is judged, sealed, carried out and
 * answered, and what was delivered is settled. It has no timers: {@link FlexDesk.tick} is called every second.
 */
export class FlexDesk {
  readonly #host: FlexHost;
  readonly #book = new OrderBook();
  readonly #acknowledgements: Acknowledgements;
  readonly #runs: Runs;
  readonly #offers: Offers;
  readonly #settlements: Settlements;
  readonly #taker: OrderTaker;
  readonly #guard: Guard;
  /** What was done before the log had been read back. */
  #early: Actuated[] | undefined = [];
  #taken = 0;
  #refused = 0;
  #lastRefusal: string | undefined;

  constructor(host: FlexHost, settings: FlexSettings) {
    this.#host = host;
    this.#guard = new Guard(host.logger);
    this.#acknowledgements = new Acknowledgements(host);
    this.#runs = new Runs(host, this.#acknowledgements);
    this.#offers = new Offers(host, settings, () => this.#book.eventDays);
    this.#settlements = new Settlements(host);
    this.#taker = new OrderTaker({
      ...{ host, settings, book: this.#book, runs: this.#runs, offers: this.#offers },
      acknowledgements: this.#acknowledgements,
    });
  }

  /** Reads back what the log holds. What was being carried out before is over; what had not begun waits on. */
  start(): void {
    this.#restore("restarted");
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const actuated of early) this.actuated(actuated);
  }

  /**
   * Takes up an order of a node, or refuses it to the node with a stable code. Resolves when a device that had to be told
   * something was told so.
   */
  async order(nodeKey: Uint8Array, bytes: Uint8Array): Promise<void> {
    try {
      const device = this.#taker.take(nodeKey, bytes);
      this.#taken += 1;
      this.#runs.commit();
      if (device !== undefined) await this.#runs.idle(device);
    } catch (thrown) {
      this.#refuse(nodeKey, bytes, thrown);
    }
  }

  /** Keeps a node's list of its dispatches under one of its commitments. Another one is left alone, and logged. */
  list(nodeKey: Uint8Array, bytes: Uint8Array): void {
    this.#guard.run("flex-list-refused", () => {
      this.#taker.requireNode(nodeKey);
      const list = openDispatchList(nativeSuite, bytes, nodeKey);
      const commitment = this.#book.commitment(list.commitmentId);
      const isOurs = equalBytes(list.logId, this.#host.logId());
      if (!isOurs || commitment === undefined || !equalBytes(commitment.nodeKey, nodeKey))
        throw new Problem("order-commitment", "the list is of no commitment of this node in this log");
      this.#host.keepList(commitment.seq, bytes);
    });
  }

  /** To be called every second. Resolves when the devices that were free have been told what is due. */
  async tick(): Promise<void> {
    if (this.#early !== undefined) return;
    this.#guard.run("flex-tick-failed", () => {
      const offered = this.#offers.tick();
      const settled = this.#settlements.tick(this.#book.commitments);
      if (offered || settled) this.#runs.commit();
    });
    await this.#runs.tick();
  }

  /** Something was done to a device: it goes into the log. */
  actuated(actuated: Actuated): void {
    if (this.#early !== undefined) {
      this.#early.push(actuated);
      return;
    }
    const { device, channel: name, orderSeq } = actuated;
    this.#guard.run(
      "flex-actuation-unsealed",
      () => {
        const channel = this.#host.channels().find((each) => each.device === device && each.channel === name);
        if (channel === undefined)
          throw new Problem("channel-unknown", "the log has no channel for what a device was told", {
            where: `${device}/${name}`,
          });
        const { number } = channel;
        this.#host.seal(actuationBody(number, actuated, this.#book.orderOn(number, orderSeq)));
      },
      { device },
    );
  }

  /** A stronger word took the place of a hold; another step of the same order does not. */
  superseded(hold: Hold, by: Pick<Hold, "authority" | "orderSeq">): void {
    const run = this.#runs.bySeq(hold.orderSeq);
    if (run === undefined || by.orderSeq === hold.orderSeq) return;
    this.#over(run, "superseded", by.authority satisfies Authority);
  }

  /** A hold ended before its time, and not because anybody asked for it. */
  ended(hold: Hold, reason: string): void {
    const run = this.#runs.bySeq(hold.orderSeq);
    if (run !== undefined) this.#over(run, "aborted", reason);
  }

  /** The device's clock was set: what is being carried out was meant for another time. */
  clockStepped(): void {
    for (const run of this.#runs.open)
      if (run.startedMs !== undefined) this.#runs.end(run, "aborted", "clock-step");
    this.#runs.commit();
  }

  /** After a new epoch: orders are for one log, and end with it. */
  epochChanged(): void {
    this.#runs.abandon("epoch-changed");
    this.#acknowledgements.forget();
    this.#restore("epoch-changed");
  }

  /**
   * The owner does not want it: ends a dispatch, a challenge, or everything under a commitment, now and later. Returns
   * false where `seq` is none of these, or over.
   */
  optOut(seq: number): boolean {
    const kept = this.#book.bySeq(seq);
    const commitment = kept !== undefined && this.#isOver(kept) ? undefined : kept;
    const runs = this.#runs.open.filter((run) => run.seq === seq || run.commitmentSeq === seq);
    if (commitment === undefined && runs.length === 0) return false;
    if (commitment?.optedOut === false) {
      commitment.optedOut = true;
      // The answer by which a later start of the agent knows it, whether it was called or not.
      this.#acknowledgements.answer({ seq, channel: commitment.order.channel }, "optedOut", "owner");
    }
    for (const run of runs) this.#runs.end(run, "optedOut", "owner");
    this.#runs.commit();
    return true;
  }

  status(): FlexStatus {
    const nowMs = this.#host.nowMs();
    return {
      commitments: this.#book.commitments
        .filter(({ toMs }) => toMs > nowMs)
        .map(({ seq, order: { channel, fromMs }, toMs, called, optedOut }) => ({
          ...{ seq, channel, fromMs, toMs, called, optedOut },
        })),
      orders: this.#runs.open.map(({ seq, device, plan: { kind, fromMs, toMs }, startedMs }) => ({
        ...{ seq, device, kind, fromMs, toMs },
        state: startedMs === undefined ? "waiting" : "started",
      })),
      taken: this.#taken,
      refused: this.#refused,
      ...(this.#lastRefusal === undefined ? {} : { lastRefusal: this.#lastRefusal }),
    };
  }

  /** Ends what is being carried out; what waits goes on after the next start. Before the log is closed. */
  async stop(): Promise<void> {
    for (const run of this.#runs.open) if (run.told) this.#runs.end(run, "aborted", "stopped");
    await this.#runs.idle();
    this.#runs.commit();
  }

  /** The number of the commitment leaf that is in force on a channel now. */
  commitmentOn(channel: number): number | undefined {
    const nowMs = this.#host.nowMs();
    return this.#book.commitments.find(
      ({ order, toMs }) => order.channel === channel && order.fromMs <= nowMs && nowMs < toMs,
    )?.seq;
  }

  #isOver({ toMs }: Pick<KeptCommitment, "toMs">): boolean {
    return this.#host.clockKnown() && toMs <= this.#host.nowMs();
  }

  #over(run: Run, state: "superseded" | "aborted", reason: string): void {
    this.#runs.finish(run, state, reason);
    this.#runs.commit();
  }

  #restore(reason: string): void {
    const { host } = { host: this.#host };
    const fromMs = host.clockKnown() ? host.nowMs() - LOOK_BACK_MS : 0;
    const known = restored(host, host.lifecycle(fromMs));
    this.#book.restore(known);
    this.#offers.restore(known.offers);
    for (const run of known.waiting) this.#runs.add(run);
    for (const each of known.interrupted) this.#acknowledgements.answer(each, each.state, reason);
    if (known.interrupted.length > 0) this.#runs.commit();
  }

  #refuse(nodeKey: Uint8Array, bytes: Uint8Array, thrown: unknown): void {
    const { code, message } = describeProblem(thrown);
    this.#refused += 1;
    this.#lastRefusal = code;
    this.#host.logger.warn("flex-order-refused", { code, reason: message });
    this.#host.refuse(nodeKey, {
      type: "orderRefused",
      digest: nativeSuite.sha256(bytes),
      code: code.slice(0, 128),
      message: message.slice(0, MOST_WORDS).toWellFormed(),
    });
  }
}
