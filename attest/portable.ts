import { getPublicKey, hashes, Point, sign } from "@noble/ed25519";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256, sha512 } from "@noble/hashes/sha2.js";
import { concatBytes, equalBytes, toHex } from "./bytes.ts";
import {
  decodePoint,
  isPrimeOrderKey,
  isWellFormed,
  type LocalSigner,
  requireSeed,
  requireVerified,
} from "./signature.ts";
import type { Suite } from "./suite.ts";

/** The suite for browsers and for anything else without `node:crypto`: plain JavaScript, synchronous. */
export const portableSuite: Suite = {
  sha256: (bytes) => sha256(bytes),
  checkPublicKey: isPrimeOrderKey,
  verifySignature,
};

/**
 * Profile S from point arithmetic: R' = [S]B - [k]A, k = SHA-512(R || A || M) mod L, and the encoding of R'
 * must be R. The library's own `verify` multiplies by the cofactor and would accept more.
 */
function verifySignature(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (!isWellFormed(publicKey, signature)) return false;
  const key = decodePoint(publicKey);
  if (key === undefined) return false;
  const r = signature.subarray(0, 32);
  const s = littleEndian(signature.subarray(32));
  const k = littleEndian(sha512(concatBytes(r, publicKey, message))) % Point.CURVE().n;
  const expected = Point.BASE.multiplyUnsafe(s).subtract(key.multiplyUnsafe(k));
  return equalBytes(expected.toBytes(), r);
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes.slice().reverse())}`);
}

/**
 * Signs as RFC 8032 5.1.6 says, with a 32-byte seed of which it keeps a copy.
 * @throws Problem `signer-seed`; from `sign`, `signer-fault`
 */
export function portableSigner(seed: Uint8Array): LocalSigner {
  requireSeed(seed);
  hashes.sha512 = sha512; // the library's synchronous functions need it named once
  const secret = seed.slice();
  const publicKey = getPublicKey(secret);
  return {
    publicKey,
    sign: (message) =>
      requireVerified(portableSuite, { publicKey, message, signature: sign(message, secret) }),
  };
}

/** HMAC-SHA-256 (RFC 2104): 32 bytes. */
export function hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array {
  return hmac(sha256, key, data);
}
