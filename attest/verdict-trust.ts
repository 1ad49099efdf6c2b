import { equalBytes, toHex } from "./bytes.ts";
import { parseObject } from "./cose.ts";
import type { EnrolledKey, FormerKey } from "./enrolled-key.ts";
import { Problem } from "./problem.ts";
import type { ProvenFile } from "./proof-verify.ts";
import { isValidUnder, openRevocation, type RevocationAuthority } from "./revocation.ts";
import type { Suite } from "./suite.ts";
import { fingerprint, type TrustPolicy } from "./trust-policy.ts";
import { witnessesOf } from "./verdict-bounds.ts";

/** Whose word the device key rests on: nobody's, the verifier's own list, or a trusted node's that enrolled it. */
export interface Trust {
  readonly trust: "none" | "device" | "enrolled";
  /** The node that enrolled the device, in hexadecimal. */
  readonly enrolledBy?: string;
}

/**
 * Judges the device key. Throws `wrong-network`, `untrusted-key` when keys are given and none of them stands for it,
 * `retired-key` for what a former key signed beyond its rotation, `revoked-key`, and what opening a revocation does.
 */
export function judgeKey(suite: Suite, proven: ProvenFile, policy: TrustPolicy): Trust {
  if (policy.network !== undefined && policy.network !== proven.network) {
    throw new Problem("wrong-network", "the proof is of another network", {
      expected: policy.network,
      got: proven.network,
    });
  }
  if (policy.deviceKeys.length === 0 && policy.nodeKeys.length === 0) return { trust: "none" };
  const enrolled = trustedEnrolment(proven, policy);
  const trust = trustOf(suite, proven, { policy, enrolled });
  for (const former of enrolled?.formerKeys ?? []) requireNotRetired(proven, former);
  for (const bytes of policy.revocations ?? []) requireNotRevoked(suite, proven, { policy, enrolled, bytes });
  return trust;
}

function trustOf(
  suite: Suite,
  { deviceKey }: ProvenFile,
  { policy, enrolled }: { readonly policy: TrustPolicy; readonly enrolled: EnrolledKey | undefined },
): Trust {
  if (policy.deviceKeys.some((key) => equalBytes(key, deviceKey))) return { trust: "device" };
  if (enrolled !== undefined) return { trust: "enrolled", enrolledBy: toHex(enrolled.nodeKey) };
  throw new Problem("untrusted-key", "the proof is signed by a key that you do not trust", {
    expected:
      policy.deviceKeys.length === 0
        ? "a device key with --trust"
        : policy.deviceKeys.map(toHex).join(" or "),
    got: `${toHex(deviceKey)}, fingerprint ${fingerprint(suite, deviceKey)}`,
    hint: "ask the device's owner or its network for the right key, not the sender of the file",
  });
}

/** The file's enrolment, if a node that is trusted has made it. */
export function trustedEnrolment({ enrolled }: ProvenFile, policy: TrustPolicy): EnrolledKey | undefined {
  return enrolled !== undefined && policy.nodeKeys.some((key) => equalBytes(key, enrolled.nodeKey))
    ? enrolled
    : undefined;
}

/** A rotation names how far the old key's word goes. */
function requireNotRetired(proven: ProvenFile, former: FormerKey): void {
  if (!equalBytes(former.deviceKey, proven.deviceKey)) return;
  for (const { identity, checkpoint } of proven.logs) {
    const { epoch } = identity;
    const within =
      epoch < former.lastEpoch || (epoch === former.lastEpoch && checkpoint.size <= former.lastSize);
    if (within) continue;
    throw new Problem("retired-key", "the device had left this key when it was used", {
      expected: `at most ${former.lastSize} leaves of epoch ${former.lastEpoch}`,
      got: `${checkpoint.size} of epoch ${epoch}`,
    });
  }
}

interface RevocationCase {
  readonly policy: TrustPolicy;
  readonly enrolled: EnrolledKey | undefined;
  readonly bytes: Uint8Array;
}

function requireNotRevoked(
  suite: Suite,
  proven: ProvenFile,
  { policy, enrolled, bytes }: RevocationCase,
): void {
  const { network, deviceKey } = proven;
  const { payload } = parseObject(bytes);
  const [namedNetwork, namedKey] = [payload.get(1), payload.get(2)];
  // A verifier may hold the revocations of many devices, and of one key in several networks.
  if (typeof namedNetwork === "string" && namedNetwork !== network) return;
  if (namedKey instanceof Uint8Array && !equalBytes(namedKey, deviceKey)) return;
  const authority: RevocationAuthority = {
    ...{ network, deviceKey, registrarKeys: policy.registrarKeys ?? [] },
    ...(enrolled && { recoveryKey: enrolled.recoveryKey }),
  };
  const revocation = openRevocation(suite, bytes, authority);
  for (const log of proven.logs) {
    const { epoch } = log.identity;
    const evidence = { network, deviceKey, epoch, size: log.checkpoint.size, witnesses: witnessesOf(log) };
    if (isValidUnder(revocation, evidence, policy)) continue;
    throw new Problem("revoked-key", "the device's key was revoked, and this lies beyond what stays valid", {
      expected: `at most ${revocation.cutSize} leaves of epoch ${revocation.epoch}, receipted before`,
      got: `${log.checkpoint.size} of epoch ${epoch}`,
      hint: `reason given: ${revocation.reason}`,
    });
  }
}
