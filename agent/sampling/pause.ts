import { Problem } from "../../attest/problem.ts";

/** Waits that all end at once when it is stopped. */
export class Pause {
  readonly #wakes = new Set<() => void>();
  #stopped = false;

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Resolves after `durationMs`, or when stopped or when `wake` is called. */
  wait(durationMs: number, waker?: Waker): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#wakes.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, Math.max(0, durationMs));
      this.#wakes.add(wake);
      if (waker !== undefined) waker.wake = wake;
    });
  }

  stop(): void {
    this.#stopped = true;
    for (const wake of [...this.#wakes]) wake();
  }
}

/** Ends one wait before its time. */
export interface Waker {
  wake: () => void;
}

/** Work that must not take for ever, in words for the message: "read", "identify the device". */
export interface Deadline {
  readonly what: string;
  readonly deadlineMs: number;
  /** What to wait with; where it is stopped, the work is given up. */
  readonly pause: Pause;
  /** What to say instead of `driver-hung`. */
  readonly problem?: () => Problem;
}

/** What `work` gives, or Problem `driver-hung` when that takes too long; a driver's own deadline comes first. */
export function withinDeadline<T>(work: Promise<T>, deadline: Deadline): Promise<T> {
  const waker: Waker = { wake: () => undefined };
  return new Promise((resolve, reject) => {
    const late = deadline.pause.wait(deadline.deadlineMs, waker);
    // Of the two the first to settle decides; the other one changes nothing any more.
    void late.then(() => reject(deadline.problem?.() ?? hung(deadline)));
    work.then(resolve, reject).finally(() => waker.wake());
  });
}

function hung({ what, deadlineMs }: Deadline): Problem {
  return new Problem("driver-hung", `the driver did not finish to ${what}`, {
    expected: `an answer or a problem within ${deadlineMs} ms`,
    got: "neither",
    hint: "the device is opened anew; if it stays, this is a fault of the driver",
  });
}
