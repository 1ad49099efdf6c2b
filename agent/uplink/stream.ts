import type { LiveMessage, Message, WelcomeMessage } from "../../attest/messages.ts";
import { Problem } from "../../attest/problem.ts";
import { BatchWindow, type BatchWindowHost } from "./batch-window.ts";
import { FrameAnswers, type FrameSource } from "./frame-answers.ts";
import type { UplinkHost } from "./host.ts";
import { LiveSender } from "./live-sender.ts";
import type { OrderTaker } from "./orders.ts";
import type { ReceiptBook } from "./receipt-book.ts";

export interface StreamOptions {
  readonly host: UplinkHost;
  readonly receipts: ReceiptBook;
  readonly send: (message: Message) => void;
  /** Bytes handed to the socket that the system has not taken. */
  readonly bufferedBytes: () => number;
  /** Whether live values are sent. */
  readonly live: boolean;
  readonly frames: FrameSource;
  readonly orders: OrderTaker;
  /** Between two answers to requests for frames, ms. */
  readonly auditMs: number;
  /** A batch went out, or a receipt came in; false: nothing is out any more. */
  readonly waits: (forReceipt: boolean) => void;
}

const BATCH_LEAVES = 1024;
/** More than a batch that has just been sent: a live value behind it leaves within its time, and none is queued behind more. */
const MOST_BUFFERED_BYTES = 128 * 1024;

/** One connection after the welcome: batches, receipts, live values, and frames that the node asks for. */
export class Stream {
  readonly #options: StreamOptions;
  readonly #window: BatchWindow;
  readonly #live = new LiveSender();
  readonly #frames: FrameAnswers;

  constructor(options: StreamOptions) {
    const { host, send, frames, auditMs } = options;
    this.#options = options;
    this.#window = new BatchWindow({ next: (size) => nextBatch(host, size), send });
    this.#frames = new FrameAnswers({ find: frames, send, pauseMs: auditMs });
  }

  /** Batches are out that have no receipt. */
  get waiting(): boolean {
    return !this.#window.isEmpty;
  }

  /** Goes on from `size` leaves. Throws what {@link ReceiptBook.keep} throws. */
  begin(size: number, { receipt }: WelcomeMessage): void {
    this.#window.begin(size);
    if (receipt !== undefined && size > 0) this.#options.receipts.keep(receipt);
    this.kick();
  }

  /** Sends what has been signed since, as far as the window takes it. */
  kick(): void {
    if (this.#window.fill()) this.#options.waits(true);
  }

  /** Sends a value at once, or not at all: too soon after the last one, or on a line that is backed up. */
  live(value: LiveMessage): void {
    const { live, bufferedBytes, send } = this.#options;
    if (!live || bufferedBytes() > MOST_BUFFERED_BYTES) return;
    if (this.#live.admits(value, performance.now())) send(value);
  }

  /** True for a receipt over more than there was. Throws `handshake-order`, and as {@link begin}. */
  take(message: Message): boolean {
    if (message.type === "frameRequest") {
      this.#frames.ask(message.digest);
      return false;
    }
    if (message.type === "receipt") return this.#takeReceipt(message.receipt);
    if (message.type === "order") {
      // Each may be answered: a node that does not read the answers is not listened to. It orders again.
      if (this.#options.bufferedBytes() <= MOST_BUFFERED_BYTES) this.#options.orders.order(message.order);
      return false;
    }
    if (message.type === "dispatchList") {
      this.#options.orders.list(message.list);
      return false;
    }
    throw new Problem("handshake-order", "the node sent a message out of turn", { got: message.type });
  }

  stop(): void {
    this.#frames.stop();
  }

  #takeReceipt(bytes: Uint8Array): boolean {
    const { size, fresh } = this.#options.receipts.keep(bytes);
    this.#window.receipted(size);
    this.#options.waits(this.waiting);
    this.kick();
    return fresh;
  }
}

function nextBatch({ log }: UplinkHost, size: number): ReturnType<BatchWindowHost["next"]> {
  const { journal, identity } = log();
  const batch = journal.batchAfter(identity.epoch, size, BATCH_LEAVES);
  return batch && { ...batch, epoch: identity.epoch };
}
