/** Full jitter (a wait between 0 and a doubling bound), so that a thousand devices do not come back at once. */
export class Backoff {
  readonly #firstMs: number;
  readonly #mostMs: number;
  readonly #random: () => number;
  #failures = 0;

  constructor(options: {
    readonly firstMs: number;
    readonly mostMs: number;
    readonly random?: () => number;
  }) {
    this.#firstMs = options.firstMs;
    this.#mostMs = options.mostMs;
    this.#random = options.random ?? Math.random;
  }

  /** How long to wait after one more failure, ms. */
  next(): number {
    const bound = Math.min(this.#mostMs, this.#firstMs * 2 ** Math.min(this.#failures, 30));
    this.#failures += 1;
    return Math.floor(this.#random() * bound);
  }

  reset(): void {
    this.#failures = 0;
  }
}
