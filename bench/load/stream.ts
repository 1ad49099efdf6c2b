import { once } from "node:events";
import { WebSocket } from "ws";
import { refusedBy, Session, type SessionOptions } from "../../agent/uplink/session.ts";
import { STREAM_SUBPROTOCOL } from "../../attest/hello.ts";
import { decodeMessage, encodeMessage, MAX_MESSAGE_BYTES, type Message } from "../../attest/messages.ts";

/** Batches that may be without a receipt (docs/stream-protocol.md, "Limits"). */
const WINDOW = 4;

/** What is being sent: the messages, how many of them are out and answered, and whom to tell. */
interface Sending {
  readonly messages: readonly Uint8Array[];
  readonly receipts: Uint8Array[];
  readonly done: (receipts: readonly Uint8Array[]) => void;
  readonly failed: (cause: Error) => void;
  sent: number;
}

/** The device's side of one connection: proves the key as the agent does, then sends what was prepared, at most 4 ahead. */
export class LoadStream {
  readonly #socket: WebSocket;
  #sending: Sending | undefined;
  #failure: Error | undefined;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data: Buffer) => this.#take(decodeMessage(new Uint8Array(data))));
    socket.on("close", (code) => this.#fail(closedWith(code)));
  }

  /** Connects and greets. Throws `node-refused:…`, `node-key` and the like as the agent's session does. */
  static async open(url: string, options: SessionOptions): Promise<LoadStream> {
    const socket = new WebSocket(url, STREAM_SUBPROTOCOL, {
      perMessageDeflate: false,
      maxPayload: MAX_MESSAGE_BYTES,
    });
    await once(socket, "open");
    // A close follows every error.
    socket.on("error", () => undefined);
    const session = new Session(options);
    socket.send(encodeMessage(session.first()));
    while (!session.welcomed) {
      const step = await session.take(await nextMessage(socket));
      if ("reply" in step) socket.send(encodeMessage(step.reply));
    }
    return new LoadStream(socket);
  }

  /** Sends messages in order; resolves to their receipts. Rejects with `node-refused:CODE`, or when the link breaks. */
  send(messages: readonly Uint8Array[]): Promise<readonly Uint8Array[]> {
    return new Promise((done, failed) => {
      if (this.#failure !== undefined) failed(this.#failure);
      else if (messages.length === 0) done([]);
      else this.#begin({ messages, receipts: [], done, failed, sent: 0 });
    });
  }

  async close(): Promise<void> {
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    const closed = once(this.#socket, "close");
    this.#socket.close();
    await closed;
  }

  #begin(sending: Sending): void {
    this.#sending = sending;
    this.#fill(sending);
  }

  #fill(sending: Sending): void {
    while (sending.sent < sending.messages.length && sending.sent - sending.receipts.length < WINDOW) {
      const message = sending.messages[sending.sent];
      if (message === undefined) return;
      sending.sent += 1;
      this.#socket.send(message);
    }
  }

  #take(message: Message): void {
    if (message.type === "receipt" && this.#sending !== undefined)
      this.#receipted(this.#sending, message.receipt);
    else if (message.type === "refusal") this.#fail(refusedBy(message.code, message.message));
    else this.#fail(new Error(`the node sent "${message.type}" out of turn`));
  }

  #receipted(sending: Sending, receipt: Uint8Array): void {
    sending.receipts.push(receipt);
    if (sending.receipts.length < sending.messages.length) this.#fill(sending);
    else {
      this.#sending = undefined;
      sending.done(sending.receipts);
    }
  }

  /** The first reason counts: a close follows every refusal. */
  #fail(cause: Error): void {
    this.#failure ??= cause;
    this.#sending?.failed(this.#failure);
    this.#sending = undefined;
  }
}

/** The next message; rejects when the socket closes instead. */
function nextMessage(socket: WebSocket): Promise<Message> {
  return new Promise((resolve, reject) => {
    const closed = (code: number): void => reject(closedWith(code));
    socket.once("close", closed);
    socket.once("message", (data: Buffer) => {
      socket.off("close", closed);
      resolve(decodeMessage(new Uint8Array(data)));
    });
  });
}

function closedWith(code: number): Error {
  return new Error(`the node closed the connection with ${code}`);
}
