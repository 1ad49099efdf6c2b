import { equalBytes, toHex } from "./bytes.ts";
import { type ObjectType, parseObject, requireType } from "./cose.ts";
import { type LogIdentity, logIdOf } from "./identity.ts";
import { Problem } from "./problem.ts";
import type { Suite } from "./suite.ts";

/** What the objects of a key's life have in common: which key speaks, whether it is one, whose log is named. */

/** The refusal of a term that is not the expected one; keys and hashes stand in it in hexadecimal. */
export function refuse(code: string, expected: Uint8Array | string, got: Uint8Array | string): Problem {
  const words = (value: Uint8Array | string): string => (typeof value === "string" ? value : toHex(value));
  return new Problem(code, "a signed term is not the expected one", {
    where: code.replaceAll("-", " "),
    expected: words(expected),
    got: words(got),
  });
}

/** Throws `key-invalid` unless `key` passes the once-per-key half of profile S. `name` is for the message. */
export function requireKey(suite: Suite, key: Uint8Array, name: string): void {
  if (suite.checkPublicKey(key)) return;
  throw new Problem("key-invalid", `${name} is not a canonical Ed25519 key of prime order`, {
    got: toHex(key),
  });
}

/** The key that an object of `type` names as its signer, before anything is verified. Throws `cose-…`. */
export function signerHint(bytes: Uint8Array, type: ObjectType): Uint8Array {
  const object = parseObject(bytes);
  requireType(object, type);
  return object.kid;
}

/**
 * Whether `logId` is the id that follows from network, key and epoch. Throws `network-name` and, for an epoch
 * above 2^32-1, `bytes-integer`.
 */
export function isLogOf(suite: Suite, log: LogIdentity, logId: Uint8Array): boolean {
  return log.epoch >= 1 && equalBytes(logIdOf(suite, log), logId);
}

/** Whether `hash` commits to one of `keys`: SHA-256 of its 32 bytes. */
export function commitsToAny(suite: Suite, hash: Uint8Array, keys: readonly Uint8Array[]): boolean {
  return keys.some((key) => equalBytes(suite.sha256(key), hash));
}
