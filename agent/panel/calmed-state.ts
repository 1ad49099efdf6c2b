import type { SealedTamperState, TamperState } from "../../firmware-bridge/tamper/tamper.ts";

/** How long something better has to last, once it did not last {@link MOST_CALM_MS}; then twice as long each time. */
export const FIRST_CALM_MS = 20_000;
/** The longest of these waits; and whoever was calm for so long begins anew. */
export const MOST_CALM_MS = 3_600_000;

/**
 * Decides what of an enclosure's states is sealed, so that a contact that rattles for weeks, or a line that is lost
 * again and again, does not fill the log. What is worse is said at once: that it was opened, and that nobody watches.
 * What is better is said when it has lasted: until then the enclosure is as bad as it was said to be, so that nothing can
 * hide behind the wait. It has no timer: whoever has one asks {@link settle}. Times in ms of one clock that is never set.
 */
export class CalmedState {
  #sealed: SealedTamperState | undefined;
  /** What was sealed last of what somebody saw. */
  #seen: TamperState | undefined;
  #now: SealedTamperState | undefined;
  #sinceMs = 0;
  #calmMs = 0;
  /** When something better was sealed last, until something worse is. */
  #betterMs: number | undefined;

  /** What was said last. */
  get sealed(): SealedTamperState | undefined {
    return this.#sealed;
  }

  /** What it is, whether that has been said or not. */
  get now(): SealedTamperState | undefined {
    return this.#now;
  }

  /** Since when it is what it is now. */
  get sinceMs(): number {
    return this.#sinceMs;
  }

  /** When {@link settle} has something to say, if it stays as it is. */
  get dueMs(): number | undefined {
    return this.#now === this.#sealed ? undefined : this.#sinceMs + this.#calmMs;
  }

  /** It is that now; the state that is to be sealed, if one is. */
  push(state: SealedTamperState, nowMs: number): SealedTamperState | undefined {
    if (state !== this.#now) this.#sinceMs = nowMs;
    this.#now = state;
    if (!this.#isWorse(state)) return this.settle(nowMs);
    this.#beCalm(nowMs);
    return this.#seal(state);
  }

  /** What has lasted long enough by that time, once. */
  settle(nowMs: number): SealedTamperState | undefined {
    const { dueMs } = this;
    if (dueMs === undefined || this.#now === undefined || nowMs < dueMs) return undefined;
    this.#betterMs = this.#sealed === undefined ? undefined : nowMs;
    return this.#seal(this.#now);
  }

  #isWorse(state: SealedTamperState): boolean {
    if (this.#sealed === undefined || state === this.#sealed) return false;
    return state === "unwatched" || (state === "opened" && this.#seen !== "opened");
  }

  #beCalm(nowMs: number): void {
    if (this.#betterMs === undefined) return;
    const lastedMs = nowMs - this.#betterMs;
    this.#calmMs =
      lastedMs >= MOST_CALM_MS ? 0 : Math.min(MOST_CALM_MS, Math.max(FIRST_CALM_MS, 2 * this.#calmMs));
    this.#betterMs = undefined;
  }

  #seal(state: SealedTamperState): SealedTamperState {
    this.#sealed = state;
    if (state !== "unwatched") this.#seen = state;
    return state;
  }
}
