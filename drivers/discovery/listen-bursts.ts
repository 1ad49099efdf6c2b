/** Bytes in a row without a pause that noise of a line is not: adapters give one or two when they are opened. */
const LEAST_BYTES = 6;
/** More without a pause is nobody's telegram. */
const MOST_BYTES = 8192;

/** When bytes came: in bursts with silence between. Times are of one clock, ms. */
export class Bursts {
  readonly #gapMs: number;
  #lastMs: number;
  #length = 0;
  /** The burst began before anybody listened. */
  #isCut = false;
  #whole = 0;
  #spoke = false;

  constructor(openedMs: number, gapMs: number) {
    this.#gapMs = gapMs;
    this.#lastMs = openedMs;
    this.#isCut = true;
  }

  take(count: number, nowMs: number): void {
    this.#settle(nowMs);
    this.#length += count;
    this.#lastMs = nowMs;
    this.#spoke ||= this.#length >= LEAST_BYTES;
  }

  /** Bursts that have come from beginning to end. */
  whole(nowMs: number): number {
    this.#settle(nowMs);
    return this.#whole;
  }

  get any(): boolean {
    return this.#length > 0;
  }

  /** More came than noise. */
  get spoke(): boolean {
    return this.#spoke;
  }

  get endless(): boolean {
    return this.#length >= MOST_BYTES;
  }

  #settle(nowMs: number): void {
    if (nowMs - this.#lastMs < this.#gapMs) return;
    if (!this.#isCut && this.#length >= LEAST_BYTES) this.#whole += 1;
    this.#length = 0;
    this.#isCut = false;
  }
}
