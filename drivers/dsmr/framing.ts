import { Problem } from "../../attest/problem.ts";
import { type Examination, type FrameFormat, type Place, StreamFramer } from "../telegram/stream-framer.ts";
import { CIPHER_TAG, cutCipherFrame, examineCipherFrame } from "./cipher-frame.ts";
import { wholeTelegram } from "./whole-telegram.ts";

/** More than any meter sends; a text message alone may have 2 kB. */
export const MAX_TELEGRAM_BYTES: number = 16 * 1024;
/** IEC 62056-21 allows 16 characters of identification; meters with more exist. */
const MAX_IDENTIFICATION_BYTES = 64;
/** `!`, four hexadecimal digits, CR, LF. */
const MAX_CHECKSUM_LINE_BYTES = 7;

const SLASH = 0x2f;
const EXCLAMATION = 0x21;
const LF = 0x0a;

/**
 * P1 telegrams (DSMR 5.0.2 P1, 6.2: `/XXX5 identification CR LF CR LF data ! CRC CR LF`) and encrypted frames around
 * them. No object prints a `/`: behind the identification one begins the next telegram, after lost bytes, too.
 */
const p1Format: FrameFormat = {
  maxBytes: MAX_TELEGRAM_BYTES,
  find: (bytes, from) => {
    const at = bytes.subarray(from).findIndex((byte) => byte === SLASH || byte === CIPHER_TAG);
    return at < 0 ? bytes.length : from + at;
  },
  examine: (bytes, place) =>
    bytes[0] === SLASH ? examineTelegram(bytes, place) : examineCipherFrame(bytes, place, MAX_TELEGRAM_BYTES),
  cut: (bytes) => {
    if (bytes[0] !== SLASH) return cutCipherFrame(bytes);
    const identified = typeof identificationEnd(bytes) === "number";
    return identified ? truncated(bytes.length, "the stream ended within a telegram") : undefined;
  },
};

/** Finds P1 telegrams, plain or encrypted, in a stream of bytes. */
export class P1Framer extends StreamFramer {
  constructor() {
    super(p1Format);
  }
}

/** What stands at a `/`. A slash in noise is no event; a telegram that never ended is. */
export function examineTelegram(bytes: Uint8Array, { scanned }: Pick<Place, "scanned">): Examination {
  const body = identificationEnd(bytes);
  if (body === "noise") return { kind: "noise" };
  if (body === "incomplete") return { kind: "incomplete", need: bytes.length + 1 };
  const limit = MAX_TELEGRAM_BYTES - MAX_CHECKSUM_LINE_BYTES;
  const from = Math.max(body, scanned);
  const found = bytes.subarray(from, limit).findIndex((byte) => byte === SLASH || byte === EXCLAMATION);
  const at = from + found;
  if (found >= 0 && bytes[at] === SLASH) return refusedAt(at, overtaken(at));
  if (found >= 0) return examineEnd(bytes, at + 1);
  if (bytes.length >= limit) return refusedAt(limit, oversized(limit));
  return { kind: "incomplete", need: bytes.length + 1, scanned: bytes.length };
}

/** The line after `!`, which begins at `at`. */
function examineEnd(bytes: Uint8Array, at: number): Examination {
  const line = bytes.subarray(at, at + MAX_CHECKSUM_LINE_BYTES - 1);
  const end = line.findIndex((byte) => byte === LF || byte === SLASH);
  if (end >= 0 && line[end] === SLASH) return refusedAt(at + end, overtaken(at + end));
  // The last byte before is the `!`, which is looked at again.
  if (end < 0 && line.length < MAX_CHECKSUM_LINE_BYTES - 1)
    return { kind: "incomplete", need: bytes.length + 1, scanned: at - 1 };
  const length = end < 0 ? at + line.length : at + end + 1;
  try {
    wholeTelegram(bytes.subarray(0, length));
    return { kind: "telegram", length };
  } catch (error) {
    if (error instanceof Problem) return refusedAt(length, error);
    throw error;
  }
}

/**
 * Where the body begins: behind the first line (IEC 62056-21, 6.3.2: three letters of the maker, the baud rate
 * character, then any text). Meters print a `/` there, too (Holley in Hungary, `/HLY5/D545-METER`: github.com/esphome/issues
 * issue 3042); only one that begins an identification of its own does away with this one.
 */
function identificationEnd(bytes: Uint8Array): number | "noise" | "incomplete" {
  const line = bytes.subarray(0, MAX_IDENTIFICATION_BYTES);
  const end = line.indexOf(LF);
  if (!beginsIdentification(line)) return "noise";
  if (end < 0) return line.length < MAX_IDENTIFICATION_BYTES ? "incomplete" : "noise";
  for (let at = line.indexOf(SLASH, 1); at >= 0 && at < end; at = line.indexOf(SLASH, at + 1))
    if (end - at > 4 && beginsIdentification(line.subarray(at, end))) return "noise";
  return end + 1;
}

/** As far as there are bytes. */
function beginsIdentification(bytes: Uint8Array): boolean {
  return bytes.subarray(1, 5).every((byte, at) => (at < 3 ? isLetter(byte) : isBaudRate(byte)));
}

function isLetter(byte: number): boolean {
  return (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);
}

function isBaudRate(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x49);
}

function refusedAt(length: number, problem: Problem): Examination {
  return { kind: "refused", length, problem };
}

function overtaken(length: number): Problem {
  return truncated(length, "the next telegram began before this one ended");
}

function truncated(length: number, what: string): Problem {
  return new Problem("dsmr-truncated", what, { where: `telegram of ${length} bytes` });
}

function oversized(length: number): Problem {
  const where = `telegram of ${length} bytes`;
  return new Problem("dsmr-oversized", `longer than ${MAX_TELEGRAM_BYTES} bytes`, { where });
}
