import { equalBytes } from "./bytes.ts";
import { type EnrolledKey, enrolledKey } from "./enrolled-key.ts";
import type { LogIdentity } from "./identity.ts";
import { signerHint } from "./key-checks.ts";
import { Problem } from "./problem.ts";
import { decodeProof } from "./proof.ts";
import { type EnergyClaim, type FlexibilityClaim, provenClaim } from "./proof-claim.ts";
import { type ProvenLog, provenLog } from "./proof-log.ts";
import type { Suite } from "./suite.ts";

/** Everything that a proof file shows by itself, under the keys that it names. */
export interface ProvenFile {
  readonly network: string;
  readonly deviceKey: Uint8Array;
  /** One for each epoch that the claim touches, ascending. */
  readonly logs: readonly [ProvenLog, ...ProvenLog[]];
  readonly claim: EnergyClaim | FlexibilityClaim;
  /** How a node enrolled the key, consistent under the key of the node that it names. */
  readonly enrolled?: EnrolledKey;
}

/**
 * Checks a proof file from its first byte to its last: signatures under profile S, the tree, the closes and what
 * they refer to. Nothing in the file is trusted: whether the keys are anybody's is for the caller to judge. Throws a
 * Problem whose code names the fault.
 */
export function verifyProof(suite: Suite, bytes: Uint8Array): ProvenFile {
  const { parts, enrolment } = decodeProof(bytes);
  const [first, ...rest] = parts.map((part) => provenLog(suite, part));
  if (first === undefined) throw new Problem("proof-format", "the proof has no part");
  if (first.leaves.epochOpen !== undefined)
    throw new Problem("proof-leaf", "the proof's first part needs no epoch open leaf");
  const logs: ProvenFile["logs"] = [first, ...rest];
  for (const [at, later] of rest.entries()) requireContinuation(logs[at] ?? first, later);
  return {
    network: first.identity.network,
    deviceKey: first.identity.deviceKey,
    logs,
    claim: provenClaim(logs),
    ...(enrolment && { enrolled: provenEnrolment(suite, first.identity, enrolment) }),
  };
}

/** The record must lead to the device key of this proof, now or before a rotation. */
export function provenEnrolment(
  suite: Suite,
  { network, deviceKey }: LogIdentity,
  [statement, countersignature, ...rotations]: readonly Uint8Array[],
): EnrolledKey {
  if (statement === undefined || countersignature === undefined)
    throw new Problem("proof-enrolment", "an enrolment needs a statement and a countersignature");
  const nodeKey = signerHint(countersignature, "countersignature");
  const enrolled = enrolledKey(suite, { statement, countersignature, rotations }, [nodeKey]);
  const keys = [enrolled.deviceKey, ...enrolled.formerKeys.map((former) => former.deviceKey)];
  if (enrolled.network === network && keys.some((key) => equalBytes(key, deviceKey))) return enrolled;
  throw new Problem("proof-enrolment", "the enrolment is of another device or network");
}

/** The later epoch's open leaf names the earlier log just as far as its checkpoint goes. */
function requireContinuation(earlier: ProvenLog, later: ProvenLog): void {
  const same =
    earlier.identity.network === later.identity.network &&
    equalBytes(earlier.identity.deviceKey, later.identity.deviceKey) &&
    earlier.identity.epoch < later.identity.epoch;
  const open = later.leaves.epochOpen;
  const continued =
    open?.oldLogId !== undefined &&
    open.oldRoot !== undefined &&
    equalBytes(open.oldLogId, earlier.logId) &&
    open.oldSize === earlier.checkpoint.size &&
    equalBytes(open.oldRoot, earlier.checkpoint.root);
  if (same && continued) return;
  throw new Problem("proof-epoch", "a part does not continue the log of the part before it", {
    where: `epoch ${later.identity.epoch}`,
    expected: `an epoch open leaf over ${earlier.checkpoint.size} leaves of epoch ${earlier.identity.epoch}`,
  });
}
