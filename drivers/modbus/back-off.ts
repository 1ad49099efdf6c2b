import { Problem } from "../../attest/problem.ts";

/** Failures in a row that are answered by trying again at once. */
const FREE_FAILURES = 2;
const FIRST_WAIT_MS = 250;

/**
 * Keeps a dead device from costing a whole deadline at every request: from the third failure in a row on,
 * requests are refused at once until a growing pause is over.
 */
export class BackOff {
  readonly #longestMs: number;
  #failures = 0;
  #until = 0;
  #last: Error | undefined;

  constructor(longestMs: number) {
    this.#longestMs = longestMs;
  }

  /** Throws the last failure again, with the time left, while the pause lasts. */
  check(nowMs: number): void {
    const leftMs = Math.ceil(this.#until - nowMs);
    if (leftMs <= 0 || this.#last === undefined) return;
    const code = this.#last instanceof Problem ? this.#last.code : "modbus-backing-off";
    throw new Problem(code, `${this.#failures} failures in a row, last: ${this.#last.message}`, {
      hint: `next attempt in ${leftMs} ms`,
      cause: this.#last,
    });
  }

  fail(reason: Error, nowMs: number): void {
    this.#failures += 1;
    this.#last = reason;
    const doublings = this.#failures - FREE_FAILURES - 1;
    this.#until = doublings < 0 ? 0 : nowMs + Math.min(this.#longestMs, FIRST_WAIT_MS * 2 ** doublings);
  }

  succeed(): void {
    this.#failures = 0;
    this.#until = 0;
    this.#last = undefined;
  }
}
