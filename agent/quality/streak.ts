/** Readings that have to agree with the first one before what they say is believed: the re-reads of a held reading. */
export const CONFIRMATIONS = 3;

/**
 * Readings in a row that say the same doubtful thing. It is believed once three more agree with the first, and what
 * was held for one that they did not bear out is told to `unconfirmed`.
 */
export class Streak {
  readonly #unconfirmed: (held: number) => void;
  #readings = 0;
  #held = 0;

  constructor(unconfirmed: (held: number) => void) {
    this.#unconfirmed = unconfirmed;
  }

  /** One more that says it; true when it is believed. `repeated`: the same telegram again, which confirms nothing. */
  again(repeated: boolean): boolean {
    if (!repeated || this.#readings === 0) this.#readings += 1;
    const believed = this.#readings > CONFIRMATIONS;
    this.#held = believed ? 0 : this.#held + 1;
    return believed;
  }

  /** One that does not say it. */
  end(): void {
    if (this.#held > 0) this.#unconfirmed(this.#held);
    this.#readings = 0;
    this.#held = 0;
  }
}
