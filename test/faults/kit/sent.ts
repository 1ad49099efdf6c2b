import { type BatchMessage, decodeMessage, type Message } from "../../../attest/messages.ts";
import type { TraceOp } from "./trace.ts";

/** A message that was sent whole with the op at that index. */
export interface SentMessage {
  readonly index: number;
  readonly message: Message;
}

export interface SentBatch {
  readonly index: number;
  readonly batch: BatchMessage;
}

const BINARY = 2;

/** What a WebSocket client sent, unmasked (RFC 6455, 5.2 and 5.3), on whichever sockets it spoke HTTP first. */
export function sentMessages(ops: readonly TraceOp[]): SentMessage[] {
  const streams = new Map<string, ClientStream>();
  const sent: SentMessage[] = [];
  for (const [index, op] of ops.entries()) {
    if (op.kind !== "send") continue;
    const stream = streams.get(op.socket) ?? new ClientStream();
    streams.set(op.socket, stream);
    for (const payload of stream.push(op.data)) sent.push({ index, message: decodeMessage(payload) });
  }
  return sent;
}

export function sentBatches(ops: readonly TraceOp[]): SentBatch[] {
  return sentMessages(ops).flatMap(({ index, message }) =>
    message.type === "batch" ? [{ index, batch: message }] : [],
  );
}

class ClientStream {
  #state: "request" | "frames" | "other" = "request";
  #rest: Buffer = Buffer.alloc(0);

  /** Payloads of the binary frames that end with these bytes. */
  push(bytes: Buffer): Uint8Array[] {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    if (this.#state === "request") this.#request();
    const payloads: Uint8Array[] = [];
    while (this.#state === "frames") {
      const frame = frameOf(this.#rest);
      if (frame === undefined) break;
      this.#rest = this.#rest.subarray(frame.bytes);
      if (frame.opcode === BINARY) payloads.push(frame.payload);
    }
    return payloads;
  }

  /** Only what asks to be upgraded is a WebSocket. */
  #request(): void {
    const end = this.#rest.indexOf("\r\n\r\n");
    if (!"GET ".startsWith(this.#rest.toString("latin1", 0, 4))) this.#state = "other";
    if (end < 0) return;
    const isUpgrade = /\r\nupgrade: *websocket/i.test(this.#rest.toString("latin1", 0, end));
    this.#state = isUpgrade ? "frames" : "other";
    this.#rest = this.#rest.subarray(end + 4);
  }
}

interface Frame {
  readonly opcode: number;
  readonly payload: Uint8Array;
  readonly bytes: number;
}

function frameOf(buffer: Buffer): Frame | undefined {
  if (buffer.length < 6) return undefined;
  const short = buffer.readUInt8(1) & 0x7f;
  const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
  const head = 2 + lengthBytes + 4;
  if (buffer.length < head) return undefined;
  const length =
    lengthBytes === 0
      ? short
      : lengthBytes === 2
        ? buffer.readUInt16BE(2)
        : Number(buffer.readBigUInt64BE(2));
  if (buffer.length < head + length) return undefined;
  if ((buffer.readUInt8(0) & 0x80) === 0) throw new Error("fragmented messages are not modelled");
  if ((buffer.readUInt8(1) & 0x80) === 0) throw new Error("a client's frame is not masked");
  const mask = buffer.subarray(head - 4, head);
  const payload = new Uint8Array(length);
  for (let i = 0; i < length; i++) payload[i] = (buffer[head + i] ?? 0) ^ (mask[i % 4] ?? 0);
  return { opcode: buffer.readUInt8(0) & 0x0f, payload, bytes: head + length };
}
