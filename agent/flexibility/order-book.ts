import { DAY_MS } from "../../attest/baseline/zone.ts";
import { equalBytes } from "../../attest/bytes.ts";
import type { KeptCommitment } from "./kept-commitment.ts";
import { KnownOrders } from "./known-orders.ts";
import type { Restored } from "./restored.ts";

/** How long a past commitment is remembered: as far as a baseline may look back. */
const REMEMBERED_MS = 60 * DAY_MS;

/** What is known of the orders of this epoch, beside those that are being carried out. */
export class OrderBook {
  known: KnownOrders = new KnownOrders();
  #commitments: KeptCommitment[] = [];
  #orders = new Map<number, number>();

  get commitments(): readonly KeptCommitment[] {
    return this.#commitments;
  }

  /** Local days on which a commitment was called. */
  get eventDays(): readonly number[] {
    return this.#commitments.filter(({ called }) => called).map(({ day }) => day);
  }

  /** Takes up what the log holds, instead of what was known before. */
  restore({ commitments, orders, ids }: Pick<Restored, "commitments" | "orders" | "ids">): void {
    this.#commitments = [...commitments];
    this.#orders = new Map(orders);
    this.known = new KnownOrders();
    for (const id of ids) this.known.note(id);
  }

  commitment(objectId: Uint8Array | undefined): KeptCommitment | undefined {
    if (objectId === undefined) return undefined;
    return this.#commitments.find(({ order }) => equalBytes(order.objectId, objectId));
  }

  bySeq(seq: number): KeptCommitment | undefined {
    return this.#commitments.find((each) => each.seq === seq);
  }

  addCommitment(commitment: KeptCommitment, nowMs: number): void {
    this.#commitments = this.#commitments.filter(({ toMs }) => toMs + REMEMBERED_MS > nowMs);
    this.#commitments.push(commitment);
  }

  /** A dispatch or challenge leaf of this log. */
  addOrder(seq: number, channel: number): void {
    this.#orders.set(seq, channel);
  }

  /** `seq` where it is a dispatch or a challenge of this log on that channel. */
  orderOn(channel: number, seq: number | undefined): number | undefined {
    return seq !== undefined && this.#orders.get(seq) === channel ? seq : undefined;
  }
}
