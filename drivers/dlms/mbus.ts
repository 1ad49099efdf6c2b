import { Problem } from "../../attest/problem.ts";
import { checksum, HEAD_BYTES, LONG_START, STOP } from "../mbus/frame.ts";

/** Checksum and stop byte. */
const TAIL_BYTES = 2;
/** C, A, CI, STSAP and DTSAP. */
const FIELD_BYTES = 5;
/**
 * A Sagemcom T210-D (AT) sends 257 bytes under the length 01: what EN 13757-2 has no use for is 256 more. Its frames
 * in UtilitechAS/amsreader-firmware @ a88a0be, test/payloads/sagemcom, have the checksum and the stop byte there.
 */
const OVERFLOWN_BELOW = 3;

/** CI: bits 0 to 3 number the segment from 0, bit 4 stands in the last one, all others are 0. */
const LAST_SEGMENT = 0x10;
const NUMBER_MASK = 0x0f;
const CI_MASK = 0x1f;

/** A segment of a telegram in a long frame whose checksum is right. */
export interface MbusSegment {
  /** C, A, STSAP and DTSAP, in hexadecimal: segments of one telegram have the same. */
  readonly addresses: string;
  readonly number: number;
  readonly last: boolean;
  readonly information: Uint8Array;
  readonly size: number;
}

/** What stands where a long frame may begin. It depends on no byte behind `need`. */
export type ExaminedMbus =
  | { readonly kind: "incomplete"; readonly need: number }
  | { readonly kind: "noise" }
  | { readonly kind: "refused"; readonly length: number; readonly problem: Problem }
  | { readonly kind: "segment"; readonly segment: MbusSegment };

/**
 * Examines `bytes`, which begin with 68, for a segment of a telegram over wired M-Bus (EN 13757-2 and -3; the number
 * of segments as UtilitechAS/amsreader-firmware @ a88a0be, src/decoder/src/MbusParser.cpp, and the captures beside it
 * have it):
 *
 *     68 L L 68  C 53  A FF  CI  STSAP DTSAP  information  checksum  16
 *
 * @param offset of the first byte in the stream, for the refusal: `dlms-checksum` or `dlms-stop`
 */
export function examineSegment(bytes: Uint8Array, offset: number): ExaminedMbus {
  const [, first, again, second] = bytes;
  if (again !== undefined && again !== first) return { kind: "noise" };
  if (second !== undefined && second !== LONG_START) return { kind: "noise" };
  if (first === undefined || second === undefined) return { kind: "incomplete", need: HEAD_BYTES };
  const length = first < OVERFLOWN_BELOW ? first + 256 : first;
  if (length <= FIELD_BYTES) return { kind: "noise" };
  const end = HEAD_BYTES + length;
  const size = end + TAIL_BYTES;
  if (bytes.length < size) return { kind: "incomplete", need: size };
  if (bytes[size - 1] !== STOP) return refused("dlms-stop", "the frame does not end with 16", [offset, size]);
  if (checksum(bytes.subarray(HEAD_BYTES, end)) !== bytes[end]) {
    return refused("dlms-checksum", "the checksum of the frame is wrong", [offset, size]);
  }
  const [control = 0, address = 0, ci = 0, source = 0, destination = 0] = bytes.subarray(HEAD_BYTES);
  // Any other CI is a telegram of a heat or water meter.
  if (ci > CI_MASK) return { kind: "noise" };
  const segment = {
    addresses: Buffer.from([control, address, source, destination]).toString("hex"),
    number: ci & NUMBER_MASK,
    last: (ci & LAST_SEGMENT) !== 0,
    information: bytes.slice(HEAD_BYTES + FIELD_BYTES, end),
    size,
  };
  return { kind: "segment", segment };
}

function refused(code: string, what: string, [offset, length]: readonly [number, number]): ExaminedMbus {
  return { kind: "refused", length, problem: new Problem(code, what, { where: `offset ${offset}` }) };
}
