import { Problem } from "../../attest/problem.ts";
import { BackOff, connectPauseMs } from "./back-off.ts";
import type { ModbusLine, OpenLine } from "./line.ts";
import { sleepUntil } from "./waiting.ts";

export interface ConnectionOptions {
  readonly openLine: OpenLine;
  /** Pause between a new connection and the first request. */
  readonly connectDelayMs: number;
  readonly longestBackOffMs: number;
}

/** The one open line of a bus, opened anew when it is lost, never more than one at a time. */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #closing = new AbortController();
  readonly #backOff = new BackOff();
  #line: ModbusLine | undefined;
  #opened = 0;
  #failures = 0;
  #drainedBytes = 0;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** Number of the open line, a new one each time; undefined while there is none. */
  get number(): number | undefined {
    return this.#line?.alive === true ? this.#opened : undefined;
  }

  /** The open line if a request may be sent on it at once. */
  get ready(): ModbusLine | undefined {
    return this.#line?.alive === true && !this.#line.unsettled ? this.#line : undefined;
  }

  get opened(): number {
    return this.#opened;
  }

  get failures(): number {
    return this.#failures;
  }

  get drainedBytes(): number {
    return this.#drainedBytes + (this.#line?.drainedBytes ?? 0);
  }

  /** The open line, or a new one. Throws the opener's Problem, at once while it is backing off. */
  async line(): Promise<ModbusLine> {
    if (this.#line?.alive === true) return this.#line;
    // A device that serves one client only must not see two.
    await this.#line?.closed();
    this.#drainedBytes = this.drainedBytes;
    this.#line = undefined;
    this.#backOff.check(performance.now());
    const line = await this.#open();
    this.#line = line;
    if (this.#closing.signal.aborted) line.destroy(busClosed());
    const { connectDelayMs } = this.#options;
    if (connectDelayMs > 0) await sleepUntil(performance.now() + connectDelayMs, this.#closing.signal);
    return line;
  }

  async #open(): Promise<ModbusLine> {
    const { openLine, longestBackOffMs } = this.#options;
    try {
      const line = await openLine(this.#closing.signal);
      this.#backOff.succeed();
      this.#opened += 1;
      return line;
    } catch (error) {
      this.#failures += 1;
      const reason = error instanceof Error ? error : new Error(String(error));
      this.#backOff.fail(reason, performance.now(), (failures) => connectPauseMs(failures, longestBackOffMs));
      throw error;
    }
  }

  /** Gives the line up and opens no other. */
  close(): void {
    this.#closing.abort();
    this.#line?.destroy(busClosed());
  }

  /** Resolves when the operating system has the line back. */
  async closed(): Promise<void> {
    await this.#line?.closed();
  }
}

export function busClosed(): Problem {
  return new Problem("modbus-bus-closed", "the bus was closed");
}
