import { fromHex, toHex } from "../../attest/bytes.ts";
import type { OrderRefusedMessage } from "../../attest/messages.ts";
import type { Clerk } from "./clerk.ts";
import type { Courier } from "./courier.ts";
import type { Desk } from "./desk.ts";
import type { RandomChallenges } from "./random-challenges.ts";
import type { Judge } from "./settlement.ts";
import type { Tracker } from "./tracker.ts";

export interface FlexParts {
  readonly desk: Desk;
  readonly judge: Judge;
  readonly tracker: Tracker;
  readonly courier: Courier;
  readonly clerk: Clerk;
  /** Undefined: none at random times. */
  readonly challenges: RandomChallenges | undefined;
  /** Keys of the devices that are connected now, in hexadecimal. */
  readonly connected: () => ReadonlySet<string>;
}

/** The device has the order already; its leaf is on its way. */
const KNOWN = "order-known";
/** The device wants orders more slowly. */
const LATER = "order-rate";
/** A refusal's text is the device's own. */
const MOST_TEXT = 256;

/** What a node does about orders by itself: one thing at a time, every second and whenever something happens. */
export class FlexWork {
  readonly desk: Desk;
  readonly judge: Judge;
  readonly #parts: FlexParts;
  #work: Promise<void> = Promise.resolve();
  #isTicking = false;
  /** Undefined before the first tick, at which every log is looked at. */
  #wereConnected: ReadonlySet<string> | undefined;

  constructor(parts: FlexParts) {
    this.#parts = parts;
    this.desk = parts.desk;
    this.judge = parts.judge;
  }

  /** Begins what is due, unless it is being done. */
  tick(): void {
    if (this.#isTicking) return;
    this.#isTicking = true;
    void this.#then(() => this.#all()).finally(() => {
      this.#isTicking = false;
    });
  }

  /** Resolves when nothing is in hand. */
  async settled(): Promise<void> {
    for (let work: Promise<void> | undefined; work !== this.#work; ) {
      work = this.#work;
      await work;
    }
  }

  /** Called before the welcome has left: nothing may be sent in this turn of the event loop. */
  connected(deviceKey: string): void {
    this.#parts.courier.connected(deviceKey);
    setImmediate(() => this.#deliver());
  }

  wake(deviceKey: string): void {
    this.#parts.courier.wake(deviceKey);
    this.#deliver();
  }

  /** Takes a device's refusal of an order. */
  refused(deviceKey: string, message: OrderRefusedMessage): void {
    void this.#then(() => this.#refuse(deviceKey, message));
  }

  async #refuse(deviceKey: string, { digest, code, message }: OrderRefusedMessage): Promise<void> {
    const { desk, courier } = this.#parts;
    const { orders, counters, logger } = desk;
    const order = orders.byDigest(digest);
    if (order === undefined || toHex(order.deviceKey) !== deviceKey) {
      counters.unasked += 1;
      return;
    }
    if (code === KNOWN) return;
    if (code === LATER) return courier.again(deviceKey, order.id);
    const text = message.slice(0, MOST_TEXT).toWellFormed();
    const key = fromHex(deviceKey, "device key");
    if (!(await orders.refuse(key, { digest, code, message: text }))) return;
    counters.count(order.kind, "refused");
    const fields = { device: deviceKey, order: toHex(order.objectId), kind: order.kind };
    logger.warn("order-refused", { ...fields, code, message: text });
  }

  async #all(): Promise<void> {
    const { desk, tracker, clerk, courier, challenges, connected } = this.#parts;
    const now = connected();
    const were = this.#wereConnected;
    this.#wereConnected = now;
    for (const { log, deviceKey } of desk.orders.watched()) {
      const name = toHex(deviceKey);
      if (were === undefined || were.has(name) || now.has(name)) await tracker.look(log);
    }
    await clerk.tick();
    await challenges?.tick();
    await courier.deliver((deviceKey) => now.has(deviceKey));
  }

  #deliver(): void {
    const { courier, connected } = this.#parts;
    void this.#then(() => {
      const now = connected();
      return courier.deliver((deviceKey) => now.has(deviceKey));
    });
  }

  #then(work: () => Promise<void>): Promise<void> {
    this.#work = this.#work.then(work).catch((thrown: unknown) => {
      this.desk.counters.failed += 1;
      this.desk.logger.problem("flexibility-failed", thrown);
    });
    return this.#work;
  }
}
