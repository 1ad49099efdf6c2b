import { describeProblem } from "../../attest/problem.ts";
import type { Logger } from "../../runtime/log.ts";
import { AuditCounters } from "../audit/audit-counters.ts";
import { FlexCounters } from "../flexibility/flex-counters.ts";
import { isOpened, tamperLeaves } from "../store/enclosure-book.ts";
import type { AcceptedBatch, Store } from "../store/store.ts";

/** Codes are few; a peer that could invent them must not fill the memory. */
const MAX_CODES = 128;
const REFUSED = "connection-refused";

/** Handshakes of an address, new checkpoints of a key, live values of a key. */
const LIMITS = ["handshakes", "checkpoints", "live"] as const;
export type Limit = (typeof LIMITS)[number];

/** What a node has done since it started: counted on the way, so that nobody has to ask the store for it. */
export class NodeCounters {
  batches = 0;
  leaves = 0;
  receipts = 0;
  /** Leaves that say that an enclosure was opened. */
  enclosuresOpened = 0;
  storeFailures = 0;
  readonly audits: AuditCounters = new AuditCounters();
  readonly flexibility: FlexCounters = new FlexCounters();
  /** Why the store did not take the last thing that it was given; undefined when it took it. */
  storeProblem: string | undefined;
  readonly #refusals = new Map<string, number>();
  readonly #limited = new Map<Limit, number>(LIMITS.map((limit) => [limit, 0]));

  /** Connections that were refused or ended by this node, by code. */
  get refusals(): ReadonlyMap<string, number> {
    return this.#refusals;
  }

  /** What was slowed down or dropped, by the limit that it was above. */
  get limited(): ReadonlyMap<Limit, number> {
    return this.#limited;
  }

  /** Notes that something was above a limit. */
  limit(limit: Limit): void {
    this.#limited.set(limit, (this.#limited.get(limit) ?? 0) + 1);
  }

  /** The same store, with what it takes counted. */
  counting(store: Store): Store {
    const append = (batch: AcceptedBatch): Promise<boolean> => this.#append(store, batch);
    const addCheckpoint: Store["addCheckpoint"] = (...given) =>
      this.#written(store.addCheckpoint(...given), () => {
        this.receipts += 1;
      });
    const counted: Partial<Store> = { append, addCheckpoint };
    return new Proxy(store, {
      get: (target, name) => {
        const value: unknown = Reflect.get(counted, name) ?? Reflect.get(target, name);
        // A store's methods are its own: called on the proxy, they would not find its private fields.
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }

  /** The same logger, with refusals counted. */
  listening(logger: Logger): Logger {
    return {
      info: (event, fields) => logger.info(event, fields),
      warn: (event, fields) => logger.warn(event, fields),
      error: (event, fields) => logger.error(event, fields),
      problem: (event, thrown, fields) => {
        if (event === REFUSED) this.#refused(describeProblem(thrown).code);
        logger.problem(event, thrown, fields);
      },
    };
  }

  async #append(store: Store, batch: AcceptedBatch): Promise<boolean> {
    const taken = await this.#written(store.append(batch));
    if (!taken) return false;
    this.batches += 1;
    this.receipts += 1;
    this.leaves += batch.checkpoint.size - batch.fromSize;
    this.enclosuresOpened += tamperLeaves(batch.leaves.others).filter(isOpened).length;
    return true;
  }

  async #written<T>(write: Promise<T>, done?: () => void): Promise<T> {
    try {
      const result = await write;
      this.storeProblem = undefined;
      done?.();
      return result;
    } catch (cause) {
      const { code, message } = describeProblem(cause);
      this.storeFailures += 1;
      this.storeProblem = `${message} (${code})`;
      throw cause;
    }
  }

  #refused(code: string): void {
    const counted = this.#refusals.has(code) || this.#refusals.size < MAX_CODES ? code : "other";
    this.#refusals.set(counted, (this.#refusals.get(counted) ?? 0) + 1);
  }
}
