import { toHex } from "../../attest/bytes.ts";
import { parseObject } from "../../attest/cose.ts";
import { openCommitment } from "../../attest/flexibility/orders.ts";
import { requireAsOrdered } from "../../attest/flexibility/proof-life.ts";
import type { Leaf } from "../../attest/leaf.ts";
import { Problem } from "../../attest/problem.ts";
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
/** Key of an order's channel. */
const CHANNEL = 3;

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
    const { suite } = this.#parts;
    const order = orderIn(leaf);
    const isHeld = order !== undefined && saysWhatWasOrdered(suite, leaf);
    return { leaf, orderDigest: isHeld ? suite.sha256(order) : undefined };
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

/**
 * Whether a leaf says what the order in it does: a device that seals an order under other words of its own is not bound
 * by it, and every proof of it is refused.
 */
function saysWhatWasOrdered(suite: Suite, leaf: Leaf): boolean {
  try {
    if (leaf.kind === "commitment")
      requireAsOrdered(
        suite,
        leaf,
        openCommitment(suite, leaf.counterparty, parseObject(leaf.counterparty).kid),
      );
    else if (leaf.kind === "dispatch" || leaf.kind === "challenge")
      return parseObject(leaf.order).payload.get(CHANNEL) === leaf.channel;
    return true;
  } catch (thrown) {
    if (thrown instanceof Problem) return false;
    throw thrown;
  }
}

/** What a node signed, in the leaf that holds it. */
function orderIn(leaf: Leaf): Uint8Array | undefined {
  if (leaf.kind === "commitment") return leaf.counterparty;
  return leaf.kind === "dispatch" || leaf.kind === "challenge" ? leaf.order : undefined;
}
