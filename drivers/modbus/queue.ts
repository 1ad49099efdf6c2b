/** Control goes before polling, polling before what nobody waits for. */
export type Priority = "control" | "poll" | "background";

const RANKS: readonly Priority[] = ["control", "poll", "background"];

/** What can wait in a {@link RequestQueue}. */
export interface Waiting {
  readonly unit: number;
  readonly priority: Priority;
}

/** The next request, or how long there is none. */
export type Turn<T> = { readonly job: T } | { readonly atMs: number };

/**
 * Requests of one line, in the order of their priority and then of their arrival. A unit that has to be left alone for
 * a moment lets the others pass, but requests of one unit and one priority never overtake each other.
 */
export class RequestQueue<T extends Waiting> {
  readonly #ranks: readonly T[][] = RANKS.map(() => []);

  get length(): number {
    return this.#ranks.reduce((sum, jobs) => sum + jobs.length, 0);
  }

  /** How many of one unit wait. */
  lengthOf(unit: number): number {
    return this.#ranks.reduce((sum, jobs) => sum + jobs.filter((job) => job.unit === unit).length, 0);
  }

  push(job: T): void {
    this.#ranks[RANKS.indexOf(job.priority)]?.push(job);
  }

  /** Takes a job out; false when it is not there any more. */
  remove(job: T): boolean {
    return this.#ranks.some((jobs) => {
      const at = jobs.indexOf(job);
      if (at >= 0) jobs.splice(at, 1);
      return at >= 0;
    });
  }

  /** Takes out the job whose turn it is; undefined when nothing waits. `readyAtMs`: when a job may be sent at all. */
  next(nowMs: number, readyAtMs: (job: T) => number): Turn<T> | undefined {
    let atMs = Number.POSITIVE_INFINITY;
    for (const jobs of this.#ranks) {
      const passed = new Set<number>();
      for (const [at, job] of jobs.entries()) {
        if (passed.has(job.unit)) continue;
        passed.add(job.unit);
        const ready = readyAtMs(job);
        if (ready <= nowMs) {
          jobs.splice(at, 1);
          return { job };
        }
        atMs = Math.min(atMs, ready);
      }
    }
    return atMs === Number.POSITIVE_INFINITY ? undefined : { atMs };
  }

  /** Takes everything out. */
  drain(): readonly T[] {
    return this.#ranks.flatMap((jobs) => jobs.splice(0));
  }
}
