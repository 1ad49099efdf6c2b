import { concatBytes, toHex } from "../../attest/bytes.ts";
import { signDispatchList } from "../../attest/flexibility/orders.ts";
import { describeProblem, Problem } from "../../attest/problem.ts";
import type { Desk } from "./desk.ts";
import type { KeptOrder } from "./order-record.ts";
import type { Judge } from "./settlement.ts";
import { challengeAnswer, settlementAnswer } from "./verdict-answers.ts";

/** Lists that are signed in one tick. */
const MOST_LISTS = 16;
/** How long a settlement waits for the device's own account. */
const ACCOUNT_WITHIN_MS = 86_400_000;

/**
 * What is to be done when an event is over: the list of its dispatches is signed, and what was delivered is computed as soon
 * as the device has sealed enough. Whoever owns it calls {@link tick} every second or so.
 */
export class Clerk {
  readonly #desk: Desk;
  readonly #judge: Judge;
  /** Size of the log when a result was last tried, by the order's number. */
  readonly #tried = new Map<number, number>();

  constructor(desk: Desk, judge: Judge) {
    this.#desk = desk;
    this.#judge = judge;
  }

  /** Never throws. */
  async tick(): Promise<void> {
    const { orders, nowMs } = this.#desk;
    await this.#guarded({}, () => this.#expire());
    for (const order of orders.unlisted(nowMs(), MOST_LISTS))
      await this.#guarded({ order: toHex(order.objectId) }, () => this.#list(order));
    for (const order of orders.unjudged(nowMs()))
      await this.#guarded({ order: toHex(order.objectId) }, () => this.#conclude(order));
  }

  async #expire(): Promise<void> {
    const { orders, counters, logger, nowMs } = this.#desk;
    for (const { kind, objectId, deviceKey } of await orders.expire(nowMs())) {
      counters.count(kind, "expired");
      logger.warn("order-expired", { device: toHex(deviceKey), order: toHex(objectId), kind });
    }
  }

  /** Every dispatch that was given: also one that the device was not there for. */
  async #list({ id, objectId, logId, deviceKey }: KeptOrder): Promise<void> {
    const { orders, signer, nowMs, wake } = this.#desk;
    const given = orders.dispatches(objectId).filter(({ state }) => state !== "withdrawn");
    const digests = concatBytes(...given.map(({ digest }) => digest));
    const list = { logId, commitmentId: objectId, digests, issuedAtMs: nowMs() };
    await orders.keepList(id, await signDispatchList(signer, list));
    wake(toHex(deviceKey));
  }

  async #conclude(order: KeptOrder): Promise<void> {
    const { size } = this.#desk.logs.numbered(order.log);
    if (order.kind === "challenge") return this.#judged(order);
    if (order.result !== null && order.settlementSeq === null) return this.#finish(order);
    if (order.list === null || this.#tried.get(order.id) === size) return;
    // The whole history is verified each time: not with every batch until the rebound is over.
    if (this.#desk.nowMs() < 2 * order.toMs - order.fromMs) return;
    this.#tried.set(order.id, size);
    await this.#settle(order);
  }

  /** A settlement is computed once more beside the device's own account of it, which may still come. */
  async #finish({ id, toMs, result }: KeptOrder): Promise<void> {
    const { orders, nowMs } = this.#desk;
    if (result === null || nowMs() < toMs + ACCOUNT_WITHIN_MS) return;
    await orders.keepResult(id, { ...result, final: true });
    this.#tried.delete(id);
  }

  async #settle(order: KeptOrder): Promise<void> {
    const { orders, counters, logger, nowMs } = this.#desk;
    const verdict = await this.#settlementOf(order);
    if (verdict === undefined) return;
    const value = settlementAnswer(verdict);
    const final = order.settlementSeq !== null;
    await orders.keepResult(order.id, { value, computedMs: nowMs(), final });
    if (final) this.#tried.delete(order.id);
    const { result, counts } = value;
    if (order.result !== null) return;
    counters.settled(result);
    logger.info("flexibility-settled", { ...this.#fields(order), result, counts });
  }

  /** Undefined while the device has not sealed enough; what it will never seal is a result of its own. */
  async #settlementOf(order: KeptOrder): Promise<Parameters<typeof settlementAnswer>[0] | undefined> {
    try {
      return await this.#judge.settlementOf(order);
    } catch (thrown) {
      if (!(thrown instanceof Problem)) throw thrown;
      if (thrown.code === "settlement-open" || thrown.code === "proof-unsigned") return undefined;
      return { refused: describeProblem(thrown) };
    }
  }

  async #judged(order: KeptOrder): Promise<void> {
    const { orders, counters, logger, nowMs } = this.#desk;
    const acknowledgements = orders.acknowledgements(order.id);
    const verdict = await this.#judge.verdictOf(order, { acknowledgements, nowMs: nowMs() });
    if (verdict === undefined) return;
    const value = challengeAnswer(verdict);
    await orders.keepResult(order.id, { value, computedMs: nowMs(), final: true });
    counters.challenged(value.passed ? "passed" : "not passed");
    logger.info("challenge-judged", { ...this.#fields(order), passed: value.passed });
  }

  #fields({ deviceKey, objectId }: KeptOrder): Readonly<Record<string, string>> {
    return { device: toHex(deviceKey), order: toHex(objectId) };
  }

  async #guarded(fields: Readonly<Record<string, string>>, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (thrown) {
      this.#desk.counters.failed += 1;
      this.#desk.logger.problem("flexibility-failed", thrown, fields);
    }
  }
}
