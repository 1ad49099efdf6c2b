import { type Checkpoint, openCheckpoint } from "./checkpoint.ts";
import { type Countersignature, openCountersignature } from "./countersignature.ts";
import { type EnrolledKey, type EnrolmentRecord, enrolledKey } from "./enrolled-key.ts";
import { checkEnrolment as checkStatement, type Enrolment, type EnrolmentTerms } from "./enrolment.ts";
import { isFaultFile } from "./fault.ts";
import { type FaultVerdict, judgeFault } from "./fault-judge.ts";
import { verifyFault } from "./fault-verify.ts";
import { checkHello as checkSignedHello, type HelloRole, type HelloTerms } from "./hello.ts";
import { requireKey } from "./key-checks.ts";
import type { Leaf } from "./leaf.ts";
import { decodeLeaf } from "./leaf-codec.ts";
import type { LogRules } from "./log-rules.ts";
import { Problem } from "./problem.ts";
import { verifyProof } from "./proof-verify.ts";
import { openReceipt, type Receipt } from "./receipt.ts";
import { openRevocation, type Revocation, type RevocationAuthority } from "./revocation.ts";
import { openRotation, type Rotation, type RotationTerms } from "./rotation.ts";
import { type Batch, type VerifiedBatch, verifyBatch } from "./stream-verifier.ts";
import type { Suite } from "./suite.ts";
import type { TrustPolicy } from "./trust-policy.ts";
import { judge, type Verdict } from "./verdict.ts";

/**
 * The public face of the verifier: a fault in evidence is a value here, and an exception means that the caller made a
 * mistake. Inside the house the functions below these throw a Problem where evidence is at fault.
 */

/** What was wrong with evidence. Match on `code`; the rest is for people. */
export interface Refusal {
  readonly code: string;
  /** One line: what, where, expected, got. */
  readonly message: string;
}

/** What came out of a check. */
export type Checked<T> =
  | { readonly valid: true; readonly value: T }
  | { readonly valid: false; readonly refusal: Refusal };

function checked<T>(work: () => T): Checked<T> {
  try {
    return { valid: true, value: work() };
  } catch (thrown) {
    if (!(thrown instanceof Problem)) throw thrown;
    return { valid: false, refusal: { code: thrown.code, message: thrown.message } };
  }
}

/** A proof file against what is trusted: codes as in docs/evidence-format.md, "Verification" and "Judging". */
export function checkProof(suite: Suite, bytes: Uint8Array, policy: TrustPolicy): Checked<Verdict> {
  return checked(() => judge(suite, verifyProof(suite, bytes), policy));
}

/** A fault proof: `valid` means that it shows a fault; who is guilty, and what it does not show, is in the value. */
export function checkFault(suite: Suite, bytes: Uint8Array, policy: TrustPolicy): Checked<FaultVerdict> {
  return checked(() => judgeFault(suite, verifyFault(suite, bytes), policy));
}

/** A proof or a fault proof, whichever the file says that it is. */
export function checkFile(
  suite: Suite,
  bytes: Uint8Array,
  policy: TrustPolicy,
): Checked<Verdict | FaultVerdict> {
  return isFaultFile(bytes) ? checkFault(suite, bytes, policy) : checkProof(suite, bytes, policy);
}

/**
 * Whether a batch extends the log that `rules` stand for. All or nothing: the value holds the state behind it, and
 * `rules` stay as they were. The device key has been checked once with `suite.checkPublicKey`.
 */
export function checkBatch(suite: Suite, rules: LogRules, batch: Batch): Checked<VerifiedBatch> {
  return checked(() => verifyBatch(suite, rules, batch));
}

/** One leaf that fills `bytes`. */
export function checkLeaf(bytes: Uint8Array): Checked<Leaf> {
  return checked(() => decodeLeaf(bytes));
}

/** A checkpoint of one log under the key of its device. */
export function checkCheckpoint(
  suite: Suite,
  bytes: Uint8Array,
  log: { readonly deviceKey: Uint8Array; readonly logId: Uint8Array },
): Checked<Checkpoint> {
  return checked(() => {
    requireKey(suite, log.deviceKey, "device key");
    return openCheckpoint(suite, bytes, log);
  });
}

/** A receipt under the key of its node. */
export function checkReceipt(suite: Suite, bytes: Uint8Array, nodeKey: Uint8Array): Checked<Receipt> {
  return checked(() => {
    requireKey(suite, nodeKey, "node key");
    return openReceipt(suite, bytes, nodeKey);
  });
}

/** The other side's hello of one connection. */
export function checkHello(
  suite: Suite,
  bytes: Uint8Array,
  expected: { readonly role: HelloRole; readonly terms: HelloTerms },
): Checked<void> {
  return checked(() => checkSignedHello(suite, bytes, expected));
}

/** An enrolment statement, as the node that asked for it sees it. */
export function checkEnrolment(suite: Suite, bytes: Uint8Array, terms: EnrolmentTerms): Checked<Enrolment> {
  return checked(() => checkStatement(suite, bytes, terms));
}

/** A node's answer to exactly one enrolment statement. */
export function checkCountersignature(
  suite: Suite,
  bytes: Uint8Array,
  expected: { readonly statement: Uint8Array; readonly nodeKey: Uint8Array },
): Checked<{ readonly enrolment: Enrolment; readonly countersignature: Countersignature }> {
  return checked(() => openCountersignature(suite, bytes, expected));
}

/** A rotation away from a key that is known. */
export function checkRotation(suite: Suite, bytes: Uint8Array, terms: RotationTerms): Checked<Rotation> {
  return checked(() => openRotation(suite, bytes, terms));
}

/** Which device key a trusted node has enrolled, after the rotations shown. */
export function checkEnrolledKey(
  suite: Suite,
  record: EnrolmentRecord,
  nodeKeys: readonly Uint8Array[],
): Checked<EnrolledKey> {
  return checked(() => enrolledKey(suite, record, nodeKeys));
}

/** A revocation of one device key by one who may. */
export function checkRevocation(
  suite: Suite,
  bytes: Uint8Array,
  authority: RevocationAuthority,
): Checked<Revocation> {
  return checked(() => openRevocation(suite, bytes, authority));
}
