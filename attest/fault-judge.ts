import { equalBytes, toHex } from "./bytes.ts";
import type { FaultName } from "./fault.ts";
import type { ShownKey, ShownRevocation } from "./fault-key.ts";
import type { Misdeed, ProvenFault, ProvenKeyUse } from "./fault-verify.ts";
import { Problem } from "./problem.ts";
import type { Suite } from "./suite.ts";
import { fingerprint, type TrustPolicy } from "./trust-policy.ts";

/** What the reader of a fault file trusts, handed over outside the file; witnesses play no part in a fault. */
export type FaultPolicy = Pick<TrustPolicy, "deviceKeys" | "nodeKeys" | "network" | "registrarKeys">;

export type Guilty = "device key" | "holder of the retired key" | "nobody";

/** The evidence is of another network than the one that is meant. */
export interface WrongNetwork {
  readonly rule: "wrong-network";
  readonly size: number;
  readonly expected: string;
}

/** Nobody whom the reader trusts vouches for the key. */
export interface UnknownKey {
  readonly rule: "unknown-key";
  readonly size: number;
}

/** The key had left at that size of that epoch, by its own word and its successor's. */
export interface RetiredKey {
  readonly rule: "retired-key";
  readonly size: number;
  readonly lastEpoch: number;
  readonly lastSize: number;
  readonly rotatedAtMs: number;
}

/** The key is void beyond the cut, by the word of one who may say so. */
export interface RevokedKey {
  readonly rule: "revoked-key";
  readonly size: number;
  readonly cutEpoch: number;
  readonly cutSize: number;
  readonly revokedAtMs: number;
  readonly by: "recovery key" | "registrar";
  readonly signerKey: string;
  /** Text of the signer. */
  readonly reason: string;
}

export type KeyFinding = WrongNetwork | UnknownKey | RetiredKey | RevokedKey;

/** A judged fault, as plain data. */
export interface FaultVerdict {
  readonly fault: FaultName;
  readonly rule: FaultVerdict["finding"]["rule"];
  readonly guilty: Guilty;
  readonly deviceKey: string;
  readonly fingerprint: string;
  readonly network: string;
  readonly epoch: number;
  /** Whose word the key rests on: nobody's, the reader's own list, or a trusted node's by an enrolment in the file. */
  readonly trust: "none" | "device" | "enrolled";
  /** Whether it is the network that the reader means; true when none is given. */
  readonly networkMeant: boolean;
  readonly finding: Misdeed | KeyFinding;
}

/**
 * Judges a proven fault. A key that is not trusted is no error here: the verdict says so, and a contradiction stands
 * whoever signed it. Throws `fault-nothing` when a key is vouched for and nothing shown retires or revokes it.
 */
export function judgeFault(suite: Suite, proven: ProvenFault, policy: FaultPolicy): FaultVerdict {
  const { network, deviceKey, epoch } = proven.identity;
  const trust = trustIn(proven, policy);
  const finding = proven.fault === "key" ? keyFinding(proven, policy, trust) : proven.finding;
  return {
    fault: proven.fault,
    rule: finding.rule,
    guilty: guiltyOf(proven, finding),
    deviceKey: toHex(deviceKey),
    fingerprint: fingerprint(suite, deviceKey),
    ...{ network, epoch, trust },
    networkMeant: policy.network === undefined || policy.network === network,
    finding,
  };
}

function guiltyOf(proven: ProvenFault, finding: Misdeed | KeyFinding): Guilty {
  if (proven.fault !== "key") return "device key";
  return finding.rule === "retired-key" ? "holder of the retired key" : "nobody";
}

function trustIn(proven: ProvenFault, policy: FaultPolicy): FaultVerdict["trust"] {
  if (holds(policy.deviceKeys, proven.identity.deviceKey)) return "device";
  const node = proven.fault === "key" ? proven.key.enrolled?.enrolled.nodeKey : undefined;
  return node !== undefined && holds(policy.nodeKeys, node) ? "enrolled" : "none";
}

function holds(keys: readonly Uint8Array[], key: Uint8Array): boolean {
  return keys.some((other) => equalBytes(other, key));
}

function keyFinding(proven: ProvenKeyUse, policy: FaultPolicy, trust: FaultVerdict["trust"]): KeyFinding {
  const { size } = proven.checkpoint;
  const { network } = proven.identity;
  if (policy.network !== undefined && policy.network !== network)
    return { rule: "wrong-network", size, expected: policy.network };
  const retired = retiredBy(proven, proven.key);
  if (retired !== undefined) return retired;
  if (trust === "none") return { rule: "unknown-key", size };
  const revoked = proven.key.revocations.flatMap((shown) => revokedBy(proven, shown, policy) ?? []);
  if (revoked[0] !== undefined) return revoked[0];
  throw new Problem("fault-nothing", "the key is vouched for, and nothing shown voids this checkpoint", {
    where: `epoch ${proven.identity.epoch}, size ${size}`,
  });
}

/** A rotation says that the old key signs nothing beyond a size, and no log after that one. */
function retiredBy({ identity, checkpoint }: ProvenKeyUse, key: ShownKey): RetiredKey | undefined {
  const former = key.enrolled?.former;
  if (former === undefined) return undefined;
  const { lastEpoch, lastSize, rotatedAtMs } = former;
  const { size } = checkpoint;
  if (!isBeyond({ epoch: identity.epoch, size }, { epoch: lastEpoch, size: lastSize })) return undefined;
  return { rule: "retired-key", size, lastEpoch, lastSize, rotatedAtMs };
}

/** The recovery key counts, for the device has named it itself, in the enrolment by which it is believed. */
function revokedBy(
  { identity, checkpoint }: ProvenKeyUse,
  { revocation, signerKey, byRecoveryKey }: ShownRevocation,
  policy: FaultPolicy,
): RevokedKey | undefined {
  const byRegistrar = holds(policy.registrarKeys ?? [], signerKey);
  if (!byRecoveryKey && !byRegistrar) return undefined;
  const { epoch: cutEpoch, cutSize, revokedAtMs, reason } = revocation;
  const { size } = checkpoint;
  if (!isBeyond({ epoch: identity.epoch, size }, { epoch: cutEpoch, size: cutSize })) return undefined;
  const by = byRecoveryKey ? "recovery key" : "registrar";
  return {
    ...{ rule: "revoked-key", size, cutEpoch, cutSize, revokedAtMs, by },
    ...{ signerKey: toHex(signerKey), reason },
  };
}

interface Place {
  readonly epoch: number;
  readonly size: number;
}

function isBeyond(at: Place, last: Place): boolean {
  return at.epoch > last.epoch || (at.epoch === last.epoch && at.size > last.size);
}
