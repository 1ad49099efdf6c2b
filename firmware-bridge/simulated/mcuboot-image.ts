import { createHash } from "node:crypto";
import { concatBytes, equalBytes } from "../../attest/bytes.ts";

/** The hash that a firmware and its bootloader are built for. Firmware does not see images with another one. */
export type ImageHash = "sha256" | "sha512";

/** What a simulated microcontroller needs to know of an image. */
export interface SimulatedImage {
  readonly version: string;
  /** Of header, body and protected trailer, as the other trailer has it. */
  readonly hash: Uint8Array;
  /** Whether the hash is the true one: what is signed is all there. */
  readonly whole: boolean;
}

export interface ImageContent {
  readonly major: number;
  readonly minor: number;
  readonly revision: number;
  readonly body: Uint8Array;
}

/** Where the parts of an image lie, and what stands in its unprotected trailer. */
export interface ImageParts {
  /** End of header, body and protected trailer. */
  readonly signedEnd: number;
  /** The values of each type, in their order. */
  readonly tlvs: ReadonlyMap<number, readonly Uint8Array[]>;
}

const MAGIC = 0x96f3b83d;
const HEADER_BYTES = 32;
const TRAILER_MAGIC = 0x6907;
const PROTECTED_MAGIC = 0x6908;
const HASH_TYPES: Readonly<Record<ImageHash, number>> = { sha256: 0x10, sha512: 0x12 };
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
export function buildImage(content: ImageContent): Uint8Array {
  const hashed = headerAndBody(content);
  return concatBytes(hashed, trailer([[HASH_TYPES.sha256, hashOf("sha256", hashed)]]));
}

/** What a hash is over where nothing is protected. */
export function headerAndBody({ major, minor, revision, body }: ImageContent): Uint8Array {
  const header = new DataView(new ArrayBuffer(HEADER_BYTES));
  header.setUint32(0, MAGIC, true);
  header.setUint16(8, HEADER_BYTES, true);
  header.setUint32(12, body.length, true);
  header.setUint8(20, major);
  header.setUint8(21, minor);
  header.setUint16(22, revision, true);
  return concatBytes(new Uint8Array(header.buffer), body);
}

/** An unprotected trailer of these types and values. */
export function trailer(tlvs: readonly (readonly [type: number, value: Uint8Array])[]): Uint8Array {
  const parts = tlvs.map(([type, value]) => concatBytes(twoWords(type, value.length), value));
  const bytes = parts.reduce((sum, part) => sum + part.length, TLV_BYTES);
  return concatBytes(twoWords(TRAILER_MAGIC, bytes), ...parts);
}

/** The image at the beginning of a slot; undefined where there is none with a hash of that kind. */
export function readImage(flash: Uint8Array, hash: ImageHash = "sha256"): SimulatedImage | undefined {
  const parts = imageParts(flash);
  const [said, second] = parts?.tlvs.get(HASH_TYPES[hash]) ?? [];
  if (parts === undefined || said === undefined || second !== undefined) return undefined;
  const actual = hashOf(hash, flash.subarray(0, parts.signedEnd));
  if (said.length !== actual.length) return undefined;
  const view = viewOf(flash);
  const build = view.getUint32(24, true);
  const version = [
    view.getUint8(20),
    view.getUint8(21),
    view.getUint16(22, true),
    ...(build === 0 ? [] : [build]),
  ];
  return { version: version.join("."), hash: said, whole: equalBytes(said, actual) };
}

/**
 * As firmware finds its way: over the protected trailer, if there is one, through the other one as far as it goes. Undefined
 * where header or trailer are none. Source: zephyrproject-rtos/zephyr subsys/mgmt/mcumgr/grp/img_mgmt/src/img_mgmt.c,
 * commit 06407b7, `img_mgmt_read_info`.
 */
export function imageParts(flash: Uint8Array): ImageParts | undefined {
  const view = viewOf(flash);
  if (flash.length < HEADER_BYTES || view.getUint32(0, true) !== MAGIC) return undefined;
  const bodyEnd = view.getUint16(8, true) + view.getUint32(12, true);
  const signedEnd = bodyEnd + (sizeAt(view, bodyEnd, PROTECTED_MAGIC) ?? 0);
  const size = sizeAt(view, signedEnd, TRAILER_MAGIC);
  if (size === undefined) return undefined;
  const end = Math.min(signedEnd + size, flash.length);
  const tlvs = new Map<number, readonly Uint8Array[]>();
  for (let at = signedEnd + TLV_BYTES; at + TLV_BYTES <= end; ) {
    const type = view.getUint16(at, true);
    const next = at + TLV_BYTES + view.getUint16(at + 2, true);
    if (next <= end) tlvs.set(type, [...(tlvs.get(type) ?? []), flash.slice(at + TLV_BYTES, next)]);
    at = next;
  }
  return { signedEnd, tlvs };
}

function sizeAt(view: DataView, offset: number, magic: number): number | undefined {
  if (offset + TLV_BYTES > view.byteLength || view.getUint16(offset, true) !== magic) return undefined;
  return view.getUint16(offset + 2, true);
}

function twoWords(first: number, second: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(TLV_BYTES));
  view.setUint16(0, first, true);
  view.setUint16(2, second, true);
  return new Uint8Array(view.buffer);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function hashOf(hash: ImageHash, bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash(hash).update(bytes).digest());
}
