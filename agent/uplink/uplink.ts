import { WebSocket } from "ws";
import { toHex } from "../../attest/bytes.ts";
import { STREAM_SUBPROTOCOL } from "../../attest/hello.ts";
import type { LogIdentity } from "../../attest/identity.ts";
import {
  decodeMessage,
  encodeMessage,
  MAX_MESSAGE_BYTES,
  type Message,
  type WelcomeMessage,
} from "../../attest/messages.ts";
import { nativeSuite } from "../../attest/native.ts";
import { Problem } from "../../attest/problem.ts";
import { openReceipt, type Receipt } from "../../attest/receipt.ts";
import { Backoff } from "../../runtime/limits.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Journal } from "../journal/journal.ts";
import { connectProblem, nodeSilent, receiptLate } from "./connect-problem.ts";
import { requireOurs } from "./own-receipt.ts";
import { refusedBy, Session, type SessionOptions } from "./session.ts";

/** What the uplink asks of the agent. */
export interface UplinkHost {
  /** The log that is streamed now; another object after a new epoch. */
  log(): { readonly journal: Journal; readonly identity: LogIdentity };
  /** The node has shown what it holds. Returns the size to go on from; throws when this epoch is not to be sent. */
  welcomed(nodeKey: Uint8Array, welcome: WelcomeMessage): number;
  /** A receipt was verified against the local log. */
  receipted(nodeKey: Uint8Array, receipt: Receipt, bytes: Uint8Array): void;
}

export interface UplinkOptions {
  readonly url: string;
  readonly session: SessionOptions;
  readonly host: UplinkHost;
  readonly logger: Logger;
  /** Other waits than those of the field, ms. */
  readonly timing?: Partial<UplinkTiming>;
  /** Uniform in [0, 1); spreads the waits between attempts. */
  readonly random?: () => number;
}

/** How long an uplink waits for what, ms. */
export interface UplinkTiming {
  /** From connecting to the welcome. */
  readonly handshakeMs: number;
  /** Without any sign of life. */
  readonly silenceMs: number;
  /** For the next receipt while batches are out. */
  readonly receiptMs: number;
  readonly firstWaitMs: number;
  readonly mostWaitMs: number;
}

/** How one node stands, for people and for tests. */
export interface UplinkStatus {
  readonly url: string;
  readonly nodeKey: string;
  readonly connected: boolean;
  readonly receiptedSize: number;
  readonly lastReceiptMs?: number;
  readonly problem?: string;
}

const WINDOW_BATCHES = 4;
const BATCH_LEAVES = 1024;
const TIMING: UplinkTiming = {
  handshakeMs: 15_000,
  // The node pings every 20 s; a line silent for three of them is dead.
  silenceMs: 65_000,
  receiptMs: 120_000,
  firstWaitMs: 500,
  mostWaitMs: 300_000,
};

/** Streams the journal to one node: connects, proves itself, resumes, sends within a window, keeps receipts. */
export class Uplink {
  readonly #options: UplinkOptions;
  readonly #timing: UplinkTiming;
  readonly #backoff: Backoff;
  #socket: WebSocket | undefined;
  #session: Session | undefined;
  #retry: NodeJS.Timeout | undefined;
  #watchdog: NodeJS.Timeout | undefined;
  #receiptDeadline: NodeJS.Timeout | undefined;
  #queue: Promise<void> = Promise.resolve();
  #welcomedMs = 0;
  #sentSize = 0;
  /** Sizes of the batches that are out, in order. */
  #unreceipted: number[] = [];
  #receiptedSize = 0;
  #lastReceiptMs: number | undefined;
  #problem: string | undefined;
  #stopped = false;

  constructor(options: UplinkOptions) {
    this.#options = options;
    this.#timing = { ...TIMING, ...options.timing };
    const { firstWaitMs, mostWaitMs } = this.#timing;
    const { random = Math.random } = options;
    this.#backoff = new Backoff({ firstMs: firstWaitMs, mostMs: mostWaitMs, random });
  }

