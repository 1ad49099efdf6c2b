import { toHex } from "../../attest/bytes.ts";
import type { OrderCommon } from "../../attest/flexibility/orders.ts";
import { Problem } from "../../attest/problem.ts";

/** An id is remembered beyond the expiry of its order, so that a clock that is set back brings none to life again. */
const REMEMBERED_MS = 86_400_000;
const MOST = 4096;

/** The ids of all orders that were taken up in this epoch and could be sent again. */
export class KnownOrders {
  readonly #expiries = new Map<string, number>();

  note({ objectId, expiresMs }: Pick<OrderCommon, "objectId" | "expiresMs">): void {
    this.#expiries.set(toHex(objectId), expiresMs);
  }

  /** Throws `order-known`, and `order-too-many` while no further id could be remembered. */
  requireNew({ objectId }: Pick<OrderCommon, "objectId">, nowMs: number): void {
    const id = toHex(objectId);
    if (this.#expiries.has(id))
      throw new Problem("order-known", "the order was taken up before", { where: `order ${id}` });
    for (const [known, expiresMs] of this.#expiries)
      if (expiresMs + REMEMBERED_MS < nowMs) this.#expiries.delete(known);
    if (this.#expiries.size >= MOST)
      throw new Problem("order-too-many", "too many orders have not expired yet", {
        expected: `at most ${MOST}`,
      });
  }
}

/** So many orders of a node at once, */
const BURST = 30;
/** and then one in this time. */
const REFILL_MS = 10_000;

interface Bucket {
  readonly left: number;
  readonly atMs: number;
}

/** How often each node may send an order, whatever becomes of it. */
export class OrderRate {
  readonly #buckets = new Map<string, Bucket>();

  /** Throws `order-rate`. `nowMs` is of the clock that is never set. */
  take(nodeKey: Uint8Array, nowMs: number): void {
    const node = toHex(nodeKey);
    const { left, atMs } = this.#buckets.get(node) ?? { left: BURST, atMs: nowMs };
    const filled = Math.min(BURST, left + (nowMs - atMs) / REFILL_MS);
    const taken = filled >= 1;
    this.#buckets.set(node, { left: taken ? filled - 1 : filled, atMs: nowMs });
    if (taken) return;
    throw new Problem("order-rate", "the node sends orders too fast", {
      expected: `${BURST} at once, then one in ${REFILL_MS / 1000} seconds`,
    });
  }
}
