import { Problem } from "../../attest/problem.ts";
import { unitPauseMs } from "./back-off.ts";
import { Codec } from "./codec.ts";
import { busClosed, Connection } from "./connection.ts";
import { Conversation, type Order } from "./conversation.ts";
import type { ModbusLine, OpenLine } from "./line.ts";
import { deadlineProblem } from "./problems.ts";
import { type Priority, RequestQueue, type Waiting } from "./queue.ts";
import type { BusStatistics } from "./statistics.ts";
import { UnitState } from "./unit-state.ts";
import { sleepUntil } from "./waiting.ts";

/** Times of one line, all of them settled. */
export interface TrafficTiming {
  readonly timeoutMs: number;
  readonly connectDelayMs: number;
  readonly minGapMs: number;
  readonly longestBackOffMs: number;
  readonly queueLimit: number;
  readonly settleMs: number;
}

/** How one request is to be treated, all of it settled. */
export interface Terms {
  readonly priority: Priority;
  readonly timeoutMs: number;
  readonly minGapMs: number;
  readonly deadlineMs: number;
  readonly insist: boolean;
  readonly echo: boolean;
}

interface Job extends Waiting {
  readonly order: Order<unknown>;
  readonly terms: Terms;
  readonly expiresMs: number;
  /** Nobody waits for the outcome any more. */
  settled: boolean;
  perform(conversation: Conversation): Promise<void>;
  reject(reason: unknown): void;
}

interface Faulted {
  readonly unit: UnitState;
  readonly fault: Error;
  readonly timeoutMs: number;
}

/** Faults in a row, of any unit, after which the line is opened anew. */
const REOPEN_AFTER = 5;
/** How long a unit is in doubt after a fault, in response timeouts, and how long it rests. */
const DOUBT_TIMEOUTS = 10;
const REST_TIMEOUTS = 4;

/**
 * The requests of one physical line, one at a time: queue, deadlines, the connection and what follows from faults.
 */
export class Traffic {
  readonly name: string;
  readonly #timing: TrafficTiming;
  readonly #codec = new Codec();
  readonly #connection: Connection;
  readonly #queue = new RequestQueue<Job>();
  readonly #units = new Map<number, UnitState>();
  #closing = false;
  #recoveries = 0;
  #faultsInRow = 0;
  #longestTimeoutMs: number;
  #quietUntilMs = Number.NEGATIVE_INFINITY;
  #pump: Promise<void> | undefined;
  #nap: AbortController | undefined;

  constructor(name: string, openLine: OpenLine, timing: TrafficTiming) {
    this.name = name;
    this.#timing = timing;
    const { connectDelayMs, longestBackOffMs } = timing;
    this.#connection = new Connection({ openLine, connectDelayMs, longestBackOffMs });
    this.#longestTimeoutMs = timing.timeoutMs;
  }

  get connection(): number | undefined {
    return this.#connection.number;
  }

