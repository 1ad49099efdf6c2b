import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket } from "ws";
import { toHex } from "../../attest/bytes.ts";
import {
  decodeMessage,
  encodeMessage,
  type LiveMessage,
  type Message,
  type WelcomeMessage,
} from "../../attest/messages.ts";
import { describeProblem, Problem } from "../../attest/problem.ts";
import { Backoff } from "../../runtime/limits.ts";
import type { Logger } from "../../runtime/log.ts";
import { connectProblem, nodeSilent, receiptLate } from "./connect-problem.ts";
import { Deadline } from "./deadline.ts";
import { dial } from "./dial.ts";
import type { FrameSource } from "./frame-answers.ts";
import type { UplinkHost } from "./host.ts";
import { type OrderTaker, ordersOfNobody } from "./orders.ts";
import { ReceiptBook } from "./receipt-book.ts";
import { Session, type SessionOptions } from "./session.ts";
import { Stream } from "./stream.ts";
import { UPLINK_TIMING, type UplinkTiming } from "./timing.ts";

export interface UplinkOptions {
  readonly url: string;
  /** File of the authorities that the node's certificate is held against; left out: the system's. */
  readonly ca?: string;
  readonly session: SessionOptions;
  readonly host: UplinkHost;
  readonly logger: Logger;
  /** Whether live values are sent; left out: none. */
  readonly live?: boolean;
  /** Raw frames that the node may ask for; left out: none, and each request is answered without one. */
  readonly frames?: FrameSource;
  /** Takes what the node orders; left out: each order is refused. */
  readonly orders?: OrderTaker;
  /** Other waits than those of the field, ms. */
  readonly timing?: Partial<UplinkTiming>;
  /** Uniform in [0, 1); spreads the waits between attempts. */
  readonly random?: () => number;
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

/** Another agent has taken the connection over: who fights for it at once opens epoch after epoch. */
const REPLACED = "node-refused:connection-replaced";

/** Streams the journal to one node: connects, proves itself, resumes, sends within a window, keeps receipts. */
export class Uplink {
  readonly #options: UplinkOptions;
  readonly #timing: UplinkTiming;
  readonly #random: () => number;
  readonly #backoff: Backoff;
  readonly #receipts: ReceiptBook;
  readonly #watchdog = new Deadline();
  readonly #receiptDeadline = new Deadline();
  #socket: WebSocket | undefined;
  #session: Session | undefined;
  #stream: Stream | undefined;
  #retry: NodeJS.Timeout | undefined;
  #pinger: NodeJS.Timeout | undefined;
  #queue: Promise<void> = Promise.resolve();
  #welcomedMs = 0;
  #problem: string | undefined;
  /** What was logged of it last, until the node does its work again. */
  #said: string | undefined;
  #replaced = false;
  #stopped = false;

  constructor(options: UplinkOptions) {
    this.#options = options;
    this.#timing = { ...UPLINK_TIMING, ...options.timing };
    this.#random = options.random ?? Math.random;
    const { firstWaitMs, mostWaitMs } = this.#timing;
    this.#backoff = new Backoff({ firstMs: firstWaitMs, mostMs: mostWaitMs, random: this.#random });
    this.#receipts = new ReceiptBook(options.host, options.session.nodeKey);
  }

