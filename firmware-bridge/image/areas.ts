import { equalBytes } from "../../attest/bytes.ts";
import type { Problem } from "../../attest/problem.ts";
import type { ImageHeader } from "./header.ts";
import {
  AREA_INFO_BYTES,
  hex16,
  PROTECTED_MAGIC,
  readU16,
  refusal,
  requireBytes,
  TLV_HEADER_BYTES,
  TRAILER_MAGICS,
  UNPROTECTED_MAGIC,
} from "./layout.ts";

export interface Tlv {
  readonly type: number;
  /** Of the TLV's own four bytes of type and length, from the start of the image. */
  readonly offset: number;
  readonly value: Uint8Array;
}

export interface TlvArea {
  readonly offset: number;
  /** With the four bytes of info; 0 where there is no such area. */
  readonly size: number;
  readonly tlvs: readonly Tlv[];
}

export interface TlvAreas {
  readonly protectedArea: TlvArea;
  readonly unprotectedArea: TlvArea;
}

/**
 * Reads the two areas behind the body. They must fill the file: each TLV its area, both areas all that is left.
 * MCUboot's own walk (boot/bootutil/src/tlv.c) reads both as one stretch; one that spills over is refused here.
 * @throws Problem `image-protected-missing`, `image-protected-unannounced`, `image-protected-size`, `image-area-magic`,
 *   `image-area-size`, `image-truncated`, `image-tlv-header`, `image-tlv-length`, `image-slot-dump`, `image-trailing`
 */
export function readAreas(bytes: Uint8Array, header: ImageHeader): TlvAreas {
  const offset = header.headerSize + header.imageSize;
  requireBytes(bytes, offset, AREA_INFO_BYTES);
  const protectedArea = readProtected(bytes, offset, header.protectedSize);
  const unprotectedArea = readUnprotected(bytes, offset + protectedArea.size);
  const end = unprotectedArea.offset + unprotectedArea.size;
  if (end < bytes.length) throw surplus(bytes, end);
  return { protectedArea, unprotectedArea };
}

function readProtected(bytes: Uint8Array, offset: number, announced: number): TlvArea {
  const isThere = readU16(bytes, offset) === PROTECTED_MAGIC;
  if (announced === 0) {
    if (isThere)
      throw protectedProblem("image-protected-unannounced", "the header names no protected area", offset);
    return { offset, size: 0, tlvs: [] };
  }
  if (!isThere)
    throw protectedProblem("image-protected-missing", "the protected area is not where it should be", offset);
  const size = readU16(bytes, offset + 2);
  if (size !== announced || size < AREA_INFO_BYTES) {
    throw refusal("image-protected-size", "header and protected area differ on its size", {
      offset: offset + 2,
      expected: announced < AREA_INFO_BYTES ? `at least ${AREA_INFO_BYTES}` : String(announced),
      got: String(size),
    });
  }
  return { offset, size, tlvs: readTlvs(bytes, offset, size) };
}

function protectedProblem(code: `image-${string}`, what: string, offset: number): Problem {
  return refusal(code, what, { offset });
}

function readUnprotected(bytes: Uint8Array, offset: number): TlvArea {
  requireBytes(bytes, offset, AREA_INFO_BYTES);
  const magic = readU16(bytes, offset);
  if (magic !== UNPROTECTED_MAGIC) {
    throw refusal("image-area-magic", "no TLV area where it should be", {
      offset,
      expected: hex16(UNPROTECTED_MAGIC),
      got: hex16(magic),
    });
  }
  const size = readU16(bytes, offset + 2);
  if (size < AREA_INFO_BYTES) {
    throw refusal("image-area-size", "a TLV area counts its own info", {
      offset: offset + 2,
      expected: `at least ${AREA_INFO_BYTES}`,
      got: String(size),
    });
  }
  requireBytes(bytes, offset, size);
  return { offset, size, tlvs: readTlvs(bytes, offset, size) };
}

function readTlvs(bytes: Uint8Array, areaOffset: number, areaSize: number): Tlv[] {
  const tlvs: Tlv[] = [];
  const end = areaOffset + areaSize;
  let at = areaOffset + AREA_INFO_BYTES;
  while (at < end) {
    const tlv = readTlv(bytes, at, end);
    tlvs.push(tlv);
    at += TLV_HEADER_BYTES + tlv.value.length;
  }
  return tlvs;
}

function readTlv(bytes: Uint8Array, offset: number, end: number): Tlv {
  const left = end - offset - TLV_HEADER_BYTES;
  if (left < 0) {
    throw refusal("image-tlv-header", "the area ends within a TLV's type and length", {
      offset,
      expected: `${TLV_HEADER_BYTES} bytes`,
      got: String(end - offset),
    });
  }
  const length = readU16(bytes, offset + 2);
  if (length > left) {
    throw refusal("image-tlv-length", "a TLV is longer than its area", {
      offset: offset + 2,
      expected: `at most ${left}`,
      got: String(length),
    });
  }
  const start = offset + TLV_HEADER_BYTES;
  return { type: readU16(bytes, offset), offset, value: bytes.slice(start, start + length) };
}

/**
 * Bytes behind the image. What was read from a slot, or padded to fill one, may end in a trailer that makes MCUboot swap to
 * this image, even for good, at the next reset, past testing and confirming. Other bytes can hide a digest: Zephyr's list of
 * images looks four bytes past the area (subsys/mgmt/mcumgr/grp/img_mgmt/src/img_mgmt.c at 06407b78).
 */
function surplus(bytes: Uint8Array, offset: number): Problem {
  const rest = bytes.subarray(offset);
  const got = `${rest.length} more bytes`;
  if (isErased(rest) || TRAILER_MAGICS.some((magic) => equalBytes(rest.slice(-magic.length), magic))) {
    return refusal("image-slot-dump", "the image is padded or was read from a slot", {
      offset,
      got,
      hint: "take the signed image as it is before padding (imgtool without --pad, --test and --confirm)",
    });
  }
  return refusal("image-trailing", "bytes stand behind the image", { offset, got });
}

/** Flash erases to ones, rarely to zeros. */
function isErased(bytes: Uint8Array): boolean {
  const [first] = bytes;
  return (first === 0xff || first === 0x00) && bytes.every((byte) => byte === first);
}
