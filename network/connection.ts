import type { Socket } from "node:net";
import { type RawData, WebSocket } from "ws";
import { toHex } from "../attest/bytes.ts";
import { encodeMessage, type Message, refusal } from "../attest/messages.ts";
import { describeProblem, Problem } from "../attest/problem.ts";
import type { Logger } from "../runtime/log.ts";
import { sourceOf } from "./limits/address.ts";
import type { ByteBudget } from "./limits/byte-budget.ts";
import { MessageQueue } from "./message-queue.ts";
import { Session, type SessionContext } from "./session.ts";

/** Before a device has proven its key: the largest message, and all bytes together. */
const MAX_GREETING_BYTES = 4096;
const MAX_GREETING_TOTAL_BYTES = 4 * MAX_GREETING_BYTES;
/** What may wait to leave before the node says anything of its own accord. */
const MAX_UNSENT_BYTES = 65_536;

/** How long a connection waits for what, ms. */
export interface Timing {
  /** Until a device has proven its key. */
  readonly handshakeMs: number;
  /** Between pings; a peer that was silent for one whole pause is dead. */
  readonly pingMs: number;
  /** For the answer to a close. */
  readonly closeMs: number;
  /** For an answer to leave, before the peer counts as dead. */
  readonly sendMs: number;
  /** For the batch in hand when the node stops. */
  readonly stopMs: number;
}

export const DEFAULT_TIMING: Timing = {
  ...{ handshakeMs: 10_000, pingMs: 20_000, closeMs: 2000, sendMs: 30_000, stopMs: 5000 },
};

/** Close codes of RFC 6455, 7.4.1. */
const GOING_AWAY = 1001;
const POLICY = 1008;
const INTERNAL = 1011;

export interface ConnectionContext extends SessionContext {
  readonly logger: Logger;
  /** What all connections together hold unverified. */
  readonly unverified: ByteBudget;
  readonly timing: Timing;
  /** Called once, when a device has proven its key. */
  readonly authenticated: (connection: Connection, deviceKey: string) => void;
  readonly ended: (connection: Connection) => void;
}

/** One WebSocket: deadlines, sizes and order of messages. What is said is {@link Session}'s. */
export class Connection {
  readonly address: string;
  readonly #socket: WebSocket;
  readonly #context: ConnectionContext;
  readonly #session: Session;
  readonly #queue: MessageQueue;
  readonly #stopCounting: () => void;
  readonly #deadline: NodeJS.Timeout;
  readonly #pinger: NodeJS.Timeout;
  /** Aborted when nothing should wait any more. */
  readonly #hurry = new AbortController();
  #alive = true;
  #closing = false;

  constructor(socket: WebSocket, tcp: Socket, context: ConnectionContext) {
    this.address = tcp.remoteAddress ?? "unknown";
    this.#socket = socket;
    this.#context = context;
    this.#session = new Session(context, sourceOf(this.address));
    this.#queue = this.#openQueue();
    this.#stopCounting = countBytes(tcp, () => this.#tooMuch());
    this.#deadline = setTimeout(() => this.#late(), this.#context.timing.handshakeMs);
    this.#pinger = setInterval(() => this.#ping(), this.#context.timing.pingMs);
    this.#listen();
  }

  /** The device's key in hexadecimal, once it is proven. */
  get deviceKey(): string | undefined {
    const key = this.#session.device?.key;
    return key && toHex(key);
  }

