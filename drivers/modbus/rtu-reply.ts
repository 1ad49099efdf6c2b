import { crc16 } from "./crc.ts";
import { measureReply, type ReplyFault, type ReplyShape } from "./reply-shape.ts";

/** What the bytes so far are. */
export type RtuVerdict =
  | { readonly state: "partial" }
  | { readonly state: "whole"; readonly reply: Uint8Array }
  | ({ readonly state: "malformed" } & ReplyFault)
  | { readonly state: "crc"; readonly expected: number; readonly got: number };

const CRC_BYTES = 2;
/** Unit, a PDU of 253 bytes, CRC (Modbus over Serial Line v1.02, 2.3). */
const MAX_FRAME_BYTES = 256;
/** What a receiver makes of a line without bias resistors when a driver lets go of it. */
const GLITCHES: ReadonlySet<number> = new Set([0x00, 0xff]);
const MOST_GLITCHES = 2;

/** Counts bytes that are nothing but the line changing hands: no frame begins with one of them, and none is so short. */
export class Glitches {
  #count = 0;

  /** Whether `byte` is one more of them, and not yet one too many. */
  take(byte: number): boolean {
    this.#count += 1;
    return GLITCHES.has(byte) && this.#count <= MOST_GLITCHES;
  }
}
const PARTIAL: RtuVerdict = { state: "partial" };

/**
 * Takes the bytes of one reply on a serial line, in chunks of any size, and refuses it at the first byte that cannot
 * be part of it:
 *
 *     | unit 1 | function 1 | data | CRC 2, low byte first |
 *
 * (Modbus over Serial Line v1.02, 2.3.) Nothing is searched for: but for a glitch or two, a frame with anything in front
 * of it or behind it is malformed.
 */
export class RtuReply {
  readonly #shape: ReplyShape;
  readonly #frame = new Uint8Array(MAX_FRAME_BYTES);
  readonly #pdu = this.#frame.subarray(1);
  #have = 0;
  readonly #before = new Glitches();
  readonly #behind = new Glitches();
  #verdict: RtuVerdict = PARTIAL;

  constructor(shape: ReplyShape) {
    this.#shape = shape;
  }

  /** The verdict over all bytes so far; after `malformed` and `crc` it does not change. */
  push(bytes: Uint8Array): RtuVerdict {
    if (this.#verdict.state === "partial") this.#verdict = this.#take(bytes);
    else if (this.#verdict.state === "whole") this.#verdict = this.#ended(this.#verdict, bytes);
    return this.#verdict;
  }

  #take(bytes: Uint8Array): RtuVerdict {
    let skipped = 0;
    for (const byte of this.#have === 0 ? bytes : []) {
      if (byte === this.#shape.unit) break;
      if (!this.#before.take(byte))
        return { state: "malformed", expected: `unit ${this.#shape.unit}`, got: `unit ${byte}` };
      skipped += 1;
    }
    const fresh = bytes.subarray(skipped, skipped + MAX_FRAME_BYTES - this.#have);
    this.#frame.set(fresh, this.#have);
    this.#have += fresh.length;
    return this.#judge(bytes.subarray(skipped + fresh.length));
  }

  /** `behind`: what did not fit into the longest frame. */
  #judge(behind: Uint8Array): RtuVerdict {
    const length = measureReply(this.#shape, this.#pdu, this.#have - 1);
    if (length === undefined) return PARTIAL;
    if (typeof length !== "number") return { state: "malformed", ...length };
    const end = 1 + length;
    if (this.#have < end + CRC_BYTES) return PARTIAL;
    const expected = crc16(this.#frame.subarray(0, end));
    const got = (this.#frame[end] ?? 0) | ((this.#frame[end + 1] ?? 0) << 8);
    if (expected !== got) return { state: "crc", expected, got };
    const whole: RtuVerdict = { state: "whole", reply: this.#frame.slice(0, end + CRC_BYTES) };
    const rest = this.#ended(whole, this.#frame.subarray(end + CRC_BYTES, this.#have));
    return rest.state === "whole" ? this.#ended(whole, behind) : rest;
  }

  #ended(whole: RtuVerdict, behind: Uint8Array): RtuVerdict {
    if (behind.every((byte) => this.#behind.take(byte))) return whole;
    return { state: "malformed", expected: "silence after the reply", got: "more bytes" };
  }
}
