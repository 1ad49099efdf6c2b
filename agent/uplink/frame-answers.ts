import type { FrameMessage } from "../../attest/messages.ts";

/** Gives the frame behind a leaf's evidence digest; undefined when it is gone, or not for this node. */
export type FrameSource = (digest: Uint8Array) => Promise<Uint8Array | undefined>;

export interface FrameAnswersOptions {
  readonly find: FrameSource;
  readonly send: (message: FrameMessage) => void;
  /** Between two answers, ms. */
  readonly pauseMs: number;
}

/** Requests that wait; a node that asks for more without waiting for answers gets none to those. */
const MOST_WAITING = 16;

/** Answers a node's requests for raw frames, one after the other and never faster than one a pause. */
export class FrameAnswers {
  readonly #options: FrameAnswersOptions;
  readonly #waiting: Uint8Array[] = [];
  #timer: NodeJS.Timeout | undefined;
  #busy = false;
  #stopped = false;

  constructor(options: FrameAnswersOptions) {
    this.#options = options;
  }

  ask(digest: Uint8Array): void {
    if (this.#stopped || this.#waiting.length >= MOST_WAITING) return;
    this.#waiting.push(digest);
    if (!this.#busy) void this.#next();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async #next(): Promise<void> {
    const digest = this.#waiting.shift();
    this.#busy = digest !== undefined;
    if (digest === undefined) return;
    // What cannot be read back is as good as gone.
    const bytes = await this.#options.find(digest).catch(() => undefined);
    if (this.#stopped) return;
    this.#options.send({ type: "frame", digest, ...(bytes === undefined ? {} : { bytes }) });
    this.#timer = setTimeout(() => void this.#next(), this.#options.pauseMs);
  }
}
