import { equalBytes, toHex } from "./bytes.ts";
import { openObject, signObject } from "./cose.ts";
import { type Field, must, type RecordCodec, recordCodec } from "./field.ts";
import { isLogOf, refuse, requireKey, signerHint } from "./key-checks.ts";
import { Problem } from "./problem.ts";
import type { Witness } from "./proof-log.ts";
import type { Signer } from "./signature.ts";
import type { Suite } from "./suite.ts";
import type { TrustPolicy } from "./trust-policy.ts";

/** The statement of the owner's recovery key, or of a registrar, that a device key is no longer to be believed. */
export interface Revocation {
  readonly network: string;
  readonly deviceKey: Uint8Array;
  /** The log that is cut, and its epoch. Later epochs of the key are void, earlier ones closed. */
  readonly logId: Uint8Array;
  readonly epoch: number;
  /** Leaves below it stay, if receipted in time. 0 keeps nothing of this log. */
  readonly cutSize: number;
  /** What was receipted at or after this instant is void, ms since 1970 UTC. */
  readonly revokedAtMs: number;
  readonly reason: string;
}

/** Who may revoke which key. The recovery key is the enrolment's; the registrars' keys are the network's. */
export interface RevocationAuthority {
  readonly network: string;
  readonly deviceKey: Uint8Array;
  readonly recoveryKey?: Uint8Array;
  readonly registrarKeys: readonly Uint8Array[];
}

/** Evidence under one checkpoint, and the nodes that hold a receipt over it; a `ProvenInterval` has all of it. */
export interface ReceiptedEvidence {
  readonly network: string;
  readonly deviceKey: Uint8Array;
  readonly epoch: number;
  /** Size of the checkpoint. */
  readonly size: number;
  readonly witnesses: readonly Witness[];
}

/** The fields of the payload, by property name. */
export const REVOCATION_FIELDS: Readonly<Record<keyof Revocation, Field>> = {
  network: must(1, "text"),
  deviceKey: must(2, "bytes32"),
  logId: must(3, "bytes32"),
  epoch: must(4, "uint"),
  cutSize: must(5, "uint"),
  revokedAtMs: must(6, "uint"),
  reason: must(7, "text"),
};
const codec: RecordCodec<Revocation> = recordCodec<Revocation>("revocation", REVOCATION_FIELDS);

/** Signs a revocation as COSE_Sign1 with kid = recovery or registrar key. Throws `revocation-log` or `revocation-own`. */
export async function signRevocation(
  suite: Suite,
  signer: Signer,
  revocation: Revocation,
): Promise<Uint8Array> {
  requireSound(suite, revocation, signer.publicKey);
  const payload = codec.toMap(revocation);
  return signObject(signer, { type: "revocation", kid: signer.publicKey, payload });
}

/**
 * Verifies a revocation of `authority.deviceKey` by a key that may revoke it. Throws `cose-…`, `field`,
 * `key-invalid`, `network-name`, `bytes-integer` or `revocation-…`.
 */
export function openRevocation(suite: Suite, bytes: Uint8Array, authority: RevocationAuthority): Revocation {
  const { network, deviceKey, recoveryKey, registrarKeys } = authority;
  const key = signerHint(bytes, "revocation");
  const allowed = recoveryKey === undefined ? registrarKeys : [recoveryKey, ...registrarKeys];
  if (!allowed.some((other) => equalBytes(other, key)))
    throw new Problem("revocation-signer", "the revocation is by neither the recovery key nor a registrar", {
      got: toHex(key),
    });
  requireKey(suite, key, "the revoking key");
  const revocation = codec.fromMap(openObject(suite, bytes, { type: "revocation", key }));
  if (revocation.network !== network) throw refuse("revocation-network", network, revocation.network);
  if (!equalBytes(revocation.deviceKey, deviceKey))
    throw refuse("revocation-device-key", deviceKey, revocation.deviceKey);
  requireSound(suite, revocation, key);
  return revocation;
}

/**
 * Whether evidence stands although the key was revoked: it lies in the log that is cut and not above the cut, or in
 * an earlier epoch, and as many trusted nodes as the policy asks for, at least one, had receipted it before. A
 * revocation of another key or network leaves it as it is; where several are known, it must stand under each.
 */
export function isValidUnder(
  revocation: Revocation,
  evidence: ReceiptedEvidence,
  policy: Pick<TrustPolicy, "nodeKeys" | "witnesses">,
): boolean {
  const concerned =
    revocation.network === evidence.network && equalBytes(revocation.deviceKey, evidence.deviceKey);
  if (!concerned) return true;
  if (evidence.epoch > revocation.epoch) return false;
  if (evidence.epoch === revocation.epoch && evidence.size > revocation.cutSize) return false;
  const nodes = new Set(policy.nodeKeys.map(toHex));
  nodes.delete(toHex(evidence.deviceKey));
  const before = evidence.witnesses.filter(({ receivedAtMs }) => receivedAtMs < revocation.revokedAtMs);
  const witnesses = new Set(before.map(({ nodeKey }) => toHex(nodeKey)).filter((key) => nodes.has(key)));
  return witnesses.size >= Math.max(1, policy.witnesses);
}

/** A key does not revoke itself, and the log is the key's own in that epoch. */
function requireSound(suite: Suite, revocation: Revocation, signerKey: Uint8Array): void {
  const { network, deviceKey, epoch } = revocation;
  if (equalBytes(signerKey, deviceKey))
    throw new Problem("revocation-own", "a device key does not revoke itself");
  if (isLogOf(suite, { network, deviceKey, epoch }, revocation.logId)) return;
  throw new Problem("revocation-log", "the log is not one of the revoked key in that epoch");
}