  get status(): UplinkStatus {
    return {
      url: this.#options.url,
      nodeKey: toHex(this.#options.session.nodeKey),
      connected: this.#session?.welcomed === true,
      receiptedSize: this.#receiptedSize,
      ...(this.#lastReceiptMs === undefined ? {} : { lastReceiptMs: this.#lastReceiptMs }),
      ...(this.#problem === undefined ? {} : { problem: this.#problem }),
    };
  }

  start(): void {
    const { journal, identity } = this.#options.host.log();
    this.#receiptedSize = journal.receiptedSize(identity.epoch, this.#options.session.nodeKey);
    this.#connect();
  }

  /** Sends what has been signed since; cheap when there is nothing or nobody. */
  kick(): void {
    if (this.#session?.welcomed !== true) return;
    const { journal, identity } = this.#options.host.log();
    while (this.#unreceipted.length < WINDOW_BATCHES) {
      const batch = journal.batchAfter(identity.epoch, this.#sentSize, BATCH_LEAVES);
      if (batch === undefined) return;
      const { firstSeq, leaves, checkpoint } = batch;
      this.#send({ type: "batch", epoch: identity.epoch, firstSeq, leaves, checkpoint });
      this.#sentSize = batch.size;
      this.#unreceipted.push(batch.size);
      if (this.#unreceipted.length === 1) this.#awaitReceipt();
    }
  }

  /** Drops the connection and begins anew, such as after a new epoch. */
  restart(): void {
    this.#receiptedSize = 0;
    this.#socket?.terminate();
  }

  /** Waits up to `graceMs` for receipts of what was sent, then closes. */
  async stop(graceMs: number): Promise<void> {
    const end = performance.now() + graceMs;
    while (this.#unreceipted.length > 0 && this.#session?.welcomed === true && performance.now() < end)
      await sleep(20);
    this.#stopped = true;
    clearTimeout(this.#retry);
    this.#socket?.close(1001);
    await this.#queue;
    this.#socket?.terminate();
    this.#clearDeadlines();
  }

  #connect(): void {
    if (this.#stopped) return;
    const session = new Session(this.#options.session);
    const socket = new WebSocket(this.#options.url, STREAM_SUBPROTOCOL, {
      perMessageDeflate: false,
      maxPayload: MAX_MESSAGE_BYTES,
      handshakeTimeout: this.#timing.handshakeMs,
    });
    this.#socket = socket;
    this.#session = session;
    this.#watch(this.#timing.handshakeMs);
    socket.on("open", () => this.#send(session.first()));
    socket.on("ping", () => this.#alive());
    socket.on("message", (data: Buffer) => this.#enqueue(socket, new Uint8Array(data)));
    socket.on("error", (cause) => this.#fail(connectProblem(this.#options.url, cause)));
    socket.on("close", (code, reason) => this.#closed(socket, code, reason.toString()));
  }

  /** One message after the other: the handshake signs asynchronously. */
  #enqueue(socket: WebSocket, bytes: Uint8Array): void {
    this.#alive();
    this.#queue = this.#queue.then(async () => {
      if (socket !== this.#socket || this.#stopped) return;
      try {
        await this.#take(decodeMessage(bytes));
      } catch (cause) {
        this.#fail(cause);
        // Nothing more is taken from this connection, however long its other end takes to close it.
        this.#session = undefined;
        socket.close(1008);
      }
    });
  }

  async #take(message: Message): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    if (session.welcomed) {
      if (message.type === "receipt") this.#takeReceipt(message.receipt);
      else if (message.type === "refusal") throw refusedBy(message.code, message.message);
      else throw new Problem("handshake-order", "the node sent a message out of turn", { got: message.type });
      return;
    }
    const step = await session.take(message);
    if ("reply" in step) this.#send(step.reply);
    else this.#welcome(step.welcome);
  }

  #welcome(welcome: WelcomeMessage): void {
    this.#unreceipted = [];
    this.#sentSize = this.#options.host.welcomed(this.#options.session.nodeKey, welcome);
    this.#welcomedMs = performance.now();
    this.#alive();
    this.#problem = undefined;
    this.#options.logger.info("node-connected", { url: this.#options.url, size: this.#sentSize });
    if (welcome.receipt !== undefined && this.#sentSize > 0) this.#keepReceipt(welcome.receipt);
    this.kick();
  }

  #takeReceipt(bytes: Uint8Array): void {
    const { size, fresh } = this.#keepReceipt(bytes);
    // A receipt that comes twice opens the window once.
    this.#unreceipted = this.#unreceipted.filter((sent) => sent > size);
    this.#awaitReceipt();
    // A welcome alone is no success: a node that refuses every batch must not be asked twice a second.
    if (fresh) this.#backoff.reset();
    this.kick();
  }

  #keepReceipt(bytes: Uint8Array): { readonly size: number; readonly fresh: boolean } {
    const { nodeKey } = this.#options.session;
    const { journal, identity } = this.#options.host.log();
    const receipt = openReceipt(nativeSuite, bytes, nodeKey);
    requireOurs(receipt, journal, identity);
    const fresh = receipt.size > this.#receiptedSize;
    this.#receiptedSize = Math.max(this.#receiptedSize, receipt.size);
    this.#lastReceiptMs = performance.timeOrigin + performance.now();
    this.#options.host.receipted(nodeKey, receipt, bytes);
    return { size: receipt.size, fresh };
  }

  #send(message: Message): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(encodeMessage(message));
  }

  #fail(cause: unknown): void {
    if (this.#stopped) return;
    const problem = cause instanceof Error ? cause : new Error(String(cause));
    // One line when the reason changes, not one per attempt.
    if (problem.message !== this.#problem)
      this.#options.logger.problem("node-problem", problem, { url: this.#options.url });
    this.#problem = problem.message;
  }

  /** Before the welcome only the handshake's own deadline counts: a node that just pings is of no use. */
  #alive(): void {
    if (this.#session?.welcomed === true) this.#watch(this.#timing.silenceMs);
  }

  #watch(ms: number): void {
    clearTimeout(this.#watchdog);
    this.#watchdog = this.#deadline(ms, () => nodeSilent(this.#options.url, ms));
  }

  #awaitReceipt(): void {
    const { receiptMs } = this.#timing;
    clearTimeout(this.#receiptDeadline);
    if (this.#unreceipted.length === 0) return;
    this.#receiptDeadline = this.#deadline(receiptMs, () => receiptLate(this.#options.url, receiptMs));
  }

  #deadline(ms: number, problem: () => Problem): NodeJS.Timeout {
    const socket = this.#socket;
    return setTimeout(() => {
      this.#fail(problem());
      socket?.terminate();
    }, ms);
  }

  #clearDeadlines(): void {
    clearTimeout(this.#watchdog);
    clearTimeout(this.#receiptDeadline);
  }

  #closed(socket: WebSocket, code: number, reason: string): void {
    if (socket !== this.#socket) return;
    this.#clearDeadlines();
    if (this.#session?.welcomed === true && !this.#stopped) {
      this.#options.logger.warn("node-disconnected", { url: this.#options.url, code, reason });
      if (performance.now() - this.#welcomedMs > this.#timing.silenceMs) this.#backoff.reset();
    }
    this.#session = undefined;
    this.#socket = undefined;
    if (!this.#stopped) this.#retry = setTimeout(() => this.#connect(), this.#backoff.next());
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
