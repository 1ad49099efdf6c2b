import type { Problem } from "../../attest/problem.ts";
import type { MeterIdentity } from "../driver.ts";

interface Waiter {
  resolve(identity: MeterIdentity): void;
  reject(problem: Problem): void;
}

/** Those who wait for a meter to name itself. */
export class Waiters {
  readonly #waiting = new Set<Waiter>();

  get any(): boolean {
    return this.#waiting.size > 0;
  }

  /** Rejects with what `late` says after `timeoutMs`. */
  wait(timeoutMs: number, late: () => Problem): Promise<MeterIdentity> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(deadline);
        this.#waiting.delete(waiter);
      };
      const waiter: Waiter = {
        resolve: (identity) => {
          settle();
          resolve(identity);
        },
        reject: (problem) => {
          settle();
          reject(problem);
        },
      };
      const deadline = setTimeout(() => waiter.reject(late()), timeoutMs);
      this.#waiting.add(waiter);
    });
  }

  resolve(identity: MeterIdentity): void {
    for (const waiter of [...this.#waiting]) waiter.resolve(identity);
  }

  reject(problem: Problem): void {
    for (const waiter of [...this.#waiting]) waiter.reject(problem);
  }
}
