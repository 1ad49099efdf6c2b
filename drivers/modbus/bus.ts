import { setTimeout as sleep } from "node:timers/promises";
import { Problem } from "../../attest/problem.ts";
import { BackOff } from "./back-off.ts";
import { MAX_REGISTERS, type ModbusLine, type OpenLine, type RegisterRequest } from "./line.ts";
import { openTcpLine } from "./tcp-line.ts";

export interface BusTiming {
  /** Deadline of the connection and of each request. */
  readonly timeoutMs: number;
  /** Pause between a new connection and the first request; some devices need about 1000. */
  readonly connectDelayMs?: number;
  /** Silence between a reply and the next request. */
  readonly minGapMs?: number;
  /** Longest pause between attempts on a device that keeps failing. */
  readonly longestBackOffMs?: number;
  /** Requests that may wait; one more is refused. */
  readonly queueLimit?: number;
}

export interface TcpBusOptions extends BusTiming {
  readonly host: string;
  readonly port: number;
}

interface Job {
  readonly request: RegisterRequest;
  resolve(registers: Uint16Array): void;
  reject(reason: unknown): void;
}

const DEFAULTS = { connectDelayMs: 0, minGapMs: 0, longestBackOffMs: 30_000, queueLimit: 64 };

/**
 * One physical connection, shared by all units behind it: one request at a time, in order, each with its own
 * deadline. After a time-out or a malformed reply the connection is thrown away, so that a late answer can never be
 * taken for the answer to a later request; the next request opens a new one.
 */
export class ModbusBus {
  readonly #openLine: OpenLine;
  readonly #timing: Required<BusTiming>;
  readonly #closing = new AbortController();
  readonly #queue: Job[] = [];
  readonly #connecting: BackOff;
  readonly #units = new Map<number, BackOff>();
  #line: ModbusLine | undefined;
  #connections = 0;
  #lastReplyMs = Number.NEGATIVE_INFINITY;
  #pump: Promise<void> | undefined;

  constructor(openLine: OpenLine, timing: BusTiming) {
    this.#openLine = openLine;
    this.#timing = { ...DEFAULTS, ...timing };
    this.#connecting = new BackOff(this.#timing.longestBackOffMs);
  }

  /** A bus on a Modbus TCP device or gateway. Does not touch the network before the first request. */
  static open(options: TcpBusOptions): ModbusBus {
    const { host, port, timeoutMs } = options;
    return new ModbusBus((signal) => openTcpLine({ host, port, timeoutMs, signal }), options);
  }

  /** Number of the open connection, a new one for every reconnect; undefined while there is none. */
  get connection(): number | undefined {
    return this.#line?.alive === true ? this.#connections : undefined;
  }

  /**
   * Exactly `request.count` registers, as unsigned 16-bit values in the order of their addresses.
   * Throws a Problem: `modbus-bad-request`, `modbus-queue-full`, `modbus-bus-closed`, `modbus-refused`,
   * `modbus-unreachable`, `modbus-host-unknown`, `modbus-timeout`, `modbus-closed`, `modbus-malformed`,
   * `modbus-wrong-unit`, `modbus-illegal-address` and the other exceptions of the protocol.
   */
  async readHoldingRegisters(request: RegisterRequest): Promise<Uint16Array> {
    checkRequest(request);
    if (this.#closing.signal.aborted) throw busClosed();
    const { queueLimit } = this.#timing;
    if (this.#queue.length >= queueLimit)
      throw new Problem("modbus-queue-full", "too many requests are waiting", {
        expected: `at most ${queueLimit}`,
        hint: "poll less often",
      });
    const { promise, resolve, reject } = Promise.withResolvers<Uint16Array>();
    this.#queue.push({ request, resolve, reject });
    this.#pump ??= this.#run();
    return await promise;
  }

  /** Ends the connection and rejects what is outstanding. Never throws, may be called twice. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#line?.destroy(busClosed());
    await this.#pump;
  }

  async #run(): Promise<void> {
    for (let job = this.#queue.shift(); job !== undefined; job = this.#queue.shift()) {
      try {
        job.resolve(await this.#serve(job.request));
      } catch (error) {
        job.reject(this.#closing.signal.aborted ? busClosed() : error);
      }
    }
    this.#pump = undefined;
  }

  async #serve(request: RegisterRequest): Promise<Uint16Array> {
    const unit = this.#unit(request.unit);
    unit.check(performance.now());
    // First the pause, since the device may end the connection in it.
    await this.#pause(this.#lastReplyMs + this.#timing.minGapMs - performance.now());
    const line = await this.#connectedLine();
    try {
      const registers = await line.read(request, this.#timing.timeoutMs);
      unit.succeed();
      return registers;
    } catch (error) {
      // An exception reply is an answer: only a request that killed the connection counts as a failure.
      if (line.alive) unit.succeed();
      else unit.fail(error instanceof Error ? error : new Error(String(error)), performance.now());
      throw error;
    } finally {
      this.#lastReplyMs = performance.now();
    }
  }

  async #connectedLine(): Promise<ModbusLine> {
    if (this.#line?.alive === true) return this.#line;
    this.#connecting.check(performance.now());
    try {
      this.#line = await this.#openLine(this.#closing.signal);
    } catch (error) {
      this.#connecting.fail(error instanceof Error ? error : new Error(String(error)), performance.now());
      throw error;
    }
    this.#connecting.succeed();
    this.#connections += 1;
    if (this.#closing.signal.aborted) this.#line.destroy(busClosed());
    await this.#pause(this.#timing.connectDelayMs);
    return this.#line;
  }

  async #pause(ms: number): Promise<void> {
    if (ms > 0) await sleep(ms, undefined, { signal: this.#closing.signal });
  }

  #unit(unit: number): BackOff {
    const known = this.#units.get(unit);
    if (known !== undefined) return known;
    const fresh = new BackOff(this.#timing.longestBackOffMs);
    this.#units.set(unit, fresh);
    return fresh;
  }
}

function checkRequest({ unit, start, count }: RegisterRequest): void {
  const whole = [unit, start, count].every(Number.isSafeInteger);
  if (whole && unit >= 0 && unit <= 255 && start >= 0 && start + count <= 65536 && count >= 1)
    if (count <= MAX_REGISTERS) return;
  throw new Problem("modbus-bad-request", "no such Modbus request", {
    expected: `unit 0..255, 1..${MAX_REGISTERS} registers within 0..65535`,
    got: `unit ${unit}, ${count} registers from ${start}`,
  });
}

function busClosed(): Problem {
  return new Problem("modbus-bus-closed", "the bus was closed");
}
