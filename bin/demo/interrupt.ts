import { Problem } from "../../attest/problem.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Ctrl-C and its relatives: the first one asks for an orderly end, the second one for an end at once. */
export class Interrupt {
  readonly first: Promise<void>;
  readonly #again: Promise<never>;
  readonly #onSignal = (): void => this.request();
  #count = 0;
  #resolveFirst: () => void = () => {};
  #rejectAgain: (problem: Problem) => void = () => {};

  constructor() {
    this.first = new Promise((resolve) => {
      this.#resolveFirst = resolve;
    });
    this.#again = new Promise((_resolve, reject) => {
      this.#rejectAgain = reject;
    });
    // Raced where it matters; nobody may be racing when it comes.
    this.#again.catch(() => {});
    for (const signal of SIGNALS) process.on(signal, this.#onSignal);
  }

  /** As if a signal had come. */
  request(): void {
    this.#count += 1;
    if (this.#count === 1) this.#resolveFirst();
    else this.#rejectAgain(interrupted());
  }

  get requested(): boolean {
    return this.#count > 0;
  }

  /** What `work` gives, or the Problem `demo-interrupted` at the first signal. */
  orFirst<T>(work: Promise<T>): Promise<T> {
    const stopped = this.first.then(() => Promise.reject(interrupted()));
    return Promise.race([work, stopped]);
  }

  /** What `work` gives, or the Problem `demo-interrupted` at the second signal. */
  orSecond<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#again]);
  }

  close(): void {
    for (const signal of SIGNALS) process.off(signal, this.#onSignal);
  }
}

function interrupted(): Problem {
  return new Problem("demo-interrupted", "interrupted before the end: no proof was made");
}
