import { WebSocket } from "ws";
import { equalBytes, toHex } from "../../attest/bytes.ts";
import { openCheckpoint } from "../../attest/checkpoint.ts";
import { STREAM_SUBPROTOCOL } from "../../attest/hello.ts";
import { type LogIdentity, logIdOf } from "../../attest/identity.ts";
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
import { connectProblem } from "./connect-problem.ts";
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
const FIRST_WAIT_MS = 500;
const MOST_WAIT_MS = 300_000;
const HANDSHAKE_MS = 15_000;
/** The node pings every 20 s; a line silent for three of them is dead. */
const SILENCE_MS = 65_000;

/** Streams the journal to one node: connects, proves itself, resumes, sends within a window, keeps receipts. */
export class Uplink {
  readonly #options: UplinkOptions;
  readonly #backoff = new Backoff({ firstMs: FIRST_WAIT_MS, mostMs: MOST_WAIT_MS });
  #socket: WebSocket | undefined;
  #session: Session | undefined;
  #retry: NodeJS.Timeout | undefined;
  #watchdog: NodeJS.Timeout | undefined;
  #queue: Promise<void> = Promise.resolve();
  #sentSize = 0;
  #unreceipted = 0;
  #receiptedSize = 0;
  #lastReceiptMs: number | undefined;
  #problem: string | undefined;
  #stopped = false;

  constructor(options: UplinkOptions) {
    this.#options = options;
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
    while (this.#unreceipted < WINDOW_BATCHES) {
      const batch = journal.batchAfter(identity.epoch, this.#sentSize, BATCH_LEAVES);
      if (batch === undefined) return;
      const { firstSeq, leaves, checkpoint } = batch;
      this.#send({ type: "batch", epoch: identity.epoch, firstSeq, leaves, checkpoint });
      this.#sentSize = batch.size;
      this.#unreceipted += 1;
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
    while (this.#unreceipted > 0 && this.#session?.welcomed === true && performance.now() < end)
      await sleep(20);
    this.#stopped = true;
    clearTimeout(this.#retry);
    clearTimeout(this.#watchdog);
    this.#socket?.close(1001);
    await this.#queue;
    this.#socket?.terminate();
  }

  #connect(): void {
    if (this.#stopped) return;
    const session = new Session(this.#options.session);
    const socket = new WebSocket(this.#options.url, STREAM_SUBPROTOCOL, {
      perMessageDeflate: false,
      maxPayload: MAX_MESSAGE_BYTES,
      handshakeTimeout: HANDSHAKE_MS,
    });
    this.#socket = socket;
    this.#session = session;
    this.#watch(HANDSHAKE_MS);
    socket.on("open", () => this.#send(session.first()));
    socket.on("ping", () => this.#watch(SILENCE_MS));
    socket.on("message", (data: Buffer) => this.#enqueue(socket, new Uint8Array(data)));
    socket.on("error", (cause) => this.#fail(connectProblem(this.#options.url, cause)));
    socket.on("close", (code, reason) => this.#closed(socket, code, reason.toString()));
  }

  /** One message after the other: the handshake signs asynchronously. */
  #enqueue(socket: WebSocket, bytes: Uint8Array): void {
    this.#watch(SILENCE_MS);
    this.#queue = this.#queue.then(async () => {
      if (socket !== this.#socket || this.#stopped) return;
      try {
        await this.#take(decodeMessage(bytes));
      } catch (cause) {
        this.#fail(cause);
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
    this.#sentSize = this.#options.host.welcomed(this.#options.session.nodeKey, welcome);
    this.#unreceipted = 0;
    this.#problem = undefined;
    this.#options.logger.info("node-connected", { url: this.#options.url, size: this.#sentSize });
    if (welcome.receipt !== undefined && this.#sentSize > 0) this.#takeReceipt(welcome.receipt);
    this.#unreceipted = 0;
    this.#backoff.reset();
    this.kick();
  }

  #takeReceipt(bytes: Uint8Array): void {
    const { nodeKey } = this.#options.session;
    const { journal, identity } = this.#options.host.log();
    const receipt = openReceipt(nativeSuite, bytes, nodeKey);
    requireOurs(receipt, journal, identity);
    this.#unreceipted = Math.max(0, this.#unreceipted - 1);
    this.#receiptedSize = Math.max(this.#receiptedSize, receipt.size);
    this.#lastReceiptMs = performance.timeOrigin + performance.now();
    this.#options.host.receipted(nodeKey, receipt, bytes);
    this.kick();
  }

  #send(message: Message): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(encodeMessage(message));
  }

  #fail(cause: unknown): void {
    const problem = cause instanceof Error ? cause : new Error(String(cause));
    // One line when the reason changes, not one per attempt.
    if (problem.message !== this.#problem)
      this.#options.logger.problem("node-problem", problem, { url: this.#options.url });
    this.#problem = problem.message;
  }

  #watch(ms: number): void {
    clearTimeout(this.#watchdog);
    const socket = this.#socket;
    this.#watchdog = setTimeout(() => {
      this.#fail(
        new Problem("node-silent", "the node is silent", {
          where: this.#options.url,
          expected: `a sign of life within ${ms} ms`,
        }),
      );
      socket?.terminate();
    }, ms);
  }

  #closed(socket: WebSocket, code: number, reason: string): void {
    if (socket !== this.#socket) return;
    clearTimeout(this.#watchdog);
    if (this.#session?.welcomed === true && !this.#stopped) {
      this.#options.logger.warn("node-disconnected", { url: this.#options.url, code, reason });
    }
    this.#session = undefined;
    this.#socket = undefined;
    if (!this.#stopped) this.#retry = setTimeout(() => this.#connect(), this.#backoff.next());
  }
}

/** A receipt counts only over a checkpoint of ours with that very root. */
function requireOurs(receipt: Receipt, journal: Journal, identity: LogIdentity): void {
  const logId = logIdOf(nativeSuite, identity);
  const own = journal.checkpointAt(identity.epoch, receipt.size);
  if (!equalBytes(receipt.logId, logId) || own === undefined) {
    throw new Problem(
      "receipt-foreign",
      "the node sent a receipt over something this device has not signed",
      { got: `size ${receipt.size}` },
    );
  }
  const checkpoint = openCheckpoint(nativeSuite, own, { deviceKey: identity.deviceKey, logId });
  if (equalBytes(checkpoint.root, receipt.root)) return;
  throw new Problem("receipt-foreign", "the node's receipt is over another root than the one signed here", {
    where: `size ${receipt.size}`,
  });
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
