import type { KeyObject } from "node:crypto";
import type { BootVariant } from "../../firmware-bridge/simulated/bootloader.ts";
import { signedImage } from "../../firmware-bridge/simulated/signed-image.ts";

const BODY_BYTES = 24_000;

/** What runs in a new microcontroller, and something newer to install. Nothing in them is a program. */
export function firstImages(
  privateKey: KeyObject,
  variant: BootVariant,
): { readonly running: Uint8Array; readonly update: Uint8Array } {
  const image = (minor: number): Uint8Array =>
    signedImage({ major: 1, minor, revision: 0, body: bodyOf(minor) }, { privateKey, variant });
  return { running: image(0), update: image(1) };
}

/** Bytes that look like a program's to whoever compresses or compares them. */
function bodyOf(seed: number): Uint8Array {
  let state = seed + 1;
  return Uint8Array.from({ length: BODY_BYTES }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  });
}
