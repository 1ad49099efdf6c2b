import { concatBytes } from "../../attest/bytes.ts";
import type { Framed, Framer } from "../../drivers/telegram/telegram.ts";
import { crc16Xmodem } from "./crc16.ts";
import {
  begunWithin,
  CRC_BYTES,
  ENDED,
  ENDLESS,
  FRAGMENT,
  frameProblem,
  impossibleLength,
  LENGTH_BYTES,
  noBase64,
  PACKET,
  strangeByte,
  tooMuch,
  u16Of,
  wrongCrc,
} from "./frame-faults.ts";

/** The longest message that is taken. */
export const MAX_MESSAGE_BYTES = 4096;

/** Lines are of at most 127 bytes: two of marker, 124 of base64, a newline. */
const LINE_DATA_BYTES = 93;
const NEWLINE = 0x0a;

/**
 * Puts a message into console lines:
 *
 *     u16 length of message and CRC | message | CRC-16/XMODEM of the message, all big-endian
 *     cut into pieces of 93 bytes, each: 06 09 (the first) or 04 14 | base64 | 0a
 *
 * Source: zephyrproject-rtos/zephyr doc/services/device_mgmt/smp_transport.rst, commit 4546391.
 */
export function encodeConsoleFrame(message: Uint8Array): Uint8Array {
  const packet = new Uint8Array(LENGTH_BYTES + message.length + CRC_BYTES);
  const view = new DataView(packet.buffer);
  view.setUint16(0, message.length + CRC_BYTES);
  packet.set(message, LENGTH_BYTES);
  view.setUint16(LENGTH_BYTES + message.length, crc16Xmodem(message));
  const lines: Uint8Array[] = [];
  for (let at = 0; at < packet.length; at += LINE_DATA_BYTES)
    lines.push(consoleLine(packet.subarray(at, at + LINE_DATA_BYTES), at === 0));
  return concatBytes(...lines);
}

function consoleLine(bytes: Uint8Array, first: boolean): Uint8Array {
  const text = Buffer.from(bytes).toString("base64");
  return Uint8Array.from([...(first ? PACKET : FRAGMENT), ...Buffer.from(text, "latin1"), NEWLINE]);
}

type State =
  /** Text of somebody else; a packet may have begun and wait for its next line. */
  | "outside"
  /** After the first byte of a marker. */
  | "packet-marker"
  | "fragment-marker"
  /** In the base64 of a line. */
  | "line";

/** Enough of what is no message to see who speaks. */
const SHOWN_OTHER_BYTES = 24;

export interface OtherBytes {
  readonly count: number;
  readonly beginning: Uint8Array;
}

/**
 * Cuts the output of a console into SMP messages, as far as their lines are whole; what a telegram's bytes are is the
 * message itself, without length and CRC. Log text of the microcontroller may stand before, between and after the
 * lines. Markers and base64 have no byte in common, so a line that breaks off is known at its first wrong byte, and
 * nothing that follows is swallowed by it. What comes out depends only on the bytes, never on how they come in pieces.
 */
export class ConsoleFramer implements Framer {
  readonly #maxBytes: number;
  #state: State = "outside";
  /** Base64 of the line under way. */
  #line: number[] = [];
  /** Of the packet under way, with length and CRC; undefined where none is. */
  #packet: number[] | undefined;
  #offset = 0;
  #start = 0;
  #found: Framed[] = [];
  #otherBytes = 0;
  #otherBeginning: number[] = [];

  /** @param maxBytes the longest message; a longer one is refused as soon as its length is read */
  constructor(maxBytes: number = MAX_MESSAGE_BYTES) {
    this.#maxBytes = maxBytes;
  }

  push(bytes: Uint8Array): readonly Framed[] {
    for (const byte of bytes) {
      this.#take(byte);
      this.#offset += 1;
    }
    return this.#handOver();
  }

