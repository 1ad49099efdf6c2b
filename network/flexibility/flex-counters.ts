import { ORDER_KINDS, type OrderKind } from "./order-record.ts";

/** What becomes of orders, as it is counted. */
export const ORDER_EVENTS = ["signed", "sent", "sealed", "refused", "expired", "withdrawn"] as const;
export type OrderEvent = (typeof ORDER_EVENTS)[number];

/** How settlements and challenges end, as they are counted. */
const RESULTS = [
  ...["delivered", "partial", "notDelivered", "optedOut", "unavailable", "dataInvalid"],
  ...["notCalled", "refused"],
];
const PASSED = ["passed", "not passed"];

/** What was done about orders since the node started, for its metrics. */
export class FlexCounters {
  /** Refusals of what was not sent to that device, or that comes too late. */
  unasked = 0;
  /** Work on orders that ended in a fault of the node's own. */
  failed = 0;
  readonly #orders = new Map<string, number>();
  readonly #settlements = new Map<string, number>(RESULTS.map((result) => [result, 0]));
  readonly #challenges = new Map<string, number>(PASSED.map((verdict) => [verdict, 0]));

  /** Orders by kind and by what became of them, also those that there are none of. */
  get orders(): readonly (readonly [kind: OrderKind, event: OrderEvent, count: number])[] {
    return ORDER_KINDS.flatMap((kind) =>
      ORDER_EVENTS.map((event) => [kind, event, this.#orders.get(`${kind} ${event}`) ?? 0] as const),
    );
  }

  /** Settlements by result, also those that there are none of. */
  get settlements(): ReadonlyMap<string, number> {
    return this.#settlements;
  }

  /** Challenges by whether they were passed. */
  get challenges(): ReadonlyMap<string, number> {
    return this.#challenges;
  }

  count(kind: OrderKind, event: OrderEvent): void {
    const name = `${kind} ${event}`;
    this.#orders.set(name, (this.#orders.get(name) ?? 0) + 1);
  }

  settled(result: string): void {
    this.#settlements.set(result, (this.#settlements.get(result) ?? 0) + 1);
  }

  challenged(verdict: string): void {
    this.#challenges.set(verdict, (this.#challenges.get(verdict) ?? 0) + 1);
  }
}
