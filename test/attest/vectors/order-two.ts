import { createHash } from "node:crypto";
import { Point } from "@noble/ed25519";
import { concatBytes, fromHex } from "../../../attest/bytes.ts";
import type { Signing } from "./sealing.ts";

const publicKey = fromHex(`ec${"ff".repeat(30)}7f`, "key of order 2");

/** One whose key has order 2: no secret is needed, and its signatures satisfy the equation of Ed25519. */
export const orderTwo: Signing = { publicKey, sign };

/** [S]B = R + [k]A with S = r holds when k is even, for then [k]A is nothing. */
function sign(message: Uint8Array): Uint8Array {
  for (let nonce = 1n; ; nonce++) {
    const r = Point.BASE.multiply(nonce).toBytes();
    const digest = createHash("sha512")
      .update(concatBytes(r, publicKey, message))
      .digest();
    const k = BigInt(`0x${digest.reverse().toString("hex")}`) % Point.CURVE().n;
    if (k % 2n !== 0n) continue;
    return concatBytes(r, fromHex(nonce.toString(16).padStart(64, "0"), "S").reverse());
  }
}
