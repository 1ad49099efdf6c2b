import { createHash } from "node:crypto";

/** SHA-256 of the bytes that readings were decoded from: their evidence, 32 bytes. */
export function digestOf(evidence: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(evidence).digest());
}
