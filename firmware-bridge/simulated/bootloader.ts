import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { concatBytes, equalBytes } from "../../attest/bytes.ts";
import { hashOf, type ImageHash, imageParts } from "./mcuboot-image.ts";

/** What an image is signed over: its digest, or its bytes. Fixed when a bootloader is built. */
export type BootVariant = "digest" | "pure";

export interface BootTrust {
  /** Ed25519, 32 bytes each; those that were compiled into the bootloader. */
  readonly publicKeys: readonly Uint8Array[];
  readonly variant: BootVariant;
}

const KEY_HASH = 0x01;
const ED25519 = 0x24;
const PURE = 0x25;
const SPKI_PREFIX = Uint8Array.from(Buffer.from("302a300506032b6570032100", "hex"));

/** The hash of a bootloader that is built for a variant: `imgtool sign` takes SHA-512 with `--pure`. */
export const HASH_OF: Readonly<Record<BootVariant, ImageHash>> = { digest: "sha256", pure: "sha512" };

/**
 * The check that a bootloader makes of what lies in a slot: a signature of the key whose hash stands before it. Written after
 * mcu-tools/mcuboot boot/bootutil/src/image_validate.c, commit 2d4bacc3, and not after `verifyImage`: it looks for what it
 * needs and no further.
 */
export function bootCheck({ publicKeys, variant }: BootTrust): (flash: Uint8Array) => boolean {
  const hash = HASH_OF[variant];
  const keys = publicKeys.map((key) => {
    const spki = concatBytes(SPKI_PREFIX, key);
    return {
      hash: hashOf(hash, spki),
      key: createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" }),
    };
  });
  return (flash) => {
    const parts = imageParts(flash);
    if (parts === undefined) return false;
    const { tlvs, signedEnd } = parts;
    const [marker] = tlvs.get(PURE) ?? [];
    // Of the other variant, whatever its signature is worth.
    if ((marker?.[0] === 1) !== (variant === "pure")) return false;
    const signed = flash.subarray(0, signedEnd);
    const message = variant === "pure" ? signed : hashOf(hash, signed);
    const key = keys.find((one) =>
      (tlvs.get(KEY_HASH) ?? []).some((named) => equalBytes(named, one.hash)),
    )?.key;
    return key !== undefined && isSigned(message, tlvs.get(ED25519) ?? [], key);
  };
}

function isSigned(message: Uint8Array, signatures: readonly Uint8Array[], key: KeyObject): boolean {
  return signatures.some((signature) => verify(null, message, key, signature));
}
