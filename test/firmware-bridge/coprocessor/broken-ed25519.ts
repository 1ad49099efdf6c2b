import { createHash } from "node:crypto";
import { Point } from "@noble/ed25519";
import { nativeSigner } from "../../../attest/native.ts";
import { SEED } from "./kit.ts";

/*
 * Ed25519 by its formulas (RFC 8032, 5.1.6), so that its nonce can be made as it must not be.
 */
const KEY = nativeSigner(SEED).publicKey;
/** Of the base point. */
export const ORDER: bigint = 2n ** 252n + 27_742_317_777_372_353_535_851_937_790_883_648_493n;
/** Little-endian. */
export function number(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString("hex")}`);
}

function littleEndian(value: bigint): Uint8Array {
  return Uint8Array.from(Buffer.from(value.toString(16).padStart(64, "0"), "hex").reverse());
}

export function sha512(...parts: readonly Uint8Array[]): Uint8Array {
  return parts.reduce((hash, part) => hash.update(part), createHash("sha512")).digest();
}

/** RFC 8032, 5.1.6, with r from the bytes that `nonceOf` takes of a message, and with no more. */
export function signedWith(
  nonceOf: (message: Uint8Array) => Uint8Array,
): (message: Uint8Array) => Uint8Array {
  const clamped = sha512(SEED).slice(0, 32);
  clamped[0] = (clamped[0] ?? 0) & 248;
  clamped[31] = ((clamped[31] ?? 0) & 63) | 64;
  return (message) => {
    const r = number(sha512(SEED, nonceOf(message))) % ORDER;
    const half = Point.BASE.multiply(r).toBytes();
    const k = number(sha512(half, KEY, message)) % ORDER;
    const s = littleEndian((r + k * number(clamped)) % ORDER);
    return Uint8Array.from([...half, ...s]);
  };
}
