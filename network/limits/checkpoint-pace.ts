import { CHECKPOINT_FIELDS } from "../../attest/checkpoint.ts";
import { parseObject } from "../../attest/cose.ts";
import type { BatchMessage } from "../../attest/messages.ts";
import { Problem } from "../../attest/problem.ts";
import { RateLimit } from "./rate-limit.ts";

/** Issued within this time, a checkpoint is the log growing now; before it, a backlog on its way. */
const LIVE_MS = 300_000;
/** A batch of so many bytes, some 200 readings, is no checkpoint for its own sake, whenever it was signed. */
const BULK_BYTES = 16_384;
const MINUTE_MS = 60_000;
/** Devices whose pace is remembered. */
const KEPT_KEYS = 16_384;

/**
 * One new checkpoint a second for each key on average. A device that keeps to it may be away for as long as checkpoints
 * count as live, and then deliver all of them at once. What is above waits for its time and is not refused: the device sends
 * no more than its window without a receipt. A backlog never waits, for it must drain at the node's own speed.
 */
export class CheckpointPace {
  readonly #rate: RateLimit;
  readonly #nowMs: () => number;

  /**
   * @param perMinute new checkpoints of one key
   * @param clocks `nowMs` since 1970 UTC, and one that never steps
   */
  constructor(
    perMinute: number,
    clocks: { readonly nowMs: () => number; readonly monotonicMs: () => number },
  ) {
    const periodMs = MINUTE_MS / perMinute;
    const burst = Math.max(1, Math.floor(LIVE_MS / periodMs));
    this.#rate = new RateLimit({ periodMs, burst, names: KEPT_KEYS, nowMs: clocks.monotonicMs });
    this.#nowMs = clocks.nowMs;
  }

  /** How long this batch has to wait, ms. Nothing of it is believed for that. */
  waitMs(deviceKey: string, batch: BatchMessage): number {
    // The common case first: only who is fast has his checkpoint looked at.
    if (this.#rate.take(deviceKey)) return 0;
    return this.#isBacklog(batch) ? 0 : this.#rate.takeLate(deviceKey);
  }

  #isBacklog({ leaves, checkpoint }: BatchMessage): boolean {
    return leaves.length >= BULK_BYTES || issuedAtMs(checkpoint) < this.#nowMs() - LIVE_MS;
  }
}

/** What the checkpoint says, before anything is verified; now where it cannot be read, which verifying will find. */
function issuedAtMs(checkpoint: Uint8Array): number {
  try {
    const issued = parseObject(checkpoint).payload.get(CHECKPOINT_FIELDS.issuedAtMs.key);
    return typeof issued === "number" ? issued : Number.POSITIVE_INFINITY;
  } catch (thrown) {
    if (thrown instanceof Problem) return Number.POSITIVE_INFINITY;
    throw thrown;
  }
}
