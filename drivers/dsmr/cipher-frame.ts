import { Problem } from "../../attest/problem.ts";
import type { Examination, Place } from "../telegram/stream-framer.ts";

/** First byte of an encrypted frame. */
export const CIPHER_TAG = 0xdb;

/**
 * Head of an encrypted P1 frame (E-Meter P1 Specification of Luxmetering, 1.1.3, 3.2.5; DLMS general-glo-ciphering).
 * Sagemcom meters in Austria send the same.
 *
 *     DB  08  8 bytes of system title  82  2 bytes of length  30  4 bytes of counter  text  12 bytes of tag
 *
 * `undefined` stands for any byte. The length counts what follows it.
 */
const HEAD: readonly (number | undefined)[] = [
  ...[CIPHER_TAG, 0x08, ...Array<undefined>(8)],
  ...[0x82, undefined, undefined, 0x30],
];
const LENGTH_AT = 11;
const BEFORE_LENGTH_COUNTS = 13;
/** Control byte, counter and tag around at least one byte of text. */
const MIN_LENGTH = 1 + 4 + 12 + 1;

/** Whether an encrypted frame begins here, and how long it is. */
export function examineCipherFrame(bytes: Uint8Array, place: Place, maxBytes: number): Examination {
  if (!fitsHead(bytes)) return { kind: "noise" };
  if (bytes.length < HEAD.length) return { kind: "incomplete", need: bytes.length + 1 };
  const counted = ((bytes[LENGTH_AT] ?? 0) << 8) | (bytes[LENGTH_AT + 1] ?? 0);
  const length = BEFORE_LENGTH_COUNTS + counted;
  if (counted < MIN_LENGTH || length > maxBytes) return wrongLength(counted, maxBytes);
  const next = nextHead(bytes.subarray(0, length), place.scanned);
  if (next !== undefined) return { kind: "refused", length: next, problem: overtaken(next, length) };
  if (bytes.length >= length)
    return { kind: "telegram", length, used: length - overlap(bytes.subarray(0, length)) };
  return { kind: "incomplete", need: bytes.length + 1, scanned: bytes.length };
}

/** An encrypted frame was begun, and the stream ended; undefined where not even its head is there. */
export function cutCipherFrame(bytes: Uint8Array): Problem | undefined {
  if (bytes.length < HEAD.length) return undefined;
  return new Problem("dsmr-truncated", "the stream ended within an encrypted telegram", {
    where: `telegram of ${bytes.length} bytes`,
  });
}

/**
 * Where another frame begins within this one: lost bytes or a changed length made this one reach into the next. A system
 * title begins with the three letters of its maker, so that no encrypted text looks like a head by chance (2 to the -42).
 */
function nextHead(bytes: Uint8Array, scanned: number): number | undefined {
  let at = Math.max(HEAD.length, scanned - HEAD.length + 1) - 1;
  do at = bytes.indexOf(CIPHER_TAG, at + 1);
  while (at >= 0 && !(fitsHead(bytes.subarray(at)) && bytes.subarray(at + 2, at + 5).every(isCapital)));
  return at < 0 || at + HEAD.length > bytes.length ? undefined : at;
}

/** As far as there are bytes. */
function fitsHead(bytes: Uint8Array): boolean {
  return HEAD.every((byte, at) => at >= bytes.length || byte === undefined || byte === bytes[at]);
}

function isCapital(byte: number): boolean {
  return byte >= 0x41 && byte <= 0x5a;
}

/** How many of the last bytes may be the first ones of the next frame, where this one lost some. */
function overlap(frame: Uint8Array): number {
  let count = HEAD.length - 1;
  while (count > 0 && !fitsHead(frame.subarray(frame.length - count))) count -= 1;
  return count;
}

function overtaken(length: number, stated: number): Problem {
  return new Problem("dsmr-truncated", "the next encrypted telegram began before this one ended", {
    where: `telegram of ${length} bytes`,
    expected: `${stated} bytes`,
  });
}

function wrongLength(counted: number, maxBytes: number): Examination {
  const problem = new Problem("dsmr-length", "an encrypted telegram states a length that none has", {
    expected: `${MIN_LENGTH} to ${maxBytes - BEFORE_LENGTH_COUNTS}`,
    got: `${counted}`,
  });
  return { kind: "refused", length: HEAD.length, problem };
}
