import { createHash } from "node:crypto";
import { concatBytes, equalBytes, toHex } from "../../attest/bytes.ts";
import { nativeSuite } from "../../attest/native.ts";
import { Problem } from "../../attest/problem.ts";
import { readAreas, type Tlv, type TlvAreas } from "./areas.ts";
import { type ImageHeader, type ImageVersion, type RunsFrom, readHeader } from "./header.ts";
import { readU32, refusal, SPKI_PREFIX, shortHex, TLV } from "./layout.ts";
import { readProtectedPlaces, readSeal, type Seal, type SignatureVariant } from "./places.ts";

/** More than any slot that this is for; the caller's own slot is the better bound. */
export const DEFAULT_MAX_BYTES: number = 16 * 1024 * 1024;

/** What the owner trusts, all of it from the configuration. */
export interface ImageTrust {
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly variant: SignatureVariant;
  /** The greatest security counter seen so far; an image without one is then refused, too. */
  readonly minSecurityCounter?: number;
  /** Largest image, bytes; {@link DEFAULT_MAX_BYTES} unless told. */
  readonly maxBytes?: number;
}

/** A stretch of the image; they follow each other without a hole from 0 to its end. */
export interface ImageSection {
  readonly name: "header" | "body" | "protected" | "unprotected";
  readonly offset: number;
  readonly size: number;
}

/** An image whose every byte was accounted for, under one signature of the pinned key. */
export interface VerifiedImage {
  /** A copy made before the first check: send these, not the bytes handed in. */
  readonly bytes: Uint8Array;
  readonly version: ImageVersion;
  /** Size of the body, bytes. */
  readonly imageSize: number;
  readonly loadAddress: number;
  readonly runsFrom: RunsFrom;
  readonly flags: number;
  /** What a management server lists as the image's hash: 32 bytes of SHA-256, or 64 of SHA-512 for a pure signature. */
  readonly digest: Uint8Array;
  /** From the protected area; 0 to 2^32-1. */
  readonly securityCounter?: number;
  /** As the image names its key, where it does so by hash. */
  readonly keyHash?: Uint8Array;
  /** Signed, so kept even where the type is not known: dependencies, boot record, what a maker defines. */
  readonly protectedTlvs: readonly Tlv[];
  readonly sections: readonly ImageSection[];
}

/**
 * Checks a MCUboot image as strictly as its bootloader or more so, before a byte of it is sent. The signature is verified
 * under profile S with the pinned key and no other; what the image says of itself only has to agree.
 * Pure: the verdict follows from the arguments. Formats: mcu-tools/mcuboot at 2d4bacc3 (see `layout.ts`), and for what its
 * signer writes `scripts/imgtool/image.py`.
 *
 * @throws Problem `image-public-key`, `image-too-large`, `image-key`, `image-digest`, `image-signature`,
 *   `image-security-counter-missing`, `image-security-counter`; of the shape, see {@link readHeader}, {@link readAreas} and
 *   {@link readSeal}. Each but the first two names the byte.
 */
export function verifyImage(bytes: Uint8Array, trust: ImageTrust): VerifiedImage {
  requirePinnedKey(trust.publicKey);
  requireAtMost(bytes, trust.maxBytes ?? DEFAULT_MAX_BYTES);
  const image = new Uint8Array(bytes); // not slice(), which in a Buffer would share the memory
  const header = readHeader(image);
  const areas = readAreas(image, header);
  const counter = readProtectedPlaces(areas.protectedArea);
  const seal = readSeal(areas.unprotectedArea, trust.variant);
  requireSealed(image.subarray(0, areas.unprotectedArea.offset), seal, trust);
  const securityCounter = counter === undefined ? undefined : readU32(counter.value, 0);
  requireCounter(securityCounter, counter?.offset ?? areas.protectedArea.offset, trust.minSecurityCounter);
  return {
    ...describe(header, areas),
    bytes: image,
    digest: seal.digest.value,
    ...(securityCounter === undefined ? {} : { securityCounter }),
    ...(seal.key.type === TLV.keyHash ? { keyHash: seal.key.value } : {}),
  };
}

function describe(header: ImageHeader, areas: TlvAreas): Omit<VerifiedImage, "bytes" | "digest"> {
  const { version, imageSize, loadAddress, runsFrom, flags, headerSize } = header;
  const { protectedArea, unprotectedArea } = areas;
  const sections: ImageSection[] = [
    { name: "header", offset: 0, size: headerSize },
    { name: "body", offset: headerSize, size: imageSize },
    { name: "protected", offset: protectedArea.offset, size: protectedArea.size },
    { name: "unprotected", offset: unprotectedArea.offset, size: unprotectedArea.size },
  ];
  return {
    version,
    imageSize,
    loadAddress,
    runsFrom,
    flags,
    protectedTlvs: protectedArea.tlvs,
    sections: sections.filter(({ size }) => size > 0),
  };
}

function requirePinnedKey(publicKey: Uint8Array): void {
  if (nativeSuite.checkPublicKey(publicKey)) return;
  throw new Problem("image-public-key", "the pinned key is not a canonical Ed25519 key of prime order", {
    got: toHex(publicKey.subarray(0, 64)),
  });
}

/** Written so that a bound that is no number refuses everything. */
function requireAtMost(bytes: Uint8Array, maxBytes: number): void {
  if (bytes.length <= maxBytes) return;
  throw new Problem("image-too-large", "the image is larger than its slot", {
    expected: `at most ${maxBytes} bytes`,
    got: String(bytes.length),
  });
}

/** Key, digest and signature, in the order in which their refusals say most. */
function requireSealed(signed: Uint8Array, seal: Seal, { publicKey, variant }: ImageTrust): void {
  const hash = variant === "pure" ? sha512 : nativeSuite.sha256;
  requireKeyNamed(seal.key, concatBytes(SPKI_PREFIX, publicKey), hash);
  const digest = hash(signed);
  if (!equalBytes(digest, seal.digest.value)) {
    throw refusal("image-digest", "the image is not the one that was hashed", {
      offset: seal.digest.offset,
      expected: shortHex(digest),
      got: shortHex(seal.digest.value),
    });
  }
  const message = variant === "pure" ? signed : digest;
  if (nativeSuite.verifySignature(publicKey, message, seal.signature.value)) return;
  throw refusal("image-signature", "the signature is not one of the pinned key for this image", {
    offset: seal.signature.offset,
  });
}

/** By its SubjectPublicKeyInfo of 44 bytes, whole or hashed with the variant's own hash (imgtool, `Image.create`). */
function requireKeyNamed(key: Tlv, spki: Uint8Array, hash: (bytes: Uint8Array) => Uint8Array): void {
  const expected = key.type === TLV.publicKey ? spki : hash(spki);
  if (equalBytes(key.value, expected)) return;
  throw refusal("image-key", "the image says that another key signed it", {
    offset: key.offset,
    expected: shortHex(expected),
    got: shortHex(key.value),
  });
}

function requireCounter(counter: number | undefined, offset: number, least: number | undefined): void {
  if (least === undefined) return;
  if (counter === undefined) {
    throw refusal("image-security-counter-missing", "the image has no security counter", {
      offset,
      expected: `at least ${least}`,
    });
  }
  if (counter >= least) return; // no number is less than NaN: compared this way round, it refuses
  throw refusal("image-security-counter", "the image is older than one that ran before", {
    offset,
    expected: `at least ${least}`,
    got: String(counter),
  });
}

function sha512(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha512").update(bytes).digest());
}
