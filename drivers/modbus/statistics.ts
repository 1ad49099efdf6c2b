import { Problem } from "../../attest/problem.ts";

/** Upper bounds of the latency histogram, ms; one more bucket holds what is above. */
export const LATENCY_BOUNDS_MS: readonly number[] = [5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];

/** Times from a request's first byte to its checked reply. */
export interface LatencyStatistics {
  readonly count: number;
  readonly sumMs: number;
  readonly maxMs: number;
  /** How many fell up to each of {@link LATENCY_BOUNDS_MS} and above the one before it; the last: above all. */
  readonly buckets: readonly number[];
}

/** What happened with one unit since its bus was opened. */
export interface UnitStatistics {
  /** Requests that were sent, echoes not counted. */
  readonly requests: number;
  /** Requests that were answered, exceptions included. */
  readonly replies: number;
  /** Requests that ended in a Problem, by its code; those refused before they were sent are among them. */
  readonly errors: ReadonlyMap<string, number>;
  /** Echoes sent to make sure of a reply after a fault. */
  readonly echoes: number;
  readonly latency: LatencyStatistics;
}

/** What happened on one line since its bus was opened. */
export interface BusStatistics {
  readonly line: string;
  readonly connections: number;
  readonly connectFailures: number;
  /** Times that the line was drained because of a fault, or bytes that nobody had asked for. */
  readonly recoveries: number;
  readonly drainedBytes: number;
  /** Requests that wait now. */
  readonly waiting: number;
  readonly units: ReadonlyMap<number, UnitStatistics>;
}

export class UnitCounters {
  #requests = 0;
  #replies = 0;
  #echoes = 0;
  readonly #errors = new Map<string, number>();
  readonly #buckets = Array.from({ length: LATENCY_BOUNDS_MS.length + 1 }, () => 0);
  #sumMs = 0;
  #maxMs = 0;

  sent(): void {
    this.#requests += 1;
  }

  echoed(): void {
    this.#echoes += 1;
  }

  replied(tookMs: number): void {
    this.#replies += 1;
    this.#sumMs += tookMs;
    this.#maxMs = Math.max(this.#maxMs, tookMs);
    const bound = LATENCY_BOUNDS_MS.findIndex((ms) => tookMs <= ms);
    const bucket = bound < 0 ? LATENCY_BOUNDS_MS.length : bound;
    this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1;
  }

  failed(error: unknown): void {
    const code = error instanceof Problem ? error.code : "internal";
    this.#errors.set(code, (this.#errors.get(code) ?? 0) + 1);
  }

  snapshot(): UnitStatistics {
    const latency = {
      ...{ count: this.#replies, sumMs: this.#sumMs, maxMs: this.#maxMs },
      buckets: [...this.#buckets],
    };
    return {
      ...{ requests: this.#requests, replies: this.#replies, echoes: this.#echoes },
      ...{ errors: new Map(this.#errors), latency },
    };
  }
}