  /** Refuses what the peer said or is, and closes. */
  refuse(thrown: unknown): void {
    if (this.#closing) return;
    const known = thrown instanceof Problem && thrown.code !== "store-write";
    this.#context.logger.problem("connection-refused", thrown, this.#fields());
    const { code, message } = known ? describeProblem(thrown) : UNAVAILABLE;
    this.#end(refusal(code, message), known ? POLICY : INTERNAL);
  }

  /**
   * Says something that the device did not ask for. False when it is not sent: the device is not there, does not read what
   * it was sent, or has many frames to show already.
   */
  send(message: Message): boolean {
    if (this.#closing || this.#session.device === undefined) return false;
    if (this.#socket.readyState !== WebSocket.OPEN || this.#socket.bufferedAmount > MAX_UNSENT_BYTES)
      return false;
    if (message.type === "frameRequest" && !this.#session.expectFrame(message.digest)) return false;
    if (message.type === "order") this.#session.expectRefusal(message.order);
    this.#socket.send(encodeMessage(message));
    return true;
  }

  /** Finishes the message in hand and closes because the node stops. */
  async stop(): Promise<void> {
    this.#hurry.abort();
    const deadline = setTimeout(() => this.#socket.terminate(), this.#context.timing.stopMs);
    await this.#queue.close();
    clearTimeout(deadline);
    this.#end(undefined, GOING_AWAY);
  }

  /** Resolves when the socket is closed. */
  closed(): Promise<void> {
    if (this.#socket.readyState === WebSocket.CLOSED) return Promise.resolve();
    return new Promise((resolve) => this.#socket.once("close", () => resolve()));
  }

  #openQueue(): MessageQueue {
    const handlers = {
      handle: (bytes: Uint8Array) => this.#handle(bytes),
      pause: () => this.#socket.pause(),
      resume: () => this.#resume(),
    };
    return new MessageQueue(handlers, this.#context.unverified);
  }

  #listen(): void {
    this.#socket.on("message", (data, isBinary) => this.#receive(data, isBinary));
    this.#socket.on("pong", () => {
      this.#alive = true;
    });
    this.#socket.on("error", (error) =>
      this.#context.logger.problem("connection-error", error, this.#fields()),
    );
    this.#socket.once("close", () => this.#ended());
  }

  #receive(data: RawData, isBinary: boolean): void {
    this.#alive = true;
    if (this.#closing) return;
    try {
      const bytes = this.#checked(data, isBinary);
      if (isLive(bytes)) this.#session.live(bytes);
      else this.#queue.push(bytes);
    } catch (thrown) {
      this.refuse(thrown);
    }
  }

  #checked(data: RawData, isBinary: boolean): Uint8Array {
    // The socket's binaryType is "nodebuffer", so that one message is one Buffer.
    if (!isBinary || !Buffer.isBuffer(data))
      throw new Problem("message-type", "messages are binary", { got: "text" });
    if (this.#session.device !== undefined || data.length <= MAX_GREETING_BYTES)
      return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    throw new Problem("message-size", "message is too large before the device has proven its key", {
      expected: `at most ${MAX_GREETING_BYTES} bytes`,
      got: String(data.length),
    });
  }

  async #handle(bytes: Uint8Array): Promise<void> {
    if (this.#closing) return;
    const wasKnown = this.#session.device !== undefined;
    try {
      const answer = await this.#session.answer(bytes, this.#hurry.signal);
      if (!wasKnown && this.deviceKey !== undefined) this.#welcome(this.deviceKey);
      if (answer !== undefined) await this.#reply(answer);
    } catch (thrown) {
      this.refuse(thrown);
    }
  }

  #welcome(deviceKey: string): void {
    clearTimeout(this.#deadline);
    this.#stopCounting();
    this.#context.logger.info("device-connected", this.#fields());
    this.#context.authenticated(this, deviceKey);
  }

  /** Waits until the answer has left, so that a peer that does not read is not read either. */
  #reply(message: Message): Promise<void> {
    if (this.#socket.readyState !== WebSocket.OPEN) return Promise.resolve();
    return new Promise((resolve) => {
      const deadline = setTimeout(() => this.#socket.terminate(), this.#context.timing.sendMs);
      this.#socket.send(encodeMessage(message), () => {
        clearTimeout(deadline);
        resolve();
      });
    });
  }

  #resume(): void {
    if (!this.#closing) this.#socket.resume();
  }

  #ping(): void {
    if (this.#socket.isPaused) return; // its pong could not be seen
    if (!this.#alive) {
      this.#context.logger.warn("connection-dead", this.#fields());
      this.#socket.terminate();
      return;
    }
    this.#alive = false;
    this.#socket.ping();
  }

  #late(): void {
    this.refuse(
      new Problem("handshake-timeout", "no device has proven its key in time", {
        expected: `within ${this.#context.timing.handshakeMs} ms`,
      }),
    );
  }

  #tooMuch(): void {
    this.refuse(
      new Problem("message-size", "too much was sent before the device has proven its key", {
        expected: `at most ${MAX_GREETING_TOTAL_BYTES} bytes`,
      }),
    );
    this.#socket.pause();
  }

  #end(last: Message | undefined, code: number): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#hurry.abort();
    // A peer that does not answer the close is not waited for, nor one that floods meanwhile.
    setTimeout(() => this.#socket.terminate(), this.#context.timing.closeMs).unref();
    if (last !== undefined) this.#socket.send(encodeMessage(last));
    this.#socket.close(code, last?.type === "refusal" ? last.code : "node stops");
    this.#socket.resume();
    void this.#queue.close();
  }

  #ended(): void {
    this.#closing = true;
    this.#hurry.abort();
    clearTimeout(this.#deadline);
    clearInterval(this.#pinger);
    this.#stopCounting();
    void this.#queue.close();
    this.#context.logger.info("connection-closed", this.#fields());
    this.#context.ended(this);
  }

  #fields(): Record<string, unknown> {
    return { address: this.address, ...(this.deviceKey === undefined ? {} : { device: this.deviceKey }) };
  }
}

/** Whether the bytes begin as a live value does: a map, whose key 0 says type 10. Those wait for nothing. */
function isLive(bytes: Uint8Array): boolean {
  return ((bytes[0] ?? 0) & 0xe0) === 0xa0 && bytes[1] === 0 && bytes[2] === 10;
}

/** What a device is told when the fault is the node's own; the node's log has the rest. */
const UNAVAILABLE = {
  code: "node-unavailable",
  message: "the node cannot store batches now; try again later",
};

/** Calls `exceeded` once when more bytes have come than a greeting needs; returns how to stop counting. */
function countBytes(tcp: Socket, exceeded: () => void): () => void {
  let total = 0;
  const count = (chunk: Buffer): void => {
    total += chunk.length;
    if (total <= MAX_GREETING_TOTAL_BYTES) return;
    tcp.off("data", count);
    exceeded();
  };
  tcp.on("data", count);
  return () => tcp.off("data", count);
}
