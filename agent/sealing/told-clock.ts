import { Problem } from "../../attest/problem.ts";
import type { Instant } from "../clock/clock.ts";

/** The clock that leaves get their time from: it shows what the agent's clock does, or what it is told for a while. */
export class ToldClock {
  readonly #clock: { now(): Instant };
  #told: Instant | undefined;
  /** While it is true, leaves of another epoch are appended again, and nothing of now may come between them. */
  takesOver = false;

  constructor(clock: { now(): Instant }) {
    this.#clock = clock;
  }

  /** Throws `log-takes-over` while only leaves with a time of their own are taken. */
  now(): Instant {
    this.requireFree();
    return this.#told ?? this.#clock.now();
  }

  /** Whether only leaves with a time of their own are taken. */
  get isBusy(): boolean {
    return this.takesOver && this.#told === undefined;
  }

  /** Throws as {@link ToldClock.now} does. */
  requireFree(): void {
    if (!this.isBusy) return;
    throw new Problem("log-takes-over", "leaves of the epoch before are being appended first", {
      hint: "readings are sealed again in a moment",
    });
  }

  /** Shows that instant for as long as `work` takes. */
  at(instant: Instant, work: () => void): void {
    this.#told = { timeMs: instant.timeMs, timeQuality: instant.timeQuality };
    try {
      work();
    } finally {
      this.#told = undefined;
    }
  }
}
