import { type Examination, type FrameFormat, StreamFramer } from "../telegram/stream-framer.ts";
import type { Framed, Framer } from "../telegram/telegram.ts";
import { ACK, CHARACTER_BITS, CR, EXCLAMATION, evenByte, LF, SLASH, STX } from "./characters.ts";
import {
  blockEnd,
  characterFault,
  cutOff,
  identificationLength,
  MAX_READOUT_BYTES,
  refused,
  type Stretch,
  stretchOf,
} from "./message.ts";

/** `ACK V Z Y CR LF`, as a recording of both directions has it. */
const ACKNOWLEDGEMENT_BYTES = 6;

/**
 * Whole readouts in a stream (IEC 62056-21, 6.4): an identification and behind it either an empty line, lines of data
 * and `! CR LF` (mode D), or a block with its check character (modes A, B, C). Lines without the empty one before them
 * are a block that lost its STX, and with it what vouches for it.
 */
export const readoutFormat: FrameFormat = {
  maxBytes: MAX_READOUT_BYTES,
  find(bytes, from) {
    for (let index = from; index < bytes.length; index += 1)
      if (bytes[index] === SLASH || bytes[index] === evenByte(SLASH)) return index;
    return bytes.length;
  },
  examine(bytes, { offset, scanned }) {
    const stretch = stretchOf(bytes, offset);
    const length = identificationLength(stretch);
    const end = typeof length === "number" ? dataEnd(stretch, length, scanned) : length;
    return typeof end === "number" ? { kind: "telegram", length: end } : end;
  },
  cut: (bytes, offset) => cutOff(bytes, offset),
};

/** Where what stands behind the identification ends. */
function dataEnd(stretch: Stretch, start: number, scanned: number): number | Examination {
  const { bytes, offset } = stretch;
  const first = characterAt(stretch, start);
  if (first === undefined || (first === CR && characterAt(stretch, start + 1) === undefined))
    return more(bytes);
  // One wrong bit makes a line feed of STX, so a bare one counts only where the line before ends so, too.
  if (first === LF && characterAt(stretch, start - 2) !== CR) return linesEnd(stretch, start + 1, scanned);
  if (first === CR && characterAt(stretch, start + 1) === LF) return linesEnd(stretch, start + 2, scanned);
  const block = first === ACK ? start + ACKNOWLEDGEMENT_BYTES : start;
  if (bytes.length <= block) return more(bytes);
  if (characterAt(stretch, block) === STX) return blockEnd(stretch, block, scanned);
  return refused("iec62056-order", "neither an empty line nor a block follows the identification", {
    offset: offset + block,
    length: block,
  });
}

function more(bytes: Uint8Array): Examination {
  return { kind: "incomplete", need: bytes.length + 1 };
}

/** The character at `index`; undefined where there is none yet, not a number where its parity is wrong. */
function characterAt({ bytes, parity }: Stretch, index: number): number | undefined {
  const byte = bytes[index];
  if (byte === undefined) return undefined;
  const character = byte & CHARACTER_BITS;
  return byte === (parity ? evenByte(character) : character) ? character : Number.NaN;
}

/** Lines up to `!` at the beginning of one and its line feed; nothing but the lines themselves vouches for them. */
function linesEnd(stretch: Stretch, start: number, scanned: number): number | Examination {
  const { bytes, offset } = stretch;
  for (let index = Math.max(start, scanned); index < bytes.length; index += 1) {
    const fault = characterFault(stretch, index);
    if (fault !== undefined) return fault;
    const character = characterAt(stretch, index);
    if (character === SLASH)
      return refused("iec62056-truncated", "the next telegram began before this one ended", {
        offset,
        length: index,
      });
    if (character === EXCLAMATION) return lastLineEnd(stretch, index);
  }
  if (bytes.length < MAX_READOUT_BYTES)
    return { ...{ kind: "incomplete", need: bytes.length + 1 }, scanned: bytes.length };
  return refused("iec62056-oversized", "more bytes than any readout has", { offset, length: bytes.length });
}

function lastLineEnd(stretch: Stretch, mark: number): number | Examination {
  const { bytes, offset } = stretch;
  // One wrong bit makes `!` of `)`, and a line end follows.
  if (characterAt(stretch, mark - 1) !== LF)
    return refused("iec62056-truncated", "the exclamation mark stands within a line", {
      offset,
      length: mark + 1,
    });
  const next = characterAt(stretch, mark + 1);
  const end = next === CR ? mark + 2 : mark + 1;
  const last = characterAt(stretch, end);
  if (next === undefined || last === undefined)
    return bytes.length < MAX_READOUT_BYTES
      ? { kind: "incomplete", need: bytes.length + 1, scanned: mark }
      : refused("iec62056-oversized", "more bytes than any readout has", { offset, length: bytes.length });
  if (last === LF) return end + 1;
  return refused("iec62056-end", "no line end follows the exclamation mark; a checksum there is DSMR P1", {
    offset: offset + end,
    length: end + 1,
  });
}

/** Cuts a stream into readouts, however it comes in pieces. It keeps at most 16 KiB. */
export class Iec62056Framer implements Framer {
  readonly #framer = new StreamFramer(readoutFormat);

  push(bytes: Uint8Array): readonly Framed[] {
    return this.#framer.push(bytes);
  }

  end(): readonly Framed[] {
    return this.#framer.end();
  }
}
