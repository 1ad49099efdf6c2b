import { Problem } from "../../attest/problem.ts";

/** `68 L L 68`, 255 bytes from C on, checksum and `16`. */
export const MAX_FRAME_BYTES: number = 261;

const ACKNOWLEDGEMENT = 0xe5;
const SHORT_START = 0x10;
/** Opens a long frame, twice. */
export const LONG_START = 0x68;
export const STOP = 0x16;
const SHORT_BYTES = 5;
/** `68 L L 68` */
export const HEAD_BYTES = 4;
/** C, A and CI. */
const MIN_LENGTH = 3;

/**
 * A frame of the link layer (EN 13757-2; IEC 60870-5-2 format class FT 1.2):
 *
 *     E5                                 acknowledgement
 *     10 C A CS 16                       short
 *     68 L L 68 C A CI CS 16             control (L = 3)
 *     68 L L 68 C A CI data CS 16        long
 */
export type MbusFrame =
  | { readonly kind: "acknowledgement" }
  | { readonly kind: "short"; readonly control: number; readonly address: number }
  | {
      readonly kind: "control" | "long";
      readonly control: number;
      readonly address: number;
      /** CI: what the data is. */
      readonly information: number;
    };

/** Where the application data of a long frame begins. */
export const DATA_OFFSET = 7;

/** What the bytes from a place on are: too few to say, nothing, a frame of `length` bytes, or a damaged one. */
export type Judgement =
  | { readonly kind: "incomplete"; readonly need: number }
  | { readonly kind: "noise" }
  | { readonly kind: "frame"; readonly length: number }
  | { readonly kind: "damaged"; readonly length: number; readonly code: string; readonly what: string };

const NOISE: Judgement = { kind: "noise" };

/** Judges the frame that begins with the first of `bytes`. */
export function judgeFrame(bytes: Uint8Array): Judgement {
  switch (bytes[0]) {
    case ACKNOWLEDGEMENT:
      return { kind: "frame", length: 1 };
    case SHORT_START:
      return judgeShort(bytes);
    case LONG_START:
      return judgeLong(bytes);
    default:
      return NOISE;
  }
}

/** `10` is common in data: only what also ends like a short frame is taken for one. */
function judgeShort(bytes: Uint8Array): Judgement {
  if (bytes.length < SHORT_BYTES) return { kind: "incomplete", need: SHORT_BYTES };
  if (bytes[4] !== STOP) return NOISE;
  return checksum(bytes.subarray(1, 3)) === bytes[3]
    ? { kind: "frame", length: SHORT_BYTES }
    : damaged(SHORT_BYTES, "mbus-checksum", WRONG_CHECKSUM);
}

function judgeLong(bytes: Uint8Array): Judgement {
  const [, length = 0, again, second] = bytes;
  if (bytes.length < HEAD_BYTES) return { kind: "incomplete", need: HEAD_BYTES };
  if (second !== LONG_START) return NOISE;
  if (length !== again) return damaged(HEAD_BYTES, "mbus-length", "the two length bytes differ");
  if (length < MIN_LENGTH) return damaged(HEAD_BYTES, "mbus-length", "a length below 3 has no place for CI");
  const total = length + HEAD_BYTES + 2;
  if (bytes.length < total) return { kind: "incomplete", need: total };
  if (bytes[total - 1] !== STOP) return damaged(total, "mbus-stop", "the frame does not end with 16");
  const right = checksum(bytes.subarray(HEAD_BYTES, total - 2)) === bytes[total - 2];
  return right ? { kind: "frame", length: total } : damaged(total, "mbus-checksum", WRONG_CHECKSUM);
}

const WRONG_CHECKSUM = "the checksum is wrong: bytes were changed or lost on the line";

function damaged(length: number, code: string, what: string): Judgement {
  return { kind: "damaged", length, code, what };
}

/** The arithmetic sum without carry (EN 13757-2). */
export function checksum(bytes: Uint8Array): number {
  return bytes.reduce((total, byte) => (total + byte) & 0xff, 0);
}

/**
 * Takes exactly one frame apart.
 *
 * @throws Problem `mbus-start`, `mbus-length`, `mbus-stop`, `mbus-checksum`, `mbus-truncated` or `mbus-trailing`
 */
export function parseFrame(bytes: Uint8Array): MbusFrame {
  const judgement = judgeFrame(bytes);
  switch (judgement.kind) {
    case "noise":
      throw new Problem("mbus-start", "no frame begins here", {
        where: "offset 0",
        expected: "E5, 10 or 68",
      });
    case "incomplete":
      throw new Problem("mbus-truncated", "the frame is cut off", { where: `offset ${bytes.length}` });
    case "damaged":
      throw new Problem(judgement.code, judgement.what, { where: "offset 0" });
    case "frame":
      break;
  }
  if (judgement.length !== bytes.length) {
    throw new Problem("mbus-trailing", "bytes follow the frame", { where: `offset ${judgement.length}` });
  }
  return fields(bytes);
}

function fields(bytes: Uint8Array): MbusFrame {
  if (bytes[0] === ACKNOWLEDGEMENT) return { kind: "acknowledgement" };
  if (bytes[0] === SHORT_START) return { kind: "short", control: bytes[1] ?? 0, address: bytes[2] ?? 0 };
  const [control = 0, address = 0, information = 0] = bytes.subarray(HEAD_BYTES);
  const kind = bytes.length === HEAD_BYTES + MIN_LENGTH + 2 ? "control" : "long";
  return { kind, control, address, information };
}

/** Bit 6 of C: sent by a master (EN 13757-2). */
export function isFromMaster(control: number): boolean {
  return (control & 0x40) !== 0;
}
