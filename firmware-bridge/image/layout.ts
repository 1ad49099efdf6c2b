import { fromHex, toHex } from "../../attest/bytes.ts";
import { Problem } from "../../attest/problem.ts";

/**
 * The numbers of a MCUboot image (mcu-tools/mcuboot at 2d4bacc3: boot/bootutil/include/bootutil/image.h and
 * docs/design.md, "Image format"). Everything is little-endian:
 *
 *      0  u32  magic                 12  u32  size of the body, header not counted
 *      4  u32  load address          16  u32  flags
 *      8  u16  size of the header    20  u8 u8 u16 u32  version: major, minor, revision, build
 *     10  u16  size of the           28  u32  unused
 *              protected area        32  filler up to the size of the header, then the body
 *
 *     protected area   u16 0x6908, u16 its whole size, TLVs   (only where the header gives a size)
 *     unprotected area u16 0x6907, u16 its whole size, TLVs   digest, key, signature
 *     TLV              u16 type, u16 length of the value, value
 */
export const HEADER_BYTES = 32;
export const AREA_INFO_BYTES = 4;
export const TLV_HEADER_BYTES = 4;

export const IMAGE_MAGIC = 0x96f3b83d;
export const UNPROTECTED_MAGIC = 0x6907;
export const PROTECTED_MAGIC = 0x6908;

/** Flags of the header. */
export const FLAG = {
  encrypted: 0x0000_000c,
  notBootable: 0x0000_0010,
  ramLoad: 0x0000_0020,
  romFixed: 0x0000_0100,
  compressed: 0x0000_0e00,
} as const;

/** Types of TLV that mean something here. */
export const TLV = {
  keyHash: 0x01,
  publicKey: 0x02,
  sha256: 0x10,
  sha384: 0x11,
  sha512: 0x12,
  ed25519: 0x24,
  pure: 0x25,
  securityCounter: 0x50,
  bootRecord: 0x60,
  vendorId: 0x74,
  classId: 0x75,
} as const;

/** Last bytes of a slot whose image waits for a swap (docs/design.md, "Image trailer"): for writes of 8 bytes at most, and above. */
export const TRAILER_MAGICS: readonly Uint8Array[] = [
  fromHex("77c295f360d2ef7f3552500f2cb67980", "trailer magic"),
  fromHex("2de15d29410b8d77679c110f1f8a", "trailer magic"),
];

/** DER before the 32 bytes of an Ed25519 public key (RFC 8410, section 4): the key's hash is taken over both. */
export const SPKI_PREFIX: Uint8Array = fromHex("302a300506032b6570032100", "SPKI prefix");

/** The little-endian 16-bit integer at an offset that is known to be inside. */
export function readU16(bytes: Uint8Array, offset: number): number {
  return viewOf(bytes).getUint16(offset, true);
}

/** The little-endian 32-bit integer at an offset that is known to be inside. */
export function readU32(bytes: Uint8Array, offset: number): number {
  return viewOf(bytes).getUint32(offset, true);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Such as 0x6907. */
export function hex16(value: number): string {
  return `0x${value.toString(16).padStart(4, "0")}`;
}

/** Such as 0x96f3b83d. */
export function hex32(value: number): string {
  return `0x${value.toString(16).padStart(8, "0")}`;
}

/** The start of a digest or a key, enough to tell two apart. */
export function shortHex(bytes: Uint8Array): string {
  return bytes.length <= 8 ? toHex(bytes) : `${toHex(bytes.subarray(0, 8))}... (${bytes.length} bytes)`;
}

/** What an image is refused for, and the byte it was seen at. */
export interface Refusal {
  readonly offset: number;
  readonly expected?: string;
  readonly got?: string;
  readonly hint?: string;
}

/** A refusal of the image with its byte offset. */
export function refusal(code: `image-${string}`, what: string, { offset, ...rest }: Refusal): Problem {
  return new Problem(code, what, { where: `offset ${offset}`, ...rest });
}

/**
 * Refuses an image that ends within what begins at `offset`.
 * @throws Problem `image-truncated`
 */
export function requireBytes(bytes: Uint8Array, offset: number, size: number): void {
  if (offset + size <= bytes.length) return;
  throw refusal("image-truncated", "the image ends too early", {
    offset,
    expected: `${size} bytes`,
    got: String(Math.max(0, bytes.length - offset)),
  });
}