  end(): readonly Framed[] {
    if (this.#packet !== undefined) this.#refuse("smp-frame-cut", ENDED);
    this.#state = "outside";
    return this.#handOver();
  }

  /** A message has begun, and its end has not come. */
  get isWithin(): boolean {
    return this.#packet !== undefined;
  }

  /** What came outside of messages since this was asked last: how many bytes, and how they begin. */
  takeOther(): OtherBytes {
    const other = { count: this.#otherBytes, beginning: Uint8Array.from(this.#otherBeginning) };
    this.#otherBytes = 0;
    this.#otherBeginning = [];
    return other;
  }

  #handOver(): readonly Framed[] {
    const found = this.#found;
    this.#found = [];
    return found;
  }

  #take(byte: number): void {
    switch (this.#state) {
      case "outside":
        this.#outside(byte);
        break;
      case "packet-marker":
        if (byte === PACKET[1]) this.#beginPacket();
        else this.#noMarker(PACKET[0], byte);
        break;
      case "fragment-marker":
        if (byte === FRAGMENT[1]) this.#beginFragment();
        else this.#noMarker(FRAGMENT[0], byte);
        break;
      case "line":
        this.#inLine(byte);
        break;
    }
  }

  #outside(byte: number): void {
    if (byte === PACKET[0]) this.#state = "packet-marker";
    else if (byte === FRAGMENT[0]) this.#state = "fragment-marker";
    else {
      this.#state = "outside";
      this.#other(byte);
    }
  }

  /** What began like a marker was text. */
  #noMarker(first: number, byte: number): void {
    this.#other(first);
    this.#outside(byte);
  }

  #other(byte: number): void {
    this.#otherBytes += 1;
    if (this.#otherBeginning.length < SHOWN_OTHER_BYTES) this.#otherBeginning.push(byte);
  }

  #beginPacket(): void {
    if (this.#packet !== undefined) this.#refuse("smp-frame-cut", begunWithin(Uint8Array.from(this.#packet)));
    this.#packet = [];
    this.#start = this.#offset - 1;
    this.#beginLine();
  }

  /** A continuation of nothing is the rest of what was refused before. */
  #beginFragment(): void {
    if (this.#packet === undefined) this.#state = "outside";
    else this.#beginLine();
  }

  #beginLine(): void {
    this.#line = [];
    this.#state = "line";
  }

  #inLine(byte: number): void {
    if (byte === NEWLINE) this.#endLine();
    else if (!isBase64(byte)) {
      this.#refuse("smp-frame-text", strangeByte(byte));
      this.#outside(byte);
    } else {
      this.#line.push(byte);
      if (this.#line.length > 4 * Math.ceil((this.#maxBytes + LENGTH_BYTES + CRC_BYTES) / 3))
        this.#refuse("smp-frame-length", ENDLESS);
    }
  }

  #endLine(): void {
    this.#state = "outside";
    const text = Buffer.from(this.#line).toString("latin1");
    const bytes = Buffer.from(text, "base64");
    // Node reads base64 leniently; only what it writes itself is exact.
    if (bytes.length === 0 || bytes.toString("base64") !== text)
      this.#refuse("smp-frame-text", noBase64(text));
    else {
      this.#packet?.push(...bytes);
      this.#endPacket(Uint8Array.from(this.#packet ?? []));
    }
  }

  /** Where its last line has come. */
  #endPacket(packet: Uint8Array): void {
    if (packet.length < LENGTH_BYTES) return;
    const length = u16Of(packet);
    const have = packet.length - LENGTH_BYTES;
    if (length <= CRC_BYTES || length - CRC_BYTES > this.#maxBytes)
      this.#refuse("smp-frame-length", impossibleLength(packet, this.#maxBytes));
    else if (have > length) this.#refuse("smp-frame-length", tooMuch(packet));
    else if (have === length) this.#checkSum(packet);
  }

  #checkSum(packet: Uint8Array): void {
    const message = packet.slice(LENGTH_BYTES, -CRC_BYTES);
    if (crc16Xmodem(message) === u16Of(packet.subarray(-CRC_BYTES))) {
      this.#packet = undefined;
      this.#found.push({ kind: "telegram", offset: this.#start, bytes: message });
    } else this.#refuse("smp-frame-crc", wrongCrc(packet));
  }

  #refuse(code: string, words: Parameters<typeof frameProblem>[2]): void {
    this.#packet = undefined;
    this.#state = "outside";
    const problem = frameProblem(code, this.#start, words);
    this.#found.push({ kind: "refused", offset: this.#start, problem });
  }
}

function isBase64(byte: number): boolean {
  const letter = byte | 0x20;
  if (letter >= 0x61 && letter <= 0x7a) return true;
  return (byte >= 0x30 && byte <= 0x39) || byte === 0x2b || byte === 0x2f || byte === 0x3d;
}
