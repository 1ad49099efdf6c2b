import { createCipheriv } from "node:crypto";
import { crc16X25 } from "../telegram/crc16.ts";
import { bigEndian, joined, length } from "./dlms-axdr.ts";

const LLC = Uint8Array.of(0xe6, 0xe7, 0x00);
const FLAG = Uint8Array.of(0x7e);
/** What Landis+Gyr's meters put into a block, so that a frame has 141 bytes. */
const BLOCK_BYTES = 119;
/** What Kaifa's meters put into a frame of 250 bytes. */
const MBUS_BYTES = 245;

/** Both addresses of a frame and its control byte, UI (IEC 62056-46). */
const ADDRESSES = Uint8Array.of(0x41, 0x08, 0x83, 0x13);

/** An APDU in HDLC frames with one flag between; in segments where it is longer than `segmentBytes`. */
export function hdlcFrames(apdu: Uint8Array, segmentBytes: number): Uint8Array {
  const parts = pieces(joined(LLC, apdu), segmentBytes);
  return flagged(parts.map((part, at) => hdlcFrame(part, at + 1 < parts.length)));
}

/** An APDU in blocks of a general block transfer (IEC 62056-5-3), each in a frame of its own. */
export function blockFrames(apdu: Uint8Array): Uint8Array {
  const parts = pieces(apdu, BLOCK_BYTES);
  return flagged(
    parts.map((part, at) => {
      const control = at + 1 < parts.length ? 0x40 : 0xc0;
      const head = joined(Uint8Array.of(0xe0, control), bigEndian(at + 1, 2), bigEndian(0, 2));
      return hdlcFrame(joined(at === 0 ? LLC : new Uint8Array(0), head, length(part.length), part), false);
    }),
  );
}

function flagged(frames: readonly Uint8Array[]): Uint8Array {
  return joined(FLAG, ...frames.map((frame) => joined(frame, FLAG)));
}

/** A frame of type 3 without its flags. */
function hdlcFrame(information: Uint8Array, segmented: boolean): Uint8Array {
  const size = 2 + ADDRESSES.length + 2 + information.length + 2;
  const head = joined(bigEndian(0xa000 | (segmented ? 0x0800 : 0) | size, 2), ADDRESSES);
  const body = joined(head, checkOf(head), information);
  return joined(body, checkOf(body));
}

function checkOf(bytes: Uint8Array): Uint8Array {
  const crc = crc16X25(bytes);
  return Uint8Array.of(crc & 0xff, crc >>> 8);
}

/** An APDU in long frames of wired M-Bus: `68 L L 68 53 FF CI 01 67 … checksum 16`, CI with number and last bit. */
export function mbusFrames(apdu: Uint8Array): Uint8Array {
  const parts = pieces(apdu, MBUS_BYTES);
  const frames = parts.map((part, at) => {
    const information = at | (at + 1 < parts.length ? 0 : 0x10);
    const body = joined(Uint8Array.of(0x53, 0xff, information, 0x01, 0x67), part);
    const checksum = body.reduce((sum, byte) => (sum + byte) & 0xff, 0);
    return joined(Uint8Array.of(0x68, body.length, body.length, 0x68), body, Uint8Array.of(checksum, 0x16));
  });
  return joined(...frames);
}

function pieces(bytes: Uint8Array, size: number): Uint8Array[] {
  const count = Math.max(1, Math.ceil(bytes.length / size));
  return Array.from({ length: count }, (_, at) => bytes.subarray(at * size, (at + 1) * size));
}

export interface Envelope {
  readonly key: Uint8Array;
  readonly authenticationKey?: Uint8Array | undefined;
  /** Eight bytes. */
  readonly title: Uint8Array;
  readonly counter: number;
}

/** general-glo-ciphering (IEC 62056-5-3), suite 0: with a tag where there is an authentication key. */
export function enciphered(
  apdu: Uint8Array,
  { key, authenticationKey, title, counter }: Envelope,
): Uint8Array {
  const control = Uint8Array.of(authenticationKey === undefined ? 0x20 : 0x30);
  const count = bigEndian(counter, 4);
  const cipher = createCipheriv("aes-128-gcm", key, joined(title, count), { authTagLength: 12 });
  if (authenticationKey !== undefined) cipher.setAAD(joined(control, authenticationKey));
  const text = joined(cipher.update(apdu), cipher.final());
  const tag = authenticationKey === undefined ? new Uint8Array(0) : cipher.getAuthTag();
  const body = joined(control, count, text, tag);
  return joined(Uint8Array.of(0xdb, title.length), title, length(body.length), body);
}
