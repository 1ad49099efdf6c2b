import { expect } from "vitest";
import { toHex } from "../../attest/bytes.ts";
import * as native from "../../attest/native.ts";
import * as portable from "../../attest/portable.ts";
import type { Suite } from "../../attest/suite.ts";

export const suites: readonly (readonly [title: string, suite: Suite])[] = [
  ["portable", portable.portableSuite],
  ["native", native.nativeSuite],
];

export interface Triple {
  readonly key: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
}

export function accepts(suite: Suite, { key, message, signature }: Triple): boolean {
  return suite.checkPublicKey(key) && suite.verifySignature(key, message, signature);
}

/** The verdict on the signature alone, which must be one, whatever the key. */
export function oneVerdict({ key, message, signature }: Triple): boolean {
  const [a, b] = suites.map(([, suite]) => suite.verifySignature(key, message, signature));
  expect(b, `native differs on ${toHex(key)} ${toHex(signature)}`).toBe(a);
  return a === true;
}

export function flip(bytes: Uint8Array, bit: number): Uint8Array {
  const flipped = bytes.slice();
  const at = Math.floor(bit / 8) % bytes.length;
  flipped[at] = (flipped[at] ?? 0) ^ (1 << (bit % 8));
  return flipped;
}
