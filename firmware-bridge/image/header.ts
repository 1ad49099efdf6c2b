import { FLAG, HEADER_BYTES, hex32, IMAGE_MAGIC, readU16, readU32, refusal, requireBytes } from "./layout.ts";

/** Major and minor 0 to 255, revision to 65535, build to 2^32-1. */
export interface ImageVersion {
  readonly major: number;
  readonly minor: number;
  readonly revision: number;
  readonly build: number;
}

/** Where the body may run: any slot, the one flash address that it was linked for, or RAM. */
export type RunsFrom = "any-slot" | "fixed-address" | "ram";

export interface ImageHeader {
  /** An address in flash or RAM where `runsFrom` says so, without meaning otherwise. */
  readonly loadAddress: number;
  readonly headerSize: number;
  /** Size of the protected area with its four bytes of info; 0 where there is none. */
  readonly protectedSize: number;
  /** Size of the body, bytes. */
  readonly imageSize: number;
  readonly flags: number;
  readonly runsFrom: RunsFrom;
  readonly version: ImageVersion;
}

/**
 * Reads the header and refuses what cannot be an image for a slot. The filler behind its 32 bytes and the unused word are
 * under the digest and mean nothing.
 * @throws Problem `image-truncated`, `image-magic`, `image-header-size`, `image-empty`, `image-size`, `image-encrypted`,
 *   `image-compressed`, `image-not-bootable`, `image-flags`
 */
export function readHeader(bytes: Uint8Array): ImageHeader {
  requireBytes(bytes, 0, 4);
  requireMagic(readU32(bytes, 0));
  requireBytes(bytes, 0, HEADER_BYTES);
  const flags = readU32(bytes, 16);
  const header = {
    loadAddress: readU32(bytes, 4),
    headerSize: readU16(bytes, 8),
    protectedSize: readU16(bytes, 10),
    imageSize: readU32(bytes, 12),
    flags,
    runsFrom: runsFrom(flags),
    version: readVersion(bytes),
  };
  requireSizes(header);
  requireBytes(bytes, 0, header.headerSize + header.imageSize + header.protectedSize);
  return header;
}

function readVersion(bytes: Uint8Array): ImageVersion {
  return {
    major: bytes[20] ?? 0,
    minor: bytes[21] ?? 0,
    revision: readU16(bytes, 22),
    build: readU32(bytes, 24),
  };
}

/**
 * The version as a management server lists it: the build number only where there is one (Zephyr, `img_mgmt_ver_str`), so
 * "1.2.3" or "1.2.3.4" for what imgtool calls 1.2.3+4.
 */
export function versionText({ major, minor, revision, build }: ImageVersion): string {
  return `${major}.${minor}.${revision}${build === 0 ? "" : `.${build}`}`;
}

/** What else starts a file that someone takes for an image: the first four bytes, little-endian. */
const OTHER_FILES: ReadonlyMap<number, string> = new Map([
  [0x96f3b83c, "this is MCUboot's first format; sign the body again"],
  [0x3db8f396, "this image is big-endian; microcontrollers managed here are little-endian"],
  [0xffff_ffff, "this is erased flash"],
  [0x464c_457f, "this is an ELF file; take the signed binary"],
]);

function requireMagic(magic: number): void {
  if (magic === IMAGE_MAGIC) return;
  const isIntelHex = (magic & 0xff) === 0x3a;
  const hint = isIntelHex ? "this is Intel HEX; take the signed binary" : OTHER_FILES.get(magic);
  throw refusal("image-magic", "not a MCUboot image", {
    offset: 0,
    expected: hex32(IMAGE_MAGIC),
    got: hex32(magic),
    ...(hint === undefined ? {} : { hint }),
  });
}

function requireSizes({ headerSize, imageSize, protectedSize }: Omit<ImageHeader, "version">): void {
  if (headerSize < HEADER_BYTES) {
    throw refusal("image-header-size", "the header says that it is shorter than a header", {
      offset: 8,
      expected: `at least ${HEADER_BYTES}`,
      got: String(headerSize),
    });
  }
  if (imageSize === 0) throw refusal("image-empty", "the image has no body", { offset: 12 });
  // MCUboot adds these in 32 bits (boot_check_header_valid) and would refuse the sum, older ones let it wrap
  if (headerSize + imageSize + protectedSize > 0xffff_ffff) {
    throw refusal("image-size", "the sizes in the header add up to more than 32 bits hold", {
      offset: 12,
      got: `${headerSize} + ${imageSize} + ${protectedSize}`,
    });
  }
}

/**
 * The digest of an encrypted or compressed image is over what comes out of it (imgtool hashes before it encrypts), so
 * nothing can be said about the bytes at hand; a flag nobody knows may mean the same.
 */
function runsFrom(flags: number): RunsFrom {
  const refuse = (code: `image-${string}`, what: string): Error =>
    refusal(code, what, { offset: 16, got: hex32(flags) });
  if ((flags & FLAG.encrypted) !== 0)
    throw refuse("image-encrypted", "an encrypted image cannot be verified here");
  if ((flags & FLAG.compressed) !== 0)
    throw refuse("image-compressed", "a compressed image cannot be verified here");
  if ((flags & FLAG.notBootable) !== 0)
    throw refuse("image-not-bootable", "MCUboot would never start this image");
  if ((flags & ~(FLAG.ramLoad | FLAG.romFixed)) !== 0)
    throw refuse("image-flags", "a flag of unknown meaning is set");
  if (flags === (FLAG.ramLoad | FLAG.romFixed))
    throw refuse("image-flags", "one address cannot be in RAM and in flash");
  if ((flags & FLAG.ramLoad) !== 0) return "ram";
  return (flags & FLAG.romFixed) !== 0 ? "fixed-address" : "any-slot";
}
