import { toHex } from "../../attest/bytes.ts";
import type { Leaf } from "../../attest/leaf.ts";
import type { Suite } from "../../attest/suite.ts";
import type { Logger } from "../../runtime/log.ts";
import type { DeviceLogs } from "./device-log.ts";
import type { FlexCounters } from "./flex-counters.ts";
import type { SqliteOrders } from "./sqlite-orders.ts";

/** What learning from leaves needs. */
export interface TrackerParts {
  readonly orders: SqliteOrders;
  readonly logs: DeviceLogs;
  readonly suite: Suite;
  readonly counters: FlexCounters;
  readonly logger: Logger;
}

/** Leaves taken over in one transaction. */
const MOST_AT_ONCE = 256;

/**
 * Learns from the devices' own leaves what has become of orders. A log only grows while its device is connected; whoever
 * calls says which logs may have grown.
 */
export class Tracker {
  readonly #parts: TrackerParts;
  /** One at a time for each log. */
  readonly #running = new Map<number, Promise<void>>();

  constructor(parts: TrackerParts) {
    this.#parts = parts;
  }

  /** Looks at all leaves of a log that have not been looked at. */
  async look(log: number): Promise<void> {
    const before = this.#running.get(log) ?? Promise.resolve();
    const work = before.catch(() => undefined).then(() => this.#look(log));
    this.#running.set(log, work);
    try {
      await work;
    } finally {
      if (this.#running.get(log) === work) this.#running.delete(log);
    }
  }

  async #look(log: number): Promise<void> {
    const { orders, logs } = this.#parts;
    for (;;) {
      const found = orders.unlooked(log, MOST_AT_ONCE);
      if (found === undefined) return;
      const leaves = await Promise.all(found.seqs.map((seq) => logs.leaf(log, seq)));
      const { sealed } = await orders.learn(
        log,
        leaves.map((leaf) => this.#withDigest(leaf)),
        found.nextSeq,
      );
      for (const { digest, seq } of sealed) this.#note(digest, seq);
    }
  }

  #withDigest(leaf: Leaf): { readonly leaf: Leaf; readonly orderDigest: Uint8Array | undefined } {
    const order = orderIn(leaf);
    return { leaf, orderDigest: order && this.#parts.suite.sha256(order) };
  }

  #note(digest: Uint8Array, seq: number): void {
    const { orders, counters, logger } = this.#parts;
    const order = orders.byDigest(digest);
    if (order === undefined) return;
    const { kind, objectId, deviceKey, epoch } = order;
    counters.count(kind, "sealed");
    logger.info("order-sealed", { device: toHex(deviceKey), order: toHex(objectId), kind, epoch, seq });
  }
}

/** What a node signed, in the leaf that holds it. */
function orderIn(leaf: Leaf): Uint8Array | undefined {
  if (leaf.kind === "commitment") return leaf.counterparty;
  return leaf.kind === "dispatch" || leaf.kind === "challenge" ? leaf.order : undefined;
}
