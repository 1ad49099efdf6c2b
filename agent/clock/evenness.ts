/** A change of the system's clock against the one that is never set, within one look, that is no leading. */
const UNEVEN_MS = 50;
const UNEVEN_PART = 8;
/** Who sets a clock sets it at once; one that stands still or runs wild goes wrong bit by bit. */
const SET_MS = 2000;
const SETTLED_AFTER_MS = 2000;
/** So many steps within an hour are believed at once; after that the clock has to run evenly first, longer each time. */
const FREE_STEPS = 4;
const WINDOW_MS = 3_600_000;
const LONGEST_WAIT_MS = 600_000;

/**
 * How evenly the system's clock runs beside one that is never set. A clock that stands still, or is set to and fro by
 * two programs, would otherwise be followed step by step, each of which ends every interval.
 */
export class Evenness {
  #last: { readonly wallMs: number; readonly passedMs: number } | undefined;
  /** When it last ran unevenly, and whether that was one large step. */
  #unevenMs = Number.NEGATIVE_INFINITY;
  #wasSet = false;
  #steps: number[] = [];

  note(wallMs: number, passedMs: number): void {
    const last = this.#last;
    this.#last = { wallMs, passedMs };
    if (last === undefined) return;
    const passed = passedMs - last.passedMs;
    const jumpMs = Math.abs(wallMs - last.wallMs - passed);
    if (jumpMs <= UNEVEN_MS + passed / UNEVEN_PART) return;
    this.#unevenMs = passedMs;
    this.#wasSet = jumpMs >= SET_MS;
  }

  /** Whether a step may be taken now: to the system's clock, which must have settled, or to another one's time. */
  mayStep(passedMs: number, toSystem: boolean): boolean {
    this.#steps = this.#steps.filter((ms) => passedMs - ms < WINDOW_MS);
    const over = this.#steps.length - FREE_STEPS;
    const waitMs = over < 0 ? 0 : Math.min(SETTLED_AFTER_MS * 2 ** over, LONGEST_WAIT_MS);
    const settleMs = this.#wasSet ? waitMs : Math.max(waitMs, SETTLED_AFTER_MS);
    if (toSystem && passedMs - this.#unevenMs < settleMs) return false;
    return passedMs - (this.#steps.at(-1) ?? Number.NEGATIVE_INFINITY) >= waitMs;
  }

  stepped(passedMs: number): void {
    this.#steps.push(passedMs);
  }
}
