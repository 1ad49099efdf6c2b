import { Problem } from "../attest/problem.ts";
import type { ByteBudget } from "./limits/byte-budget.ts";

/**
 * Up to so much is read ahead of what is being worked on: the three other batches of a device's window, as agents make them.
 * What stands behind those and needs no turn, a live value, is thus seen at once.
 */
const MAX_AHEAD = 8;
const MAX_AHEAD_BYTES = 384 * 1024;
/** What a socket may have decoded before it could be paused: one read of 64 KiB holds many small messages. */
const MAX_WAITING = 1024;
const MAX_WAITING_BYTES = 4 * 1_048_576;

export interface QueueHandlers {
  /** Handles one message; the next one waits until it is done. */
  readonly handle: (bytes: Uint8Array) => Promise<void>;
  /** Stops and starts the source. */
  readonly pause: () => void;
  readonly resume: () => void;
}

/**
 * Hands messages over one at a time and stops their source when enough of them wait, so that a fast sender waits at its own
 * end. When all queues together hold too much, each stops its source for as long as it works.
 */
export class MessageQueue {
  readonly #handlers: QueueHandlers;
  readonly #budget: ByteBudget;
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #running: Promise<void> | undefined;
  #paused = false;
  #closed = false;

  constructor(handlers: QueueHandlers, budget: ByteBudget) {
    this.#handlers = handlers;
    this.#budget = budget;
  }

  /** Throws `queue-full` when the source goes on although it was paused. */
  push(bytes: Uint8Array): void {
    if (this.#closed) return;
    if (this.#waiting.length >= MAX_WAITING || this.#waitingBytes + bytes.length > MAX_WAITING_BYTES)
      throw new Problem("queue-full", "too many messages at once", { expected: `at most ${MAX_WAITING}` });
    this.#waiting.push(bytes);
    this.#count(bytes.length);
    this.#running ??= this.#run();
    this.#steer();
  }

  /** Drops what waits; resolves when the message in hand is done. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#waiting.length = 0;
    this.#count(-this.#waitingBytes);
    await this.#running;
  }

  async #run(): Promise<void> {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      this.#count(-next.length);
      this.#steer();
      await this.#handlers.handle(next);
    }
    this.#running = undefined;
    this.#steer();
  }

  #count(bytes: number): void {
    this.#waitingBytes += bytes;
    if (bytes > 0) this.#budget.hold(bytes);
    else this.#budget.release(-bytes);
  }

  #steer(): void {
    const enough = this.#waiting.length >= MAX_AHEAD || this.#waitingBytes >= MAX_AHEAD_BYTES;
    const paused = enough || (this.#budget.spent && this.#running !== undefined);
    if (paused === this.#paused) return;
    this.#paused = paused;
    if (paused) this.#handlers.pause();
    else this.#handlers.resume();
  }
}
