/** How far a discovery has come. */
export interface ProgressState {
  /** 0 to 1. */
  readonly fraction: number;
  /** Estimated time to the end. */
  readonly remainingMs: number;
}

interface Job {
  readonly totalMs: number;
  spentMs: number;
}

/** The progress of jobs that go on beside each other, reckoned by what each of them takes at most. */
export class Progress {
  readonly #jobs: Job[] = [];
  readonly #report: (state: ProgressState) => void;

  constructor(report: (state: ProgressState) => void) {
    this.#report = report;
  }

  /** A job that takes `totalMs` at most; call the result with what of that is behind. */
  job(totalMs: number): (spentMs: number) => void {
    const job: Job = { totalMs, spentMs: 0 };
    this.#jobs.push(job);
    return (spentMs) => {
      job.spentMs = Math.min(job.totalMs, Math.max(job.spentMs, spentMs));
      this.#report(this.#state());
    };
  }

  #state(): ProgressState {
    const total = this.#jobs.reduce((sum, { totalMs }) => sum + totalMs, 0);
    const spent = this.#jobs.reduce((sum, { spentMs }) => sum + spentMs, 0);
    return {
      fraction: total === 0 ? 1 : spent / total,
      remainingMs: Math.max(0, ...this.#jobs.map(({ totalMs, spentMs }) => totalMs - spentMs)),
    };
  }
}
