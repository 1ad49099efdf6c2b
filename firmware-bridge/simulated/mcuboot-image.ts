import { createHash } from "node:crypto";
import { concatBytes, equalBytes } from "../../attest/bytes.ts";

/** What a simulated microcontroller needs to know of an image. */
export interface SimulatedImage {
  readonly version: string;
  /** Of header and body, as the trailer has it. */
  readonly hash: Uint8Array;
  /** Whether the hash is the true one: the image is all there. */
  readonly whole: boolean;
}

export interface ImageContent {
  readonly major: number;
  readonly minor: number;
  readonly revision: number;
  readonly body: Uint8Array;
}

const MAGIC = 0x96f3b83d;
const HEADER_BYTES = 32;
const TRAILER_MAGIC = 0x6907;
const HASH_TYPE = 0x10;
const HASH_BYTES = 32;
const TLV_BYTES = 4;

/**
 * An unsigned image, all little-endian:
 *
 *     u32 magic | u32 load address | u16 header | u16 protected trailer | u32 body | u32 flags | version | u32 pad
 *     body
 *     u16 0x6907 | u16 length of the trailer | u16 0x10 | u16 32 | SHA-256 of header and body
 *
 * Source: mcu-tools/mcuboot docs/design.md, "Image format".
 */
export function buildImage({ major, minor, revision, body }: ImageContent): Uint8Array {
  const header = new DataView(new ArrayBuffer(HEADER_BYTES));
  header.setUint32(0, MAGIC, true);
  header.setUint16(8, HEADER_BYTES, true);
  header.setUint32(12, body.length, true);
  header.setUint8(20, major);
  header.setUint8(21, minor);
  header.setUint16(22, revision, true);
  const trailer = new DataView(new ArrayBuffer(2 * TLV_BYTES));
  trailer.setUint16(0, TRAILER_MAGIC, true);
  trailer.setUint16(2, 2 * TLV_BYTES + HASH_BYTES, true);
  trailer.setUint16(4, HASH_TYPE, true);
  trailer.setUint16(6, HASH_BYTES, true);
  const hashed = concatBytes(new Uint8Array(header.buffer), body);
  return concatBytes(hashed, new Uint8Array(trailer.buffer), sha256(hashed));
}

/** The image at the beginning of a slot; undefined where header or trailer are none. */
export function readImage(flash: Uint8Array): SimulatedImage | undefined {
  const view = new DataView(flash.buffer, flash.byteOffset, flash.byteLength);
  if (flash.length < HEADER_BYTES || view.getUint32(0, true) !== MAGIC) return undefined;
  const end = view.getUint16(8, true) + view.getUint32(12, true);
  if (end + 2 * TLV_BYTES + HASH_BYTES > flash.length) return undefined;
  if (view.getUint16(end, true) !== TRAILER_MAGIC || view.getUint16(end + 4, true) !== HASH_TYPE)
    return undefined;
  const hash = flash.slice(end + 2 * TLV_BYTES, end + 2 * TLV_BYTES + HASH_BYTES);
  const version = `${view.getUint8(20)}.${view.getUint8(21)}.${view.getUint16(22, true)}`;
  return { version, hash, whole: equalBytes(hash, sha256(flash.subarray(0, end))) };
}

function sha256(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest();
}
