import { Problem } from "../../attest/problem.ts";

const FREE_CONNECTS = 2;
const FIRST_CONNECT_PAUSE_MS = 250;
const FREE_FAILURES = 1;
/** A unit that fails gets at most one part in so many of its line's time. */
const SHARE = 20;
const MOST_DOUBLINGS = 30;

/**
 * Keeps what is dead from costing a whole deadline at every request: after failures in a row, requests are refused
 * at once until a growing pause is over.
 */
export class BackOff {
  #failures = 0;
  #until = 0;
  #last: Error | undefined;

  get failing(): boolean {
    return this.#failures > 0;
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

  /** `pauseMs` gets the failures in a row, this one included. */
  fail(reason: Error, nowMs: number, pauseMs: (failures: number) => number): void {
    this.#failures += 1;
    this.#last = reason;
    this.#until = nowMs + pauseMs(this.#failures);
  }

  succeed(): void {
    this.#failures = 0;
    this.#until = 0;
    this.#last = undefined;
  }
}

/** Pause before the next connection: none after the first two failures, then from 250 ms doubling to `longestMs`. */
export function connectPauseMs(failures: number, longestMs: number): number {
  const doublings = failures - FREE_CONNECTS - 1;
  return doublings < 0 ? 0 : Math.min(longestMs, FIRST_CONNECT_PAUSE_MS * doubled(doublings));
}

export interface UnitFailure {
  /** How long the line was kept from the other units. */
  readonly costMs: number;
  /** Units on the line that fail now, this one too. */
  readonly failingUnits: number;
  readonly longestMs: number;
}

/**
 * Pause before a unit is asked again. One lost reply costs it nothing; from the second failure in a row on, all failing
 * units together get a twentieth of the line's time, and less with every further failure as long as the pause is
 * below `longestMs`.
 */
export function unitPauseMs(failures: number, { costMs, failingUnits, longestMs }: UnitFailure): number {
  const doublings = failures - FREE_FAILURES - 1;
  if (doublings < 0) return 0;
  const fairMs = SHARE * costMs * failingUnits;
  return Math.max(fairMs, Math.min(longestMs, fairMs * doubled(doublings)));
}

function doubled(times: number): number {
  return 2 ** Math.min(times, MOST_DOUBLINGS);
}
