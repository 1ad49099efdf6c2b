import { fromHex } from "../../attest/bytes.ts";
import type { Message } from "../../attest/messages.ts";
import { RateLimit } from "../limits/rate-limit.ts";
import type { FlexCounters } from "./flex-counters.ts";
import type { KeptOrder } from "./order-record.ts";
import type { SqliteOrders } from "./sqlite-orders.ts";

/** What handing orders out needs. */
export interface CourierParts {
  readonly orders: SqliteOrders;
  readonly counters: FlexCounters;
  /** Hands a message to the device; false when it is not connected, or has no room for it. */
  readonly send: (deviceKey: string, message: Message) => boolean;
  readonly nowMs: () => number;
  /** A clock that is never set. */
  readonly monotonicMs: () => number;
}

/** A device takes 30 orders of a node at once and then one in ten seconds: below that none is refused for it. */
const PACE = { burst: 25, periodMs: 11_000, names: 4096 };

/** A list that a device was sent is sent again at each connection for so long: nothing says that it has it. */
const LIST_AGAIN_MS = 86_400_000;

/**
 * Hands devices what they have still to be told of, once in each connection: orders that are neither sealed nor refused nor
 * expired, always the same bytes, and lists of dispatches.
 */
export class Courier {
  readonly #parts: CourierParts;
  /** What each device was handed in its present connection, by the order's number and what it was. */
  readonly #handed = new Map<string, Set<string>>();
  /** Devices that may have something to be told. */
  readonly #waiting = new Set<string>();
  readonly #pace: RateLimit;

  constructor(parts: CourierParts) {
    this.#parts = parts;
    this.#pace = new RateLimit({ ...PACE, nowMs: parts.monotonicMs });
  }

  /** The device has connected: all that is open is handed out anew. */
  connected(deviceKey: string): void {
    this.#handed.delete(deviceKey);
    this.#waiting.add(deviceKey);
  }

  /** The device has too much to do for that order now: it is handed out again. */
  again(deviceKey: string, id: number): void {
    this.#handed.get(deviceKey)?.delete(`order ${id}`);
    this.#waiting.add(deviceKey);
  }

  /** There is something new for the device. */
  wake(deviceKey: string): void {
    this.#waiting.add(deviceKey);
  }

  /** Hands out all that waits. */
  async deliver(isConnected: (deviceKey: string) => boolean): Promise<void> {
    for (const deviceKey of this.#handed.keys()) if (!isConnected(deviceKey)) this.#handed.delete(deviceKey);
    for (const deviceKey of [...this.#waiting]) {
      this.#waiting.delete(deviceKey);
      if (isConnected(deviceKey) && !(await this.#hand(deviceKey))) this.#waiting.add(deviceKey);
    }
  }

  /** False when something was not taken. */
  async #hand(deviceKey: string): Promise<boolean> {
    const { orders, counters, nowMs } = this.#parts;
    const key = fromHex(deviceKey, "device key");
    for (const { id, kind, bytes, state } of orders.unsealed(key, nowMs()).sort(byHaste)) {
      const sent = this.#order(deviceKey, id, bytes);
      if (sent === undefined) return false;
      if (sent && state === "pending") {
        await orders.markSent(id, nowMs());
        counters.count(kind, "sent");
      }
    }
    for (const { id, list } of orders.lists(key, nowMs() - LIST_AGAIN_MS)) {
      const sent = list === null || this.#once(deviceKey, `list ${id}`, { type: "dispatchList", list });
      if (sent === undefined) return false;
      if (sent) await orders.listSent(id, nowMs());
    }
    return true;
  }

  #order(deviceKey: string, id: number, order: Uint8Array): boolean | undefined {
    const name = `order ${id}`;
    if (this.#handed.get(deviceKey)?.has(name) === true) return false;
    if (!this.#pace.has(deviceKey)) return undefined;
    const sent = this.#once(deviceKey, name, { type: "order", order });
    if (sent === true) this.#pace.take(deviceKey);
    return sent;
  }

  /** Whether it was handed out now; undefined when it could not be. */
  #once(deviceKey: string, name: string, message: Message): boolean | undefined {
    const handed = this.#handed.get(deviceKey) ?? new Set();
    if (handed.has(name)) return false;
    if (!this.#parts.send(deviceKey, message)) return undefined;
    handed.add(name);
    this.#handed.set(deviceKey, handed);
    return true;
  }
}

/** What ends something comes first, then what begins first. */
function byHaste(one: KeptOrder, other: KeptOrder): number {
  const ends = Number(other.withdraws !== null) - Number(one.withdraws !== null);
  return ends || one.fromMs - other.fromMs || one.id - other.id;
}
