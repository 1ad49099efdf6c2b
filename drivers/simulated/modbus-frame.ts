/** A Modbus TCP request as it arrived. */
export interface RequestFrame {
  readonly transaction: number;
  readonly unit: number;
  /** Function code and data. */
  readonly pdu: Uint8Array;
}

type State = "header" | "pdu" | "broken";

const HEADER_BYTES = 7;
/** Unit identifier plus the longest PDU of 253 bytes (Modbus Messaging on TCP/IP v1.0b, 3.1.3 and 4.2). */
const MAX_LENGTH = 254;

/**
 * Cuts a byte stream into Modbus TCP requests, whatever the chunks:
 *
 *     | transaction 2 | protocol 2 = 0 | length 2 | unit 1 | pdu, length - 1 bytes |
 *
 * TCP loses nothing, so there is nothing to resynchronise on: a wrong header breaks the stream for good.
 */
export class RequestParser {
  #state: State = "header";
  #header = new Uint8Array(HEADER_BYTES);
  #pdu = new Uint8Array(0);
  #have = 0;

  /** True after a header that is not Modbus: the connection has to be closed. */
  get broken(): boolean {
    return this.#state === "broken";
  }

  push(bytes: Uint8Array): readonly RequestFrame[] {
    const frames: RequestFrame[] = [];
    for (const byte of bytes) {
      if (this.#state === "broken") break;
      if (this.#state === "header") this.#takeHeader(byte);
      else if (this.#takePdu(byte)) frames.push(this.#frame());
    }
    return frames;
  }

  #takeHeader(byte: number): void {
    this.#header[this.#have++] = byte;
    if (this.#have < HEADER_BYTES) return;
    const view = new DataView(this.#header.buffer);
    const length = view.getUint16(4);
    this.#have = 0;
    const good = view.getUint16(2) === 0 && length >= 2 && length <= MAX_LENGTH;
    this.#state = good ? "pdu" : "broken";
    this.#pdu = new Uint8Array(good ? length - 1 : 0);
  }

  #takePdu(byte: number): boolean {
    this.#pdu[this.#have++] = byte;
    return this.#have === this.#pdu.length;
  }

  #frame(): RequestFrame {
    const view = new DataView(this.#header.buffer);
    this.#state = "header";
    this.#have = 0;
    return { transaction: view.getUint16(0), unit: view.getUint8(6), pdu: this.#pdu };
  }
}

/** The bytes of one reply, before anything is done to them. */
export function encodeReply(request: RequestFrame, pdu: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + pdu.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, request.transaction);
  view.setUint16(4, pdu.length + 1);
  view.setUint8(6, request.unit);
  bytes.set(pdu, HEADER_BYTES);
  return bytes;
}

/** Function 3 reply: function, byte count, registers big-endian (Modbus Application Protocol v1.1b3, 6.3). */
export function registersPdu(registers: readonly number[]): Uint8Array {
  const pdu = new Uint8Array(2 + registers.length * 2);
  const view = new DataView(pdu.buffer);
  view.setUint8(0, 3);
  view.setUint8(1, registers.length * 2);
  registers.forEach((register, index) => {
    view.setUint16(2 + index * 2, register);
  });
  return pdu;
}

/** Exception reply: function with the top bit set, exception code (v1.1b3, 7). */
export function exceptionPdu(functionCode: number, exception: number): Uint8Array {
  return Uint8Array.of(functionCode | 0x80, exception);
}