  statistics(): BusStatistics {
    const { opened, failures, drainedBytes } = this.#connection;
    return {
      ...{ line: this.name, connections: opened, connectFailures: failures },
      ...{ recoveries: this.#recoveries, drainedBytes },
      waiting: this.#queue.length,
      units: new Map([...this.#units].map(([unit, state]) => [unit, state.counters.snapshot()])),
    };
  }

  /** Resolves with what the order gives, or rejects at its deadline at the latest. */
  ask<T>(order: Order<T>, terms: Terms): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const settle = (): void => {
      job.settled = true;
      clearTimeout(expiry);
    };
    const job: Job = {
      ...{ order, terms, unit: order.unit, priority: terms.priority, settled: false },
      expiresMs: performance.now() + terms.deadlineMs,
      perform: async (conversation) => {
        const value = await conversation.hold(order);
        settle();
        resolve(value);
      },
      reject: (reason) => {
        if (job.settled) return;
        settle();
        const error = this.#closing ? busClosed() : reason;
        this.#unit(order.unit).counters.failed(error);
        reject(error);
      },
    };
    const expiry = setTimeout(() => this.#expire(job), terms.deadlineMs);
    this.#take(job);
    return promise;
  }

  #take(job: Job): void {
    const { queueLimit } = this.#timing;
    if (this.#closing) job.reject(busClosed());
    else if (this.#queue.lengthOf(job.unit) >= queueLimit) job.reject(queueFull(queueLimit));
    else this.#refuseFailing(job);
    if (job.settled) return;
    this.#longestTimeoutMs = Math.max(this.#longestTimeoutMs, job.terms.timeoutMs);
    this.#queue.push(job);
    this.#nap?.abort();
    this.#pump ??= this.#run();
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#nap?.abort();
    this.#connection.close();
    for (const job of this.#queue.drain()) job.reject(busClosed());
    await this.#pump;
    await this.#connection.closed();
  }

  async #run(): Promise<void> {
    for (;;) {
      const turn = this.#queue.next(performance.now(), (job) => this.#readyAtMs(job));
      if (turn === undefined) break;
      if ("job" in turn) await this.#serve(turn.job);
      else await this.#napUntil(turn.atMs);
    }
    this.#pump = undefined;
  }

  async #napUntil(atMs: number): Promise<void> {
    this.#nap = new AbortController();
    await sleepUntil(atMs, this.#nap.signal).catch(() => undefined);
    this.#nap = undefined;
  }

  #readyAtMs({ order, terms }: Job): number {
    const { settleMs } = this.#timing;
    const unit = this.#unit(order.unit);
    // A reply that repeats its request is not mistaken, whatever came before.
    const ready = order.kind === undefined ? 0 : unit.readyAtMs(order.kind, settleMs);
    return Math.max(ready, this.#quietUntilMs + Math.max(terms.minGapMs, this.#timing.minGapMs));
  }

  async #serve(job: Job): Promise<void> {
    // The unit may have failed since the request came in.
    this.#refuseFailing(job);
    if (job.settled) return;
    try {
      const line = this.#connection.ready ?? (await this.#readyLine());
      if (job.settled) return;
      // What could be answered too late is not even sent.
      if (performance.now() + job.terms.timeoutMs > job.expiresMs) throw this.#late(job);
      await this.#attempt(job, line);
    } catch (error) {
      job.reject(error);
    }
  }

  #refuseFailing(job: Job): void {
    if (job.terms.insist) return;
    try {
      this.#unit(job.unit).backOff.check(performance.now());
    } catch (error) {
      job.reject(error);
    }
  }

  async #attempt(job: Job, line: ModbusLine): Promise<void> {
    const unit = this.#unit(job.unit);
    const { timeoutMs, minGapMs, echo } = job.terms;
    const conversation = new Conversation({
      ...{ line, unit, timeoutMs, minGapMs, echo },
      ...{ codec: this.#codec, where: this.name },
    });
    const begunMs = performance.now();
    try {
      await job.perform(conversation);
      this.#answered(unit);
      if (conversation.wantsLearning) await conversation.learn(job.unit).catch(() => line.recover(timeoutMs));
    } catch (error) {
      // Whoever asked need not wait until the line has recovered.
      job.reject(error);
      if (conversation.fault !== undefined)
        await this.#recover(line, { unit, fault: conversation.fault, timeoutMs });
      if (conversation.fault !== undefined || isGatewayTimeout(error)) this.#failed(unit, error, begunMs);
      else this.#answered(unit);
    } finally {
      this.#quietUntilMs = performance.now();
    }
  }

  #answered(unit: UnitState): void {
    unit.backOff.succeed();
    this.#faultsInRow = 0;
  }

  #failed(unit: UnitState, error: unknown, begunMs: number): void {
    const nowMs = performance.now();
    const failing = [...this.#units.values()].filter((other) => other !== unit && other.backOff.failing);
    const failure = {
      costMs: nowMs - begunMs + (this.connection === undefined ? this.#timing.connectDelayMs : 0),
      failingUnits: failing.length + 1,
      longestMs: this.#timing.longestBackOffMs,
    };
    unit.backOff.fail(asError(error), nowMs, (failures) => unitPauseMs(failures, failure));
  }

  /** Drains the line, or gives it up: then the next request opens it anew. */
  async #recover(line: ModbusLine, { unit, fault, timeoutMs }: Faulted): Promise<void> {
    if (!line.anonymousReplies) return;
    // A damaged reply is one that has come.
    const damaged = fault instanceof Problem && fault.code === "modbus-crc";
    doubt(unit, timeoutMs, damaged ? 0 : REST_TIMEOUTS);
    this.#faultsInRow += 1;
    this.#recoveries += 1;
    if (this.#faultsInRow % REOPEN_AFTER === 0)
      line.destroy(new Problem("modbus-reopened", "too many faults in a row", { where: this.name }));
    await line.recover(timeoutMs);
  }

  /** The open line, silent and ready. */
  async #readyLine(): Promise<ModbusLine> {
    const line = await this.#connection.line();
    if (!line.unsettled) return line;
    for (const unit of this.#units.values()) doubt(unit, this.#longestTimeoutMs, 0);
    this.#recoveries += 1;
    await line.recover(this.#longestTimeoutMs);
    return await this.#connection.line();
  }

  #expire(job: Job): void {
    this.#queue.remove(job);
    job.reject(this.#late(job));
  }

  #late({ order, terms }: Job): Problem {
    return deadlineProblem(`${this.name} ${order.what}`, terms.deadlineMs);
  }

  #unit(unit: number): UnitState {
    const known = this.#units.get(unit);
    if (known !== undefined) return known;
    const fresh = new UnitState();
    this.#units.set(unit, fresh);
    return fresh;
  }
}

function doubt(unit: UnitState, timeoutMs: number, rests: number): void {
  unit.trust.doubt(performance.now(), { restMs: rests * timeoutMs, doubtMs: DOUBT_TIMEOUTS * timeoutMs });
}

/** A gateway waited for the unit in our place. */
function isGatewayTimeout(error: unknown): boolean {
  return error instanceof Problem && error.code === "modbus-wrong-unit";
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

function queueFull(queueLimit: number): Problem {
  return new Problem("modbus-queue-full", "too many requests are waiting", {
    expected: `at most ${queueLimit}`,
    hint: "poll less often",
  });
}
