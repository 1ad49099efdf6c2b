import { Problem } from "../../attest/problem.ts";
import type { Framed } from "../telegram/telegram.ts";
import { hex2 } from "../telegram/text.ts";
import { expectsBlock } from "./blocks.ts";
import { beginsTelegram, carriesData, examineFrame, FLAG, type HdlcFrame, LLC } from "./hdlc.ts";
import { examineSegment, type MbusSegment } from "./mbus.ts";

/** More than any meter pushes; the longest known list has 1 kB. */
export const MAX_TELEGRAM_BYTES: number = 16 * 1024;

/** A whole frame and where it stands in the stream. */
interface Found {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** What one frame has to do with the telegram. */
interface Piece {
  readonly addresses: string;
  readonly begins: boolean;
  readonly more: boolean;
  /** The frame after this one is the next block. */
  readonly blocks: boolean;
  /** Place within its telegram, where frames have numbers. */
  readonly number?: number;
  /** Its last byte may open the next frame. */
  readonly shared: number;
}

/**
 * Puts frames together to telegrams: HDLC segments (IEC 62056-46: segmentation bit in all but the last), blocks of a
 * general block transfer, numbered M-Bus segments. HDLC frames carry no number, so a frame that comes after lost bytes
 * is never joined to what came before.
 */
export class FrameAssembly {
  #frames: Uint8Array[] = [];
  #size = 0;
  #offset = 0;
  #addresses = "";
  /** Where in the stream the next frame begins unless something stands between. */
  #next = -1;
  #blocks = false;

  take({ offset, bytes }: Found): Framed[] {
    const outcomes: Framed[] = [];
    if (offset !== this.#next) outcomes.push(...this.cut("other bytes stand between the segments"));
    if (bytes[0] !== FLAG) this.#takeSegment({ offset, bytes }, outcomes);
    else if (bytes.length > 1) this.#takeFrame({ offset, bytes }, outcomes);
    else this.#next = offset + 1;
    return outcomes;
  }

  /** What is half there is refused. */
  cut(what: string): Framed[] {
    if (this.#frames.length === 0) return [];
    const offset = this.#offset;
    this.#forget();
    return [refusal("dlms-segment", what, offset)];
  }

  #takeFrame(found: Found, outcomes: Framed[]): void {
    this.#next = found.offset + found.bytes.length - 1;
    const examined = examineFrame(found.bytes, found.offset);
    if (examined.kind !== "frame") return;
    const { frame } = examined;
    if (!carriesData(frame.control) || frame.information.length === 0) {
      outcomes.push(...this.cut("a frame without data came before the last segment"));
      const what = `a frame without data, control ${hex2(frame.control)}`;
      outcomes.push(refusal("dlms-control", what, found.offset));
      return;
    }
    this.#join(found, hdlcPiece(frame, this.#blocks), outcomes);
  }

  #takeSegment(found: Found, outcomes: Framed[]): void {
    this.#next = found.offset + found.bytes.length;
    const examined = examineSegment(found.bytes, found.offset);
    if (examined.kind === "segment") this.#join(found, mbusPiece(examined.segment), outcomes);
  }

  #join(found: Found, piece: Piece, outcomes: Framed[]): void {
    const misplaced = piece.number !== undefined && piece.number !== this.#frames.length;
    if (piece.begins || piece.addresses !== this.#addresses || misplaced) {
      outcomes.push(...this.cut("another telegram began before the last segment"));
    }
    if (!piece.begins && this.#frames.length === 0) {
      const code = piece.number === undefined ? "dlms-llc" : "dlms-segment";
      outcomes.push(refusal(code, "the frame begins no telegram and continues none", found.offset));
      return;
    }
    outcomes.push(...this.#append(found, piece));
  }

  #append({ offset, bytes }: Found, { addresses, more, blocks, shared }: Piece): Framed[] {
    if (this.#frames.length === 0) [this.#offset, this.#addresses] = [offset, addresses];
    if (this.#size + bytes.length > MAX_TELEGRAM_BYTES) {
      const begun = this.#offset;
      this.#forget();
      return [refusal("dlms-oversized", `longer than ${MAX_TELEGRAM_BYTES} bytes`, begun)];
    }
    this.#frames.push(more ? bytes.slice(0, bytes.length - shared) : bytes);
    this.#size += bytes.length;
    this.#blocks = blocks;
    if (more) return [];
    const telegram = { offset: this.#offset, bytes: new Uint8Array(Buffer.concat(this.#frames)) };
    this.#forget();
    return [{ kind: "telegram", ...telegram }];
  }

  #forget(): void {
    this.#frames = [];
    this.#size = 0;
    this.#addresses = "";
    this.#blocks = false;
  }
}

/** @param expected a block: anything else that looks like one is a segment's data */
function hdlcPiece({ addresses, information, segmented }: HdlcFrame, expected: boolean): Piece {
  const begins = beginsTelegram(information);
  const apdu = begins ? information.subarray(LLC.length) : information;
  const blocks = (begins || expected) && !segmented && expectsBlock(apdu);
  return { addresses, begins, more: segmented || blocks, blocks, shared: 1 };
}

function mbusPiece({ addresses, number, last }: MbusSegment): Piece {
  return { addresses, begins: number === 0, more: !last, blocks: false, number, shared: 0 };
}

/**
 * The information of frames one behind the other, as {@link FrameAssembly} puts them together.
 *
 * @returns undefined where they are not that, or more than frames
 */
export function informationOf(bytes: Uint8Array): Uint8Array | undefined {
  const parts: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length) {
    const rest = bytes.subarray(at);
    const examined = rest[0] === FLAG ? examineFrame(rest, at) : examineSegment(rest, at);
    if (examined.kind === "frame") parts.push(examined.frame.information);
    else if (examined.kind === "segment") parts.push(examined.segment.information);
    else return undefined;
    const size = examined.kind === "frame" ? examined.frame.size : examined.segment.size;
    at += examined.kind === "frame" && at + size < bytes.length ? size - 1 : size;
  }
  return new Uint8Array(Buffer.concat(parts));
}

function refusal(code: string, what: string, offset: number): Framed {
  const problem = new Problem(code, what, { where: `offset ${offset}` });
  return { kind: "refused", offset, problem };
}
