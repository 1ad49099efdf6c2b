import { toHex } from "./bytes.ts";
import type { Suite } from "./suite.ts";

/** What the verifier trusts, handed over outside the proof file. */
export interface TrustPolicy {
  readonly deviceKeys: readonly Uint8Array[];
  readonly nodeKeys: readonly Uint8Array[];
  /** Refuse any other network, when given. */
  readonly network?: string;
  /** How many trusted nodes must have witnessed. */
  readonly witnesses: number;
  /** Signed revocations that the verifier knows, of this or of other devices. */
  readonly revocations?: readonly Uint8Array[];
  /** Keys of the network that may revoke, beside the recovery key of a trusted enrolment. */
  readonly registrarKeys?: readonly Uint8Array[];
  /** How far the device's clock may contradict the nodes'; 120 s unless given. */
  readonly clockToleranceMs?: number;
}

/** The first 8 bytes of SHA-256 of a key, in groups a person can read aloud. */
export function fingerprint(suite: Suite, key: Uint8Array): string {
  const hex = toHex(suite.sha256(key).slice(0, 8));
  return hex.replace(/(.{4})(?=.)/g, "$1-");
}
