import { Problem } from "../attest/problem.ts";

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

/** Hands messages over one at a time and stops their source meanwhile, so that a fast sender waits at its own end. */
export class MessageQueue {
  readonly #handlers: QueueHandlers;
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(handlers: QueueHandlers) {
    this.#handlers = handlers;
  }

  /** Throws `queue-full` when the source goes on although it was paused. */
  push(bytes: Uint8Array): void {
    if (this.#closed) return;
    if (this.#waiting.length >= MAX_WAITING || this.#waitingBytes + bytes.length > MAX_WAITING_BYTES)
      throw new Problem("queue-full", "too many messages at once", { expected: `at most ${MAX_WAITING}` });
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#running ??= this.#run();
  }

  /** Drops what waits; resolves when the message in hand is done. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
    await this.#running;
  }

  async #run(): Promise<void> {
    this.#handlers.pause();
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      this.#waitingBytes -= next.length;
      await this.#handlers.handle(next);
    }
    this.#running = undefined;
    this.#handlers.resume();
  }
}
