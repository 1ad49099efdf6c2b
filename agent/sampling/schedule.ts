/**
 * Slots on a monotonic clock at fixed distances from the first one. They never drift: a late reading does not move
 * the ones after it, and slots that have passed meanwhile are skipped, never made up for.
 */
export class Schedule {
  readonly #intervalMs: number;
  readonly #startMs: number;
  #slot = 0;

  constructor(intervalMs: number, startMs: number) {
    this.#intervalMs = intervalMs;
    this.#startMs = startMs;
  }

  /** Goes on to the next slot that is still to come: when it is, and how many were missed. */
  next(nowMs: number): { readonly atMs: number; readonly skipped: number } {
    const reached = Math.max(0, Math.floor((nowMs - this.#startMs) / this.#intervalMs));
    const slot = Math.max(this.#slot + 1, reached + 1);
    const skipped = slot - this.#slot - 1;
    this.#slot = slot;
    return { atMs: this.#startMs + slot * this.#intervalMs, skipped };
  }
}

/** Thins a stream of telegrams out to one per interval. */
export class Thinning {
  readonly #intervalMs: number;
  readonly #toleranceMs: number;
  #takenMs: number | undefined;

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
    // A meter that sends as often as it is wanted is never exactly on time.
    this.#toleranceMs = Math.min(intervalMs / 2, 500);
  }

  /** Whether a telegram that comes now is wanted; if so, the next one is wanted an interval later. */
  wants(nowMs: number): boolean {
    const early = this.#takenMs !== undefined && nowMs - this.#takenMs < this.#intervalMs - this.#toleranceMs;
    if (!early) this.#takenMs = nowMs;
    return !early;
  }
}
