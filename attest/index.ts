/** The portable entry: everything a verifier needs, unchanged in a browser. Nothing inside the house imports it. */

export { type Checkpoint, openCheckpoint, signCheckpoint } from "./checkpoint.ts";
export {
  type Countersignature,
  DECISIONS,
  openCountersignature,
  signCountersignature,
} from "./countersignature.ts";
export { type EnrolledKey, type EnrolmentRecord, enrolledKey, type FormerKey } from "./enrolled-key.ts";
export {
  checkEnrolment,
  type Enrolment,
  type EnrolmentTerms,
  openEnrolment,
  signEnrolment,
} from "./enrolment.ts";
export { type LogIdentity, logIdOf } from "./identity.ts";
export type * from "./leaf.ts";
export { CLOSE_SHAPE, DISCONTINUITY, KNOWN_TIME, LEAF_KINDS, REGISTER, TIME_QUALITY } from "./leaf.ts";
export { decodeLeaf, decodeLeafAt, encodeLeaf } from "./leaf-codec.ts";
export { LogRules, restoreRules } from "./log-rules.ts";
export { hmacSha256, portableSigner, portableSuite } from "./portable.ts";
export { Problem } from "./problem.ts";
export { decodeProof, type Proof } from "./proof.ts";
export { type ProvenInterval, verifyProof } from "./proof-verify.ts";
export type { FlexibilityReading, MeterReading } from "./reading.ts";
export { openReceipt, type Receipt } from "./receipt.ts";
export {
  isValidUnder,
  openRevocation,
  type ReceiptedEvidence,
  type Revocation,
  type RevocationAuthority,
  signRevocation,
} from "./revocation.ts";
export { openRotation, type Rotation, type RotationTerms, signRotation } from "./rotation.ts";
export type { Signer } from "./signature.ts";
export { type Batch, MAX_BATCH_LEAVES, type VerifiedBatch, verifyBatch } from "./stream-verifier.ts";
export type { Suite } from "./suite.ts";
export { fingerprint, judge, type TrustPolicy, type Verdict } from "./verdict.ts";
export { verdictWords } from "./verdict-words.ts";
