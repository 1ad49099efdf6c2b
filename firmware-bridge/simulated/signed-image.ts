import { createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";
import { concatBytes } from "../../attest/bytes.ts";
import { type BootVariant, HASH_OF } from "./bootloader.ts";
import { hashOf, headerAndBody, type ImageContent, trailer } from "./mcuboot-image.ts";

const SHA_TYPES = { sha256: 0x10, sha512: 0x12 } as const;
const KEY_HASH = 0x01;
const ED25519 = 0x24;
const PURE = 0x25;

/**
 * An image that a simulated bootloader starts, sealed in the order of imgtool's: hash, marker of the pure variant, hash of the
 * key, signature. Source: mcu-tools/mcuboot scripts/imgtool/image.py, commit 2d4bacc3.
 */
export function signedImage(
  content: ImageContent,
  { privateKey, variant }: { readonly privateKey: KeyObject; readonly variant: BootVariant },
): Uint8Array {
  const hash = HASH_OF[variant];
  const signed = headerAndBody(content);
  const digest = hashOf(hash, signed);
  const spki = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  const signature = sign(null, variant === "pure" ? signed : digest, privateKey);
  const marker = variant === "pure" ? [[PURE, Uint8Array.of(1)] as const] : [];
  return concatBytes(
    signed,
    trailer([
      [SHA_TYPES[hash], digest],
      ...marker,
      [KEY_HASH, hashOf(hash, new Uint8Array(spki))],
      [ED25519, new Uint8Array(signature)],
    ]),
  );
}

/** The 32 bytes of an Ed25519 key's public half. */
export function publicKeyOf(privatePem: string): Uint8Array {
  const spki = createPublicKey(createPrivateKey(privatePem)).export({ format: "der", type: "spki" });
  return new Uint8Array(spki.subarray(-32));
}