  get status(): UplinkStatus {
    return {
      url: this.#options.url,
      nodeKey: toHex(this.#options.session.nodeKey),
      connected: this.#session?.welcomed === true,
      receiptedSize: this.#receipts.size,
      ...(this.#receipts.lastMs === undefined ? {} : { lastReceiptMs: this.#receipts.lastMs }),
      ...(this.#problem === undefined ? {} : { problem: this.#problem }),
    };
  }

  start(): void {
    this.#receipts.begin();
    this.#connect();
  }

  /** Sends what has been signed since; cheap when there is nothing or nobody. */
  kick(): void {
    this.#stream?.kick();
  }

  /** Sends a value at once, or not at all. */
  live(value: LiveMessage): void {
    this.#stream?.live(value);
  }

  /** Says something at once, or not at all where the node is not there. */
  tell(message: Message): void {
    if (this.#stream !== undefined) this.#send(message);
  }

  /** Drops the connection and begins anew, such as after a new epoch. */
  restart(): void {
    this.#receipts.beginEpoch();
    this.#socket?.terminate();
  }

  /** Waits up to `graceMs` for receipts of what was sent, then closes. */
  async stop(graceMs: number): Promise<void> {
    const end = performance.now() + graceMs;
    while (this.#stream?.waiting === true && performance.now() < end) await sleep(20);
    this.#stopped = true;
    clearTimeout(this.#retry);
    this.#socket?.close(1001);
    await this.#queue;
    this.#socket?.terminate();
    this.#endConnection();
  }

  #connect(): void {
    if (this.#stopped) return;
    const { url, ca, session } = this.#options;
    const { handshakeMs } = this.#timing;
    try {
      const socket = dial({ url, handshakeMs, ...(ca === undefined ? {} : { ca }) });
      this.#socket = socket;
      this.#session = new Session(session);
      this.#watch(handshakeMs);
      this.#listen(socket, this.#session);
    } catch (cause) {
      this.#fail(cause);
      this.#again();
    }
  }

  #listen(socket: WebSocket, session: Session): void {
    socket.on("open", () => this.#send(session.first()));
    socket.on("ping", () => this.#alive());
    socket.on("pong", () => this.#alive());
    socket.on("message", (data: Buffer, isBinary) => this.#enqueue(socket, data, isBinary));
    socket.on("error", (cause) => this.#fail(connectProblem(this.#options.url, cause)));
    socket.on("close", (code, reason) => this.#closed(socket, code, reason.toString()));
  }

  /** One message after the other: the handshake signs asynchronously. */
  #enqueue(socket: WebSocket, data: Buffer, isBinary: boolean): void {
    this.#alive();
    this.#queue = this.#queue.then(async () => {
      if (socket !== this.#socket || this.#stopped) return;
      try {
        if (!isBinary) throw new Problem("message-type", "messages are binary", { got: "text" });
        await this.#take(decodeMessage(new Uint8Array(data)));
      } catch (cause) {
        this.#fail(cause);
        // Nothing more is taken from this connection, however long its other end takes to close it.
        this.#endStream();
        this.#session = undefined;
        socket.close(1008, describeProblem(cause).code.slice(0, MOST_REASON_BYTES));
      }
    });
  }

  async #take(message: Message): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    if (message.type === "refusal") throw session.refused(message);
    if (this.#stream !== undefined) {
      // A welcome alone is no success: a node that refuses every batch must not be asked twice a second.
      if (this.#stream.take(message)) this.#works();
      return;
    }
    const step = await session.take(message);
    if ("reply" in step) {
      this.#send(step.reply);
      return;
    }
    const { host, session: terms } = this.#options;
    if (step.enrolled !== undefined) host.enrolled?.(terms.nodeKey, step.enrolled);
    this.#welcome(step.welcome);
  }

  #welcome(welcome: WelcomeMessage): void {
    const { host, session, logger, url } = this.#options;
    const size = host.welcomed(session.nodeKey, welcome);
    this.#welcomedMs = performance.now();
    this.#problem = undefined;
    logger.info("node-connected", { url, size });
    const stream = this.#openStream();
    this.#stream = stream;
    this.#alive();
    this.#pinger = setInterval(() => this.#ping(), this.#timing.pingMs);
    stream.begin(size, welcome);
  }

  #openStream(): Stream {
    const { host, live = false, frames = noFrames } = this.#options;
    const socket = this.#socket;
    const send = (message: Message): void => this.#send(message);
    const { orders = ordersOfNobody(send) } = this.#options;
    return new Stream({
      ...{ host, live, frames, orders, receipts: this.#receipts, auditMs: this.#timing.auditMs, send },
      bufferedBytes: () => socket?.bufferedAmount ?? 0,
      waits: (forReceipt) => this.#awaitReceipt(forReceipt),
    });
  }

  #ping(): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.ping();
  }

  #send(message: Message): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(encodeMessage(message));
  }

  #fail(cause: unknown): void {
    if (this.#stopped) return;
    const problem = cause instanceof Error ? cause : new Error(String(cause));
    this.#replaced ||= problem instanceof Problem && problem.code === REPLACED;
    // One line when the reason changes, not one per attempt.
    if (problem.message !== this.#said)
      this.#options.logger.problem("node-problem", problem, { url: this.#options.url });
    this.#problem = problem.message;
    this.#said = problem.message;
  }

  #works(): void {
    this.#backoff.reset();
    this.#said = undefined;
  }

  /** Before the welcome only the handshake's own deadline counts: a node that just pings is of no use. */
  #alive(): void {
    if (this.#stream !== undefined) this.#watch(this.#timing.silenceMs);
  }

  #watch(ms: number): void {
    this.#watchdog.set(
      ms,
      this.#giveUp(() => nodeSilent(this.#options.url, ms)),
    );
  }

  #awaitReceipt(out: boolean): void {
    const { receiptMs } = this.#timing;
    if (out)
      this.#receiptDeadline.set(
        receiptMs,
        this.#giveUp(() => receiptLate(this.#options.url, receiptMs)),
      );
    else this.#receiptDeadline.clear();
  }

  /** What ends the present connection with that problem. */
  #giveUp(problem: () => Problem): () => void {
    const socket = this.#socket;
    return () => {
      this.#fail(problem());
      socket?.terminate();
    };
  }

  #endStream(): void {
    this.#receiptDeadline.clear();
    clearInterval(this.#pinger);
    this.#stream?.stop();
    this.#stream = undefined;
  }

  #endConnection(): void {
    this.#watchdog.clear();
    this.#endStream();
  }

  #closed(socket: WebSocket, code: number, reason: string): void {
    if (socket !== this.#socket) return;
    const wasServed = this.#session?.welcomed === true;
    this.#endConnection();
    if (wasServed && !this.#stopped) {
      this.#options.logger.warn("node-disconnected", { url: this.#options.url, code, reason });
      if (performance.now() - this.#welcomedMs > this.#timing.silenceMs) this.#works();
    }
    this.#session = undefined;
    this.#socket = undefined;
    this.#again();
  }

  #again(): void {
    if (this.#stopped) return;
    this.#retry = setTimeout(() => this.#connect(), this.#waitMs());
  }

  #waitMs(): number {
    const { mostWaitMs } = this.#timing;
    if (!this.#replaced) return this.#backoff.next();
    this.#replaced = false;
    return (mostWaitMs * (1 + this.#random())) / 2;
  }
}

/** RFC 6455, 5.5: a control frame holds 125 bytes, two of them the code. */
const MOST_REASON_BYTES = 123;

function noFrames(): Promise<undefined> {
  return Promise.resolve(undefined);
}
