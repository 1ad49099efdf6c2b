const STOP_SIGNALS = ["SIGTERM", "SIGINT"] as const;

/** Whether and when the supervisor itself was asked to stop. */
export class StopRequest {
  requested = false;
  readonly #waiting = new Set<() => void>();
  readonly #request = (): void => {
    this.requested = true;
    for (const stop of this.#waiting) stop();
    this.#waiting.clear();
  };

  constructor() {
    for (const signal of STOP_SIGNALS) process.on(signal, this.#request);
  }

  close(): void {
    for (const signal of STOP_SIGNALS) process.off(signal, this.#request);
  }

  /** Calls `stop` when asked to stop; returns how to take it back. */
  onRequest(stop: () => void): () => void {
    this.#waiting.add(stop);
    return () => this.#waiting.delete(stop);
  }

  /** Resolves after `ms`, or earlier when asked to stop. */
  orAfter(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        forget();
        resolve();
      };
      const timer = setTimeout(end, ms);
      const forget = this.onRequest(end);
    });
  }
}
