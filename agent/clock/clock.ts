import { existsSync } from "node:fs";
import { uptime } from "node:os";
import { performance } from "node:perf_hooks";
import { KNOWN_TIME, TIME_QUALITY } from "../../attest/leaf.ts";

/** A time to seal with: ms since 1970 UTC, or since boot while the quality is below `batteryClock`. */
export interface Instant {
  readonly timeMs: number;
  readonly timeQuality: number;
}

/** The clock was set, or became known or unknown: the same instant on the old clock and on the new one. */
export interface Step {
  readonly before: Instant;
  readonly after: Instant;
}

/** Where the clock takes its readings from; tests give their own. */
export interface ClockSource {
  /** ms since 1970 as the system has it now. */
  wallMs(): number;
  /** ms on a clock that is never set. */
  monotonicMs(): number;
  /** ms since the machine started. */
  sinceBootMs(): number;
  /** Whether the system says that its clock is synchronised. */
  synchronised(): boolean;
}

/** No gateway was running this program before this; a clock that shows less has not been set. */
const EARLIEST_MS = Date.UTC(2026, 0, 1);
/** A difference from here on is a step; below it the clock is led back slowly. */
const STEP_MS = 2000;
const SLEW_MS_PER_CHECK = 20;
/** systemd-timesyncd touches this file when it has set the clock. */
const TIMESYNC_FLAG = "/run/systemd/timesync/synchronized";

export const systemClock: ClockSource = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sinceBootMs: () => Math.floor(uptime() * 1000),
  synchronised: () => existsSync(TIMESYNC_FLAG),
};

/**
 * The agent's clock: wall time at start, then monotonic, so that an adjustment of the system clock never makes
 * time run backwards within the log. {@link AgentClock.check} compares it with the system clock now and then.
 */
export class AgentClock {
  readonly #source: ClockSource;
  #quality: number;
  #offsetMs: number;
  #lastMs = 0;

  constructor(source: ClockSource = systemClock) {
    this.#source = source;
    this.#quality = this.#judge();
    this.#offsetMs = this.#target() - source.monotonicMs();
  }

  now(): Instant {
    const timeMs = Math.max(Math.floor(this.#source.monotonicMs() + this.#offsetMs), this.#lastMs);
    this.#lastMs = timeMs;
    return { timeMs, timeQuality: this.#quality };
  }

  /** Follows the system clock: small differences slowly, a large one or a change of knowledge as a step. */
  check(): Step | undefined {
    const quality = this.#judge();
    const difference = this.#target(quality) - (this.#source.monotonicMs() + this.#offsetMs);
    const changed = quality >= KNOWN_TIME !== this.#quality >= KNOWN_TIME;
    if (!changed && Math.abs(difference) < STEP_MS) {
      this.#quality = quality;
      this.#offsetMs += Math.max(-SLEW_MS_PER_CHECK, Math.min(SLEW_MS_PER_CHECK, difference));
      return undefined;
    }
    const before = this.now();
    this.#quality = quality;
    this.#offsetMs += difference;
    this.#lastMs = 0;
    return { before, after: this.now() };
  }

  #judge(): number {
    if (this.#source.wallMs() < EARLIEST_MS) return TIME_QUALITY.sinceBoot;
    return this.#source.synchronised() ? TIME_QUALITY.ntp : TIME_QUALITY.batteryClock;
  }

  #target(quality = this.#quality): number {
    return quality >= KNOWN_TIME ? this.#source.wallMs() : this.#source.sinceBootMs();
  }
}
