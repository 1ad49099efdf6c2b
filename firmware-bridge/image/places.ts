import { equalBytes } from "../../attest/bytes.ts";
import type { Tlv, TlvArea } from "./areas.ts";
import { hex16, refusal, TLV } from "./layout.ts";

/**
 * How the signature is made; the owner's configuration says which, never the image, whose marker anyone may change:
 * - `digest`: SHA-256 of the signed part stands in the image, and the signature is over those 32 bytes;
 * - `pure`: the signature is over the signed part itself; SHA-512 stands in the image, too, and names it.
 */
export type SignatureVariant = "digest" | "pure";

/** The unprotected area, each TLV of it in its place. */
export interface Seal {
  readonly digest: Tlv;
  readonly signature: Tlv;
  /** Hash of the key, or the key itself. */
  readonly key: Tlv;
}

const DIGEST_TYPE: Readonly<Record<SignatureVariant, number>> = { digest: TLV.sha256, pure: TLV.sha512 };
const DIGEST_BYTES: Readonly<Record<SignatureVariant, number>> = { digest: 32, pure: 64 };
const SIGNATURE_BYTES = 64;
/** Types that only one variant has: a different choice of the two may be what is wrong. */
const VARIANT_TYPES: readonly number[] = [TLV.sha256, TLV.sha384, TLV.sha512, TLV.pure];
/** They say something about the signed part, so they cannot be in it. */
const OUTSIDE: readonly number[] = [...VARIANT_TYPES, TLV.keyHash, TLV.publicKey, TLV.ed25519];
/** Of dependencies and of what a maker defines there may be several. */
const ONCE: readonly number[] = [TLV.securityCounter, TLV.bootRecord, TLV.vendorId, TLV.classId];

/**
 * The TLVs of the unprotected area. Nothing else may stand there: it is not signed, so whoever passes the image on could add
 * it (MCUboot with `MCUBOOT_USE_TLV_ALLOW_LIST` refuses most of it, too; without, it would take a security counter from here).
 * @throws Problem `image-tlv-unprotected`, `image-tlv-twice`, `image-variant`, `image-pure-marker`, `image-digest-missing`,
 *   `image-digest-length`, `image-signature-missing`, `image-signature-length`, `image-key-missing`, `image-key-order`
 */
export function readSeal(area: TlvArea, variant: SignatureVariant): Seal {
  for (const tlv of area.tlvs) requireSealType(tlv, variant);
  requireOnce(area.tlvs);
  requireMarker(area, variant);
  const find = (...types: number[]): Tlv | undefined => area.tlvs.find(({ type }) => types.includes(type));
  const digest = find(DIGEST_TYPE[variant]);
  if (digest === undefined) throw missing("image-digest-missing", "the image has no digest", area);
  requireLength(digest, DIGEST_BYTES[variant], "image-digest-length");
  const signature = find(TLV.ed25519);
  if (signature === undefined)
    throw missing("image-signature-missing", "the image has no Ed25519 signature", area);
  requireLength(signature, SIGNATURE_BYTES, "image-signature-length");
  const key = find(TLV.keyHash, TLV.publicKey);
  if (key === undefined) throw missing("image-key-missing", "the image does not name its key", area);
  requireOrder(key, signature);
  return { digest, signature, key };
}

function requireSealType({ type, offset }: Tlv, variant: SignatureVariant): void {
  const isPure = variant === "pure";
  if ([DIGEST_TYPE[variant], TLV.ed25519, TLV.keyHash, TLV.publicKey].includes(type)) return;
  if (type === TLV.pure && isPure) return;
  if (VARIANT_TYPES.includes(type)) {
    throw refusal("image-variant", "the image is signed in another way than configured", {
      offset,
      expected: isPure ? "a pure signature with SHA-512" : "a signature over SHA-256",
      got: `TLV ${hex16(type)}`,
    });
  }
  throw refusal("image-tlv-unprotected", "this TLV may not stand in the area that nobody signed", {
    offset,
    got: hex16(type),
  });
}

/** Key and hash of the key are one kind. */
function requireOnce(tlvs: readonly Tlv[]): void {
  const seen = new Set<number>();
  for (const { type, offset } of tlvs) {
    const kind = type === TLV.publicKey ? TLV.keyHash : type;
    if (seen.has(kind))
      throw refusal("image-tlv-twice", "this TLV may be there once", { offset, got: hex16(type) });
    seen.add(kind);
  }
}

function requireMarker(area: TlvArea, variant: SignatureVariant): void {
  if (variant !== "pure") return;
  const marker = area.tlvs.find(({ type }) => type === TLV.pure);
  if (marker === undefined)
    throw missing("image-variant", "the image does not say that its signature is pure", area);
  if (equalBytes(marker.value, Uint8Array.of(1))) return;
  throw refusal("image-pure-marker", "the marker of a pure signature is one byte of value 1", {
    offset: marker.offset,
    got: `${marker.value.length} bytes`,
  });
}

function requireLength({ value, offset }: Tlv, length: number, code: `image-${string}`): void {
  if (value.length === length) return;
  throw refusal(code, "wrong length", {
    offset: offset + 2,
    expected: String(length),
    got: String(value.length),
  });
}

/** MCUboot takes a signature for the key named before it, and ignores one without (image_validate.c). */
function requireOrder(key: Tlv, signature: Tlv): void {
  if (key.offset < signature.offset) return;
  throw refusal("image-key-order", "the key must be named before the signature, or MCUboot ignores it", {
    offset: key.offset,
  });
}

function missing(code: `image-${string}`, what: string, area: TlvArea): Error {
  return refusal(code, what, { offset: area.offset });
}

/**
 * The TLVs of the protected area. Unknown ones may stand there, for the key's owner signed them, but none that belongs outside.
 * @returns the security counter, which counts from here alone
 * @throws Problem `image-tlv-protected`, `image-tlv-twice`, `image-tlv-empty`, `image-security-counter-length`
 */
export function readProtectedPlaces(area: TlvArea): Tlv | undefined {
  for (const { type, offset } of area.tlvs) {
    if (!OUTSIDE.includes(type)) continue;
    throw refusal("image-tlv-protected", "this TLV speaks about the signed part and cannot stand in it", {
      offset,
      got: hex16(type),
    });
  }
  requireOnce(area.tlvs.filter(({ type }) => ONCE.includes(type)));
  requireContentAtEnd(area.tlvs.at(-1));
  const counter = area.tlvs.find(({ type }) => type === TLV.securityCounter);
  if (counter !== undefined) requireLength(counter, 4, "image-security-counter-length");
  return counter;
}

/**
 * MCUboot tells the areas apart by where a value begins (`bootutil_tlv_iter_is_prot`), so it takes an empty one at the very
 * end for unprotected, and with `MCUBOOT_USE_TLV_ALLOW_LIST` refuses the image.
 */
function requireContentAtEnd(last: Tlv | undefined): void {
  if (last === undefined || last.value.length > 0) return;
  throw refusal(
    "image-tlv-empty",
    "the last protected TLV is empty, so MCUboot would take it for unprotected",
    {
      offset: last.offset,
      got: hex16(last.type),
    },
  );
}
