/** Echoes in a row that a unit may miss before one read goes without: of one known to have the function, and of others. */
const MOST_MISSED = 5;
const MOST_MISSED_UNKNOWN = 1;
/** Times that a unit answers reads and not echoes, before it is taken for one without the function. */
const MUTE_AFTER = 2;

/** What a fault means for the unit that was asked. */
export interface Doubt {
  /** No request before so long. */
  readonly restMs: number;
  /** No read without echoes before so long. */
  readonly doubtMs: number;
}

/**
 * How far the next reply of one unit on a serial line can be taken for the reply to the next request.
 *
 * A reply there has no number: a late one with the same unit, function and byte count as the request that is
 * outstanding cannot be told from its reply. So after a fault the unit rests, is in doubt for a while, and a read counts
 * only between two echoes (function 8, with a random number in it). A device answers in turn: with the echo before the
 * read, everything that was asked earlier has been answered or never will be; with the echo behind it, nothing else
 * than the reply came in between. Whether a unit has that function is learnt while there is no doubt.
 */
export class Trust {
  #doubtedUntilMs = Number.NEGATIVE_INFINITY;
  #restUntilMs = Number.NEGATIVE_INFINITY;
  #knowsEcho = false;
  #missed = 0;
  #answeredWithout = 0;

  doubt(nowMs: number, { restMs, doubtMs }: Doubt): void {
    this.#restUntilMs = Math.max(this.#restUntilMs, nowMs + restMs);
    this.#doubtedUntilMs = Math.max(this.#doubtedUntilMs, nowMs + doubtMs);
  }

  /** The earliest time of the next request. */
  get restUntilMs(): number {
    return this.#restUntilMs;
  }

  /** Whether the unit, which has just answered, is to be asked for an echo to see whether it can. */
  get wantsLearning(): boolean {
    return !this.#knowsEcho && !this.#isMute;
  }

  /** Whether a read has to stand between two echoes. */
  needsEcho(nowMs: number): boolean {
    const most = this.#knowsEcho ? MOST_MISSED : MOST_MISSED_UNKNOWN;
    return nowMs < this.#doubtedUntilMs && !this.#isMute && this.#missed < most;
  }

  echoAnswered(): void {
    this.#knowsEcho = true;
    this.#missed = 0;
    this.#answeredWithout = 0;
  }

  echoTimedOut(): void {
    this.#missed += 1;
  }

  /** A request was answered. */
  answered(): void {
    if (this.#missed > 0) this.#answeredWithout += 1;
    this.#missed = 0;
  }

  /** A request was not answered: the next one is the echo's turn again. */
  failed(): void {
    this.#missed = 0;
  }

  get #isMute(): boolean {
    return this.#answeredWithout >= MUTE_AFTER;
  }
}
