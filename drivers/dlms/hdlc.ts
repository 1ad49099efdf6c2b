import { Problem } from "../../attest/problem.ts";
import { crc16X25 } from "../telegram/crc16.ts";

/** Opens and closes a frame; one flag may do both (ISO/IEC 13239). */
export const FLAG = 0x7e;
/** The length field has 11 bits and counts all between the flags (IEC 62056-46). */
export const MAX_FRAME_BYTES: number = 2047 + 2;

/** LLC header of what a meter sends: destination E6, source E7, quality 00 (IEC 62056-46). */
export const LLC: readonly number[] = [0xe6, 0xe7, 0x00];

const FORMAT_BYTES = 2;
const CHECK_BYTES = 2;
const MAX_ADDRESS_BYTES = 4;

/** One frame whose checks are right. */
export interface HdlcFrame {
  /** Both addresses as they stand there, in hexadecimal: segments of one telegram have the same. */
  readonly addresses: string;
  readonly control: number;
  /** More segments follow. */
  readonly segmented: boolean;
  readonly information: Uint8Array;
  /** Both flags included. */
  readonly size: number;
}

/** What stands where a frame may begin. It depends on no byte behind `need`. */
export type Examined =
  | { readonly kind: "incomplete"; readonly need: number }
  | { readonly kind: "noise" }
  | { readonly kind: "refused"; readonly length: number; readonly problem: Problem }
  | { readonly kind: "frame"; readonly frame: HdlcFrame };

interface Header {
  readonly length: number;
  readonly controlAt: number;
}

/**
 * Examines `bytes`, which begin with a flag, for a frame of type 3 (IEC 62056-46):
 *
 *     7E  format 2  destination 1-4  source 1-4  control  [HCS 2  information]  FCS 2  7E
 *
 * Bytes are not escaped in it: the length alone says where it ends.
 *
 * @param offset of the flag in the stream, for the refusal: `dlms-hcs`, `dlms-fcs`, `dlms-flag` or `dlms-length`
 */
export function examineFrame(bytes: Uint8Array, offset: number): Examined {
  const header = readHeader(bytes);
  if (header === "noise") return { kind: "noise" };
  if (typeof header === "number") return incomplete(header);
  const { length, controlAt } = header;
  const headerEnd = controlAt + 1;
  const checkAt = 1 + length - CHECK_BYTES;
  if (checkAt < headerEnd || checkAt === headerEnd + 1) return { kind: "noise" };
  const hasInformation = checkAt > headerEnd;
  if (hasInformation) {
    const checkedEnd = headerEnd + CHECK_BYTES;
    if (bytes.length < checkedEnd) return incomplete(checkedEnd);
    // A length that is not vouched for says nothing of where the frame ends.
    if (!checked(bytes, headerEnd)) return refused("dlms-hcs", HEADER_WRONG, [offset, checkedEnd]);
  }
  const size = 1 + length + 1;
  if (bytes.length < size) return incomplete(size);
  if (!checked(bytes, checkAt)) return refused("dlms-fcs", FRAME_WRONG, [offset, size - 1]);
  if (bytes[size - 1] !== FLAG) return refused("dlms-flag", NO_FLAG, [offset, size - 1]);
  return { kind: "frame", frame: frameOf(bytes, header, hasInformation) };
}

function frameOf(bytes: Uint8Array, header: Header, hasInformation: boolean): HdlcFrame {
  const { length, controlAt } = header;
  const from = controlAt + 1 + CHECK_BYTES;
  const end = 1 + length - CHECK_BYTES;
  return {
    addresses: Buffer.from(bytes.subarray(1 + FORMAT_BYTES, controlAt)).toString("hex"),
    control: bytes[controlAt] ?? 0,
    segmented: ((bytes[1] ?? 0) & 0x08) !== 0,
    information: hasInformation ? bytes.slice(from, end) : new Uint8Array(0),
    size: 1 + length + 1,
  };
}

/** The header; or how many bytes it needs to go on; or that this is none. */
function readHeader(bytes: Uint8Array): Header | number | "noise" {
  const format = bytes[1];
  if (format === undefined) return 2;
  if ((format & 0xf0) !== 0xa0) return "noise";
  const low = bytes[2];
  if (low === undefined) return 3;
  const destinationEnd = addressEnd(bytes, 1 + FORMAT_BYTES);
  if (destinationEnd === "noise") return "noise";
  if (destinationEnd > bytes.length) return destinationEnd;
  const controlAt = addressEnd(bytes, destinationEnd);
  if (controlAt === "noise") return "noise";
  if (controlAt >= bytes.length) return Math.max(controlAt, bytes.length + 1);
  return { length: ((format & 0x07) << 8) | low, controlAt };
}

/** The lowest bit of an address's last byte is set (ISO/IEC 13239, 4.7.1). Beyond `bytes`: what more is needed. */
function addressEnd(bytes: Uint8Array, from: number): number | "noise" {
  for (let at = from; at < from + MAX_ADDRESS_BYTES; at += 1) {
    const byte = bytes[at];
    if (byte === undefined) return at + 1;
    if ((byte & 1) === 1) return at + 1;
  }
  return "noise";
}

function checked(bytes: Uint8Array, at: number): boolean {
  return crc16X25(bytes.subarray(1, at)) === ((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8));
}

const HEADER_WRONG = "the check of the header is wrong";
const FRAME_WRONG = "the check of the frame is wrong";
const NO_FLAG = "no flag stands where the frame ends";

function incomplete(need: number): Examined {
  return { kind: "incomplete", need };
}

function refused(code: string, what: string, [offset, length]: readonly [number, number]): Examined {
  return { kind: "refused", length, problem: new Problem(code, what, { where: `offset ${offset}` }) };
}

/** Does the information begin with the LLC header, as the first segment of a telegram does? */
export function beginsTelegram(information: Uint8Array): boolean {
  return LLC.every((byte, at) => information[at] === byte);
}

/** UI frames (03, 13) and I frames (lowest bit clear) carry telegrams; all others run a connection (IEC 62056-46). */
export function carriesData(control: number): boolean {
  return (control & 0xef) === 0x03 || (control & 0x01) === 0;
}
