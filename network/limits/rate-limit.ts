import { LruCache } from "../../attest/lru-cache.ts";

/** How often something may happen on average, and how often at once after a pause. */
export interface Rate {
  readonly periodMs: number;
  /** At least 1. */
  readonly burst: number;
}

export interface RateLimitOptions extends Rate {
  /** Names that are remembered; the one used longest ago is forgotten first, and begins anew. */
  readonly names: number;
  /** A clock that never steps, ms. */
  readonly nowMs: () => number;
}

interface Mark {
  /** When everything taken so far would have been due at the even pace, ms. */
  dueMs: number;
}

/**
 * A rate for each name on its own: one number a name (the generic cell rate algorithm, ITU-T I.371 annex A), which allows
 * what a bucket of `burst` tokens does that gets one each `periodMs`.
 */
export class RateLimit {
  readonly #options: RateLimitOptions;
  readonly #slackMs: number;
  readonly #marks: LruCache<string, Mark>;

  constructor(options: RateLimitOptions) {
    this.#options = options;
    this.#slackMs = (options.burst - 1) * options.periodMs;
    this.#marks = new LruCache(options.names);
  }

  /** Names that are remembered now. */
  get size(): number {
    return this.#marks.size;
  }

  /** Whether there is one to take. */
  has(name: string): boolean {
    return this.#lateMs(this.#mark(name)) === 0;
  }

  /** Takes one where there is one. */
  take(name: string): boolean {
    const mark = this.#mark(name);
    if (this.#lateMs(mark) > 0) return false;
    this.#charge(mark);
    return true;
  }

  /** Takes one in any case; how long it is before its time, ms. */
  takeLate(name: string): number {
    const mark = this.#mark(name);
    const lateMs = this.#lateMs(mark);
    this.#charge(mark);
    return lateMs;
  }

  #mark(name: string): Mark {
    return this.#marks.getOrCompute(name, () => ({ dueMs: 0 }));
  }

  #lateMs({ dueMs }: Mark): number {
    return Math.max(0, Math.ceil(dueMs - this.#options.nowMs() - this.#slackMs));
  }

  #charge(mark: Mark): void {
    mark.dueMs = Math.max(mark.dueMs, this.#options.nowMs()) + this.#options.periodMs;
  }
}
