import { equalBytes } from "./bytes.ts";
import { type EnrolledKey, enrolledKey, type FormerKey } from "./enrolled-key.ts";
import { type KeyFault, splitObjects } from "./fault.ts";
import { signerHint } from "./key-checks.ts";
import { Problem } from "./problem.ts";
import { openRevocation, type Revocation } from "./revocation.ts";
import type { Suite } from "./suite.ts";

/** What a fault file shows of a key's life: signatures checked, trust not. */
export interface ShownKey {
  readonly enrolled?: ShownEnrolment;
  readonly revocations: readonly ShownRevocation[];
}

export interface ShownEnrolment {
  /** By the node that it names, whom the caller may not trust. */
  readonly enrolled: EnrolledKey;
  /** The key is one that the device left by a rotation. */
  readonly former?: FormerKey;
}

export interface ShownRevocation {
  readonly revocation: Revocation;
  readonly signerKey: Uint8Array;
  /** By the recovery key of the enrolment shown; else by one who may be a registrar or nobody. */
  readonly byRecoveryKey: boolean;
}

/**
 * Checks the enrolment record and the revocations of a fault "key". Throws `fault-format`, `fault-record` for those of
 * another key or network, and what `enrolledKey` and `openRevocation` do.
 */
export function shownKey(suite: Suite, fault: KeyFault): ShownKey {
  const enrolled = shownEnrolment(suite, fault);
  const revocations = (fault.revocations ?? []).map((bytes) =>
    shownRevocation(suite, bytes, { fault, recoveryKey: enrolled?.enrolled.recoveryKey }),
  );
  return { revocations, ...(enrolled && { enrolled }) };
}

function shownEnrolment(suite: Suite, fault: KeyFault): ShownEnrolment | undefined {
  const { statement, countersignature, rotations } = fault;
  if (!statement && !countersignature && !rotations) return undefined;
  if (!statement || !countersignature)
    throw new Problem(
      "fault-format",
      "a statement and its countersignature come together, before any rotation",
    );
  const record = { statement, countersignature, rotations: splitObjects(rotations ?? new Uint8Array(0)) };
  const nodeKey = signerHint(countersignature, "countersignature");
  const enrolled = enrolledKey(suite, record, [nodeKey]);
  const former = enrolled.formerKeys.find(({ deviceKey }) => equalBytes(deviceKey, fault.deviceKey));
  const isOfKey = former !== undefined || equalBytes(enrolled.deviceKey, fault.deviceKey);
  if (isOfKey && enrolled.network === fault.network) return { enrolled, ...(former && { former }) };
  throw new Problem("fault-record", "the enrolment is of another key or network");
}

function shownRevocation(
  suite: Suite,
  bytes: Uint8Array,
  { fault, recoveryKey }: { readonly fault: KeyFault; readonly recoveryKey: Uint8Array | undefined },
): ShownRevocation {
  const { network, deviceKey } = fault;
  const signerKey = signerHint(bytes, "revocation");
  const revocation = openRevocation(suite, bytes, { network, deviceKey, registrarKeys: [signerKey] });
  const byRecoveryKey = recoveryKey !== undefined && equalBytes(signerKey, recoveryKey);
  return { revocation, signerKey, byRecoveryKey };
}
