import type { LiveMessage } from "../../attest/messages.ts";

const PAUSE_MS = 1000;
/** A meter read once a second is not read to the millisecond; in the long run it is one a second all the same. */
const EARLY_MS = 100;

/** Which live values go out: at most one a second of each channel. */
export class LiveSender {
  readonly #nextMs = new Map<string, number>();

  /** Whether the value may be sent at `nowMs`, on a clock that is never set. */
  admits({ channel }: LiveMessage, nowMs: number): boolean {
    const dueMs = this.#nextMs.get(channel) ?? nowMs;
    if (nowMs < dueMs - EARLY_MS) return false;
    this.#nextMs.set(channel, Math.max(dueMs, nowMs) + PAUSE_MS);
    return true;
  }
}
