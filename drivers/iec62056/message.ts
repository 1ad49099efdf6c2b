import { Problem } from "../../attest/problem.ts";
import type { Examination, FrameFormat } from "../telegram/stream-framer.ts";
import { hex2 } from "../telegram/text.ts";
import {
  blockCheck,
  CHARACTER_BITS,
  CR,
  ETX,
  EXCLAMATION,
  evenByte,
  isEven,
  LF,
  NAK,
  SLASH,
  SOH,
  STX,
} from "./characters.ts";

/** More than any readout has; a meter with a year of stored values stays below 8 kB. */
export const MAX_READOUT_BYTES: number = 16 * 1024;
/** IEC 62056-21, 6.3.2 allows 16 characters of identification; meters with more exist. */
const MAX_LINE_BYTES = 64;
const LETTERS_END = 4;

/** Where something stands in a stream and how its characters come. */
export interface Stretch {
  readonly bytes: Uint8Array;
  readonly offset: number;
  /** The highest bit of every byte is its parity. */
  readonly parity: boolean;
}

/** The first character tells whether the parity is still there: `/`, STX and SOH all have an odd number of ones. */
export function stretchOf(bytes: Uint8Array, offset: number): Stretch {
  return { bytes, offset, parity: (bytes[0] ?? 0) > CHARACTER_BITS };
}

export function refused(
  code: string,
  what: string,
  at: { readonly offset: number; readonly length: number },
): Examination {
  const problem = new Problem(code, what, { where: `offset ${at.offset}` });
  return { kind: "refused", length: at.length, problem };
}

/** What is wrong with the byte at `index` itself; undefined where nothing is. */
function byteFault({ bytes, offset, parity }: Stretch, index: number): Examination | undefined {
  const byte = bytes[index] ?? 0;
  const at = { offset: offset + index, length: index + 1 };
  if (parity && !isEven(byte)) return refused("iec62056-parity", "a character was changed on the line", at);
  if (!parity && byte > CHARACTER_BITS)
    return refused("iec62056-character", "a byte is no character of seven bits", at);
  return undefined;
}

/** A line of text has printable characters only (IEC 62056-21, 6.3.4). */
export function characterFault(stretch: Stretch, index: number): Examination | undefined {
  const character = (stretch.bytes[index] ?? 0) & CHARACTER_BITS;
  const isText = (character >= 0x20 && character < 0x7f) || character === CR || character === LF;
  const at = { offset: stretch.offset + index, length: index + 1 };
  return (
    byteFault(stretch, index) ??
    (isText ? undefined : refused("iec62056-character", "a control character stands in a line", at))
  );
}

/**
 * The identification from `/` to its line feed: how many bytes it has, or why there is none. A slash and three letters
 * are worth a word, less is noise.
 */
export function identificationLength(stretch: Stretch): number | Examination {
  const { bytes, offset } = stretch;
  for (let index = 1; index < Math.min(bytes.length, MAX_LINE_BYTES); index += 1) {
    const character = (bytes[index] ?? 0) & CHARACTER_BITS;
    if (index < LETTERS_END && (!isLetter(character) || byteFault(stretch, index) !== undefined))
      return { kind: "noise" };
    const fault = characterFault(stretch, index);
    if (fault !== undefined) return fault;
    if (character === LF) return index > LETTERS_END ? index + 1 : { kind: "noise" };
    if (character === SLASH || character === EXCLAMATION)
      return refused("iec62056-truncated", "the identification breaks off", { offset, length: index });
  }
  if (bytes.length < MAX_LINE_BYTES) return { kind: "incomplete", need: bytes.length + 1 };
  return refused("iec62056-identification", "the identification never ends", {
    offset,
    length: MAX_LINE_BYTES,
  });
}

function isLetter(character: number): boolean {
  return (character >= 0x41 && character <= 0x5a) || (character >= 0x61 && character <= 0x7a);
}

/**
 * A block from STX or SOH at `start` to the block check character behind ETX: how many bytes of the stretch are up to
 * and with it, or why there is none.
 *
 * @param from nothing before this index ends the block
 */
export function blockEnd(stretch: Stretch, start: number, from: number): number | Examination {
  const { bytes, offset } = stretch;
  for (let index = Math.max(start + 1, from); index < bytes.length - 1; index += 1) {
    const fault = byteFault(stretch, index);
    if (fault !== undefined) return fault;
    if (bytes[index] === ETX) return checkedEnd(stretch, start, index + 1);
  }
  if (bytes.length < MAX_READOUT_BYTES)
    return { kind: "incomplete", need: bytes.length + 1, scanned: Math.max(0, bytes.length - 1) };
  return refused("iec62056-oversized", "more bytes than any readout has", { offset, length: bytes.length });
}

function checkedEnd(stretch: Stretch, start: number, checkAt: number): number | Examination {
  const { bytes, offset, parity } = stretch;
  const expected = blockCheck(bytes.subarray(start + 1, checkAt));
  const sent = bytes[checkAt] ?? 0;
  if (sent === (parity ? evenByte(expected) : expected)) return checkAt + 1;
  const problem = new Problem(
    "iec62056-checksum",
    "the block check character is wrong: bytes were changed or lost",
    {
      where: `offset ${offset + checkAt}`,
      expected: hex2(expected),
      got: hex2(sent & CHARACTER_BITS),
    },
  );
  return { kind: "refused", length: checkAt + 1, problem };
}

/**
 * The messages of a meter in a conversation, one by one: an identification, a block between STX or SOH and its check
 * character, a refusal (NAK). What an optical head gives back of our own words is no message.
 */
export const messageFormat: FrameFormat = {
  maxBytes: MAX_READOUT_BYTES,
  find(bytes, from) {
    for (let index = from; index < bytes.length; index += 1)
      if (BEGINNINGS.has(bytes[index] ?? 0)) return index;
    return bytes.length;
  },
  examine(bytes, { offset, scanned, insideRefused }) {
    const character = (bytes[0] ?? 0) & CHARACTER_BITS;
    if (character === NAK) return insideRefused ? { kind: "noise" } : { kind: "telegram", length: 1 };
    const stretch = stretchOf(bytes, offset);
    const length = character === SLASH ? identificationLength(stretch) : blockEnd(stretch, 0, scanned);
    return typeof length === "number" ? { kind: "telegram", length } : length;
  },
  cut: (bytes, offset) => cutOff(bytes, offset),
};

const BEGINNINGS: ReadonlySet<number> = new Set(
  [SLASH, STX, SOH, NAK].flatMap((character) => [character, evenByte(character)]),
);

/** The problem of something that began and was cut off; undefined where too little of it is there. */
export function cutOff(bytes: Uint8Array, offset: number): Problem | undefined {
  if (bytes.length <= LETTERS_END) return undefined;
  return new Problem("iec62056-truncated", "the line fell silent within a message", {
    where: `offset ${offset}`,
  });
}
