import { BackOff } from "./back-off.ts";
import { UnitCounters } from "./statistics.ts";
import { Trust } from "./trust.ts";

/** All that a reply on a serial line shows of its request. Two requests with one kind can be mistaken. */
export interface ReplyKind {
  readonly functionCode: number;
  /** Bytes of data, 0 where the device decides. */
  readonly byteCount: number;
}

/** What a bus remembers of one unit. */
export class UnitState {
  readonly backOff: BackOff = new BackOff();
  readonly counters: UnitCounters = new UnitCounters();
  readonly trust: Trust = new Trust();
  readonly #repliedAtMs = new Map<string, number>();

  /** A reply of that kind, or an exception in its place, came at `nowMs`. */
  replied({ functionCode, byteCount }: ReplyKind, exception: boolean, nowMs: number): void {
    this.#repliedAtMs.set(keyOf(functionCode, exception ? "exception" : byteCount), nowMs);
  }

  /**
   * The earliest time at which a request may be sent that expects a reply of that kind: a reply that is sent twice must
   * not find a request outstanding that it could be the answer to.
   */
  readyAtMs({ functionCode, byteCount }: ReplyKind, settleMs: number): number {
    const never = Number.NEGATIVE_INFINITY;
    const same = this.#repliedAtMs.get(keyOf(functionCode, byteCount)) ?? never;
    const exception = this.#repliedAtMs.get(keyOf(functionCode, "exception")) ?? never;
    return Math.max(same + settleMs, exception + settleMs, this.trust.restUntilMs);
  }
}

function keyOf(functionCode: number, bytes: number | "exception"): string {
  return `${functionCode}:${bytes}`;
}
