const BITS_PER_BYTE = 10;

/** Lets bytes take the time that they need on a line, one after another. */
export class Pace {
  readonly #baud: number;
  readonly #timers: Set<NodeJS.Timeout> = new Set();
  #freeMs = 0;

  constructor(baudRate: number) {
    this.#baud = baudRate;
  }

  after(bytes: number, then: () => void): void {
    const nowMs = performance.now();
    this.#freeMs = Math.max(this.#freeMs, nowMs) + (bytes * BITS_PER_BYTE * 1000) / this.#baud;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      then();
    }, this.#freeMs - nowMs);
    this.#timers.add(timer);
  }

  end(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }
}
