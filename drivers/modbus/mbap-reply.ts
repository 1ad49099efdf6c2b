import { crc16 } from "./crc.ts";
import { measureReply, type ReplyFault, type ReplyShape } from "./reply-shape.ts";

/** What the bytes so far are. */
export type MbapVerdict =
  | { readonly state: "partial" }
  | { readonly state: "whole"; readonly reply: Uint8Array }
  | ({ readonly state: "malformed" } & ReplyFault);

const HEADER_BYTES = 7;
const MAX_PDU_BYTES = 253;
const CRC_BYTES = 2;
const PARTIAL: MbapVerdict = { state: "partial" };

/**
 * Takes the bytes of one reply on a Modbus TCP connection, in chunks of any size:
 *
 *     | transaction 2 | protocol 2 = 0 | length 2 | unit 1 | function and data, length - 1 bytes |
 *
 * MBAP header: Modbus Messaging on TCP/IP v1.0b, 3.1.3. TCP loses nothing, so there is nothing to resynchronise on:
 * after a fault the connection has to go. The reply is handed out as on a serial line, with a CRC.
 */
export class MbapReply {
  readonly #transaction: number;
  readonly #shape: ReplyShape;
  readonly #bytes = new Uint8Array(HEADER_BYTES + MAX_PDU_BYTES);
  readonly #pdu = this.#bytes.subarray(HEADER_BYTES);
  #have = 0;
  #verdict: MbapVerdict = PARTIAL;

  constructor(transaction: number, shape: ReplyShape) {
    this.#transaction = transaction;
    this.#shape = shape;
  }

  /** The verdict over all bytes so far; after `malformed` it does not change. */
  push(bytes: Uint8Array): MbapVerdict {
    if (this.#verdict.state !== "malformed") this.#verdict = this.#take(bytes);
    return this.#verdict;
  }

  #take(bytes: Uint8Array): MbapVerdict {
    if (this.#verdict.state === "whole" || bytes.length > this.#bytes.length - this.#have)
      return malformed("nothing after the reply", "more bytes");
    this.#bytes.set(bytes, this.#have);
    this.#have += bytes.length;
    if (this.#have < HEADER_BYTES) return PARTIAL;
    const fault = this.#headerFault();
    if (fault !== undefined) return malformed(fault.expected, fault.got);
    const announced = (((this.#bytes[4] ?? 0) << 8) | (this.#bytes[5] ?? 0)) - 1;
    const have = this.#have - HEADER_BYTES;
    const length = measureReply(this.#shape, this.#pdu, Math.min(have, announced));
    if (typeof length === "object") return malformed(length.expected, length.got);
    if (length === undefined ? have >= announced : length !== announced)
      return malformed(`${length ?? "more"} bytes of data`, `${announced}`);
    if (have > announced) return malformed("nothing after the reply", "more bytes");
    return have < announced ? PARTIAL : this.#close(announced);
  }

  #headerFault(): ReplyFault | undefined {
    const view = new DataView(this.#bytes.buffer);
    const protocol = view.getUint16(2);
    const length = view.getUint16(4);
    const transaction = view.getUint16(0);
    if (protocol !== 0) return { expected: "protocol 0", got: `protocol ${protocol}` };
    if (length < 3 || length > 1 + MAX_PDU_BYTES)
      return { expected: "length 3..254", got: `length ${length}` };
    if (transaction !== this.#transaction)
      return { expected: `transaction ${this.#transaction}`, got: `transaction ${transaction}` };
    const unit = view.getUint8(6);
    return unit === this.#shape.unit
      ? undefined
      : { expected: `unit ${this.#shape.unit}`, got: `unit ${unit}` };
  }

  #close(pduBytes: number): MbapVerdict {
    const frame = new Uint8Array(1 + pduBytes + CRC_BYTES);
    frame.set(this.#bytes.subarray(HEADER_BYTES - 1, HEADER_BYTES + pduBytes));
    const crc = crc16(frame.subarray(0, 1 + pduBytes));
    frame.set([crc & 0xff, crc >> 8], 1 + pduBytes);
    return { state: "whole", reply: frame };
  }
}

function malformed(expected: string, got: string): MbapVerdict {
  return { state: "malformed", expected, got };
}
