import { buildImage, type ImageRecipe } from "../image/build.ts";

/** Signed as imgtool signs. */
export const OLD: Uint8Array = signed([1, 0, 0, 0], bytesOf(3_000, 1));
export const NEW: Uint8Array = signed([1, 1, 0, 0], bytesOf(5_000, 2));
export const OTHER: Uint8Array = signed([1, 2, 0, 0], bytesOf(4_000, 3));

export function signed(version: NonNullable<ImageRecipe["version"]>, body: Uint8Array): Uint8Array {
  return buildImage({ version, body });
}

/** `length` bytes that depend on `seed`. */
export function bytesOf(length: number, seed: number): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  });
}
