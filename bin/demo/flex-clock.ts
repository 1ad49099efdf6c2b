import type { Instant } from "../../agent/clock/clock.ts";
import { TIME_QUALITY } from "../../attest/leaf.ts";

const SECOND_MS = 1000;

/** The only clock of the flexibility demo: it stands still until it is set, and everything reads it. */
export class DemoClock {
  readonly #startMs: number;
  #nowMs: number;

  constructor(startMs: number) {
    this.#startMs = startMs;
    this.#nowMs = startMs;
  }

  /** ms since 1970 UTC. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** The same clock as one that is never set. */
  get monotonicMs(): number {
    return SECOND_MS + this.#nowMs - this.#startMs;
  }

  /** What leaves are sealed with: the device's clock is right. */
  now(): Instant {
    return { timeMs: this.#nowMs, timeQuality: TIME_QUALITY.ntp };
  }

  set(nowMs: number): void {
    if (nowMs < this.#nowMs) throw new Error("the demo's time does not go back");
    this.#nowMs = nowMs;
  }
}
