import { Point } from "@noble/ed25519";
import { equalBytes, fromHex } from "./bytes.ts";
import { Problem } from "./problem.ts";
import type { Suite } from "./suite.ts";

/**
 * Signature profile S, the parts that every suite shares. Implementations of Ed25519 differ on edge cases, and
 * nodes that differ on a verdict fork the network, so the rules below leave nothing to the library:
 *
 *     once per key       canonical encoding, not the identity, of prime order
 *     each signature     R (32 bytes) || S (32 bytes, little-endian), S < L, R not the identity
 *                        [S]B = R + [k]A without the cofactor, by comparing encodings (RFC 8032, 5.1.7)
 */
export const PUBLIC_KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;
export const SEED_BYTES = 32;

/** L, the order of the base point, little-endian (RFC 8032, 5.1). */
const ORDER = fromHex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010", "L");
/** y of every point of small order: 0, 1, the two of order 8, -1, and the second encodings of 0 and 1. */
const SMALL_ORDER_Y = [
  "00".repeat(32),
  `01${"00".repeat(31)}`,
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  `ec${"ff".repeat(30)}7f`,
  `ed${"ff".repeat(30)}7f`,
  `ee${"ff".repeat(30)}7f`,
].map((y) => fromHex(y, "y of small order"));

/** One device or node key that signs. It may live in a file, in a chip or in another process. */
export interface Signer {
  /** Ed25519, 32 bytes, of prime order. */
  readonly publicKey: Uint8Array;
  /**
   * A signature of 64 bytes that has been checked before it is returned: verified under profile S, or made twice from keys
   * held apart.
   */
  sign(message: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

/** A signer that holds its seed in this process and so answers at once. */
export interface LocalSigner extends Signer {
  sign(message: Uint8Array): Uint8Array;
}

/**
 * The once-per-key half of profile S. Small-order and mixed-order keys give signatures that some verifiers
 * accept and others refuse; a second encoding of one key would be a second identity.
 */
export function isPrimeOrderKey(publicKey: Uint8Array): boolean {
  const point = decodePoint(publicKey);
  return point !== undefined && !point.is0() && point.isTorsionFree();
}

/** The point behind its canonical 32 bytes, or undefined where there is none (RFC 8032, 5.1.3). */
export function decodePoint(bytes: Uint8Array): Point | undefined {
  try {
    return Point.fromBytes(bytes);
  } catch {
    return undefined; // the library's only way to say: no such point
  }
}

/**
 * What can be told from the bytes alone, before any arithmetic: lengths, S < L, and neither key nor R of small
 * order. With a checked key only the identity can be such an R; the other encodings are named because versions
 * of OpenSSL differ on them, so that an unchecked key gets one verdict everywhere, too.
 */
export function isWellFormed(publicKey: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== PUBLIC_KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false;
  return isBelowOrder(signature.subarray(32)) && !hasSmallOrder(signature) && !hasSmallOrder(publicKey);
}

function isBelowOrder(scalar: Uint8Array): boolean {
  for (let i = 31; i >= 0; i--) {
    const difference = (scalar[i] ?? 0) - (ORDER[i] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

/** Whether the first 32 bytes encode a point of order 1, 2, 4 or 8, canonically or not, of either sign. */
function hasSmallOrder(bytes: Uint8Array): boolean {
  return SMALL_ORDER_Y.some((y) =>
    y.every((byte, i) => byte === ((bytes[i] ?? 0) & (i === 31 ? 0x7f : 0xff))),
  );
}

/** A message, who is said to have signed it, and the signature. */
export interface SignedMessage {
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
}

/**
 * The second step of "sign, verify, then use": a fault while signing can give the key away (two signatures of
 * one message with different S), so what does not verify never leaves the signer.
 * @returns the signature
 * @throws Problem `signer-fault`
 */
export function requireVerified(suite: Suite, signed: SignedMessage): Uint8Array {
  const { publicKey, message, signature } = signed;
  if (suite.verifySignature(publicKey, message, signature)) return signature;
  throw signerFault();
}

/**
 * Hands out a signature that was made twice, which in Ed25519 is the same one.
 * @throws Problem `signer-fault`
 */
export function requireSame(signature: Uint8Array, again: Uint8Array): Uint8Array {
  if (equalBytes(signature, again)) return signature;
  throw signerFault();
}

/** What was signed must not leave, for a faulty signature can give the key away. */
function signerFault(): Problem {
  return new Problem("signer-fault", "the signer made a signature that does not verify", {
    hint: "do not use this signer again before its hardware and its key have been checked",
  });
}

/**
 * Refuses a seed that is not 32 bytes (RFC 8032, 5.1.5).
 * @throws Problem `signer-seed`
 */
export function requireSeed(seed: Uint8Array): void {
  if (seed.length === SEED_BYTES) return;
  throw new Problem("signer-seed", "wrong length of an Ed25519 seed", {
    expected: `${SEED_BYTES} bytes`,
    got: String(seed.length),
  });
}
