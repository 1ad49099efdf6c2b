import type { Message } from "../../attest/messages.ts";
import type { JournalBatch } from "../journal/journal-reader.ts";

export interface BatchWindowHost {
  /** The next batch behind `size` leaves that is signed, if there is one. */
  next(size: number): (JournalBatch & { readonly epoch: number }) | undefined;
  send(message: Message): void;
}

interface Sent {
  /** Leaves of the log with this batch. */
  readonly size: number;
  readonly bytes: number;
  readonly atMs: number;
}

const MOST_BATCHES = 4;
/** Behind the first batch, so that large leaves do not make the window long. */
const MOST_BYTES = 256 * 1024;
/** A receipt that takes longer is from a slow line or node, which gets one batch at a time. */
const QUICK_MS = 500;

/**
 * The batches that are out. Only a receipt says that one has arrived: what the system has taken may lie in its send buffer
 * for minutes when the line is slow, and a live value behind it. So the window opens from one batch to four as receipts
 * come quickly, and closes to one at the first that does not.
 */
export class BatchWindow {
  readonly #host: BatchWindowHost;
  #sentSize = 0;
  #out: Sent[] = [];
  #most = 1;

  constructor(host: BatchWindowHost) {
    this.#host = host;
  }

  get isEmpty(): boolean {
    return this.#out.length === 0;
  }

  /** A node has shown that it holds `size` leaves. */
  begin(size: number): void {
    this.#sentSize = size;
    this.#out = [];
    this.#most = 1;
  }

  /** Sends what there is and the window takes; true when nothing was out before and something is now. */
  fill(): boolean {
    const wasEmpty = this.isEmpty;
    while (this.#hasRoom()) {
      const batch = this.#host.next(this.#sentSize);
      if (batch === undefined) break;
      const { size, ...message } = batch;
      this.#host.send({ type: "batch", ...message });
      this.#sentSize = size;
      this.#out.push({ size, bytes: batch.leaves.length, atMs: performance.now() });
    }
    return wasEmpty && !this.isEmpty;
  }

  /** The node has everything below `size`. A receipt that comes twice opens the window once. */
  receipted(size: number): void {
    const arrived = this.#out.filter((sent) => sent.size <= size).at(-1);
    if (arrived === undefined) return;
    this.#out = this.#out.filter((sent) => sent.size > size);
    const quick = performance.now() - arrived.atMs <= QUICK_MS;
    this.#most = quick ? Math.min(this.#most + 1, MOST_BATCHES) : 1;
  }

  #hasRoom(): boolean {
    if (this.#out.length === 0) return true;
    const bytes = this.#out.reduce((sum, sent) => sum + sent.bytes, 0);
    return this.#out.length < this.#most && bytes < MOST_BYTES;
  }
}
