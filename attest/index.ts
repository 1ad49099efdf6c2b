/**
 * The portable entry: everything that a verifier needs, unchanged in a browser. Nothing inside the house imports it.
 *
 * `check…` give what is wrong with evidence as a value; `sign…` and the codecs throw a {@link Problem} when they are
 * called with what cannot be signed or written.
 */

export {
  type Baseline,
  type BaselineRequest,
  baselineOf,
  type Delivery,
  deliveryOf,
  pastError,
} from "./baseline/baseline.ts";
export { closedEnergies, energiesOf } from "./baseline/energies.ts";
export { openZone } from "./baseline/zone.ts";
export {
  type Checked,
  checkBatch,
  checkCheckpoint,
  checkCountersignature,
  checkEnrolledKey,
  checkEnrolment,
  checkFault,
  checkFile,
  checkHello,
  checkLeaf,
  checkProof,
  checkReceipt,
  checkRevocation,
  checkRotation,
  type Refusal,
} from "./check.ts";
export { type Checkpoint, signCheckpoint } from "./checkpoint.ts";
export { type Countersignature, DECISIONS, signCountersignature } from "./countersignature.ts";
export type { EnrolledKey, EnrolmentRecord, FormerKey } from "./enrolled-key.ts";
export { type Enrolment, type EnrolmentTerms, signEnrolment } from "./enrolment.ts";
export type { FaultVerdict } from "./fault-judge.ts";
export { faultWords } from "./fault-words.ts";
export { isSettlementFile } from "./flexibility/proof-file.ts";
export { type ProvenSettlement, verifySettlement } from "./flexibility/proof-verify.ts";
export {
  type CheckedSettlement,
  checkSettlement,
  judgeSettlement,
  type SettlementVerdict,
} from "./flexibility/verdict.ts";
export { settlementWords } from "./flexibility/verdict-words.ts";
export { type HelloRole, type HelloTerms, signHello } from "./hello.ts";
export { type LogIdentity, leafSalt, logIdOf } from "./identity.ts";
export type * from "./leaf.ts";
export { CLOSE_SHAPE, DISCONTINUITY, KNOWN_TIME, LEAF_KINDS, REGISTER, TIME_QUALITY } from "./leaf.ts";
export { encodeLeaf } from "./leaf-codec.ts";
export type { LeafCommon } from "./leaf-common.ts";
export type * from "./leaf-flexibility.ts";
export { ACKNOWLEDGEMENT, BOUNDARY, DIRECTION, SETTLEMENT } from "./leaf-flexibility.ts";
export { LogRules, restoreRules } from "./log-rules.ts";
export { hmacSha256, portableSigner, portableSuite } from "./portable.ts";
export { sealedFromJson, sealedToJson } from "./pretty.ts";
export { leafFromJson, leafToJson } from "./pretty-leaf.ts";
export { Problem } from "./problem.ts";
export type { FlexibilityReading, MeterReading } from "./reading.ts";
export { type Receipt, RULE_VERSION, signReceipt } from "./receipt.ts";
export { isValidUnder, type Revocation, type RevocationAuthority, signRevocation } from "./revocation.ts";
export { type Rotation, type RotationTerms, signRotation } from "./rotation.ts";
export type { Signer } from "./signature.ts";
export { type Batch, MAX_BATCH_LEAVES, type VerifiedBatch } from "./stream-verifier.ts";
export type { Suite } from "./suite.ts";
export { fingerprint, type TrustPolicy } from "./trust-policy.ts";
export type { EnergyVerdict, FlexibilityVerdict, Verdict } from "./verdict.ts";
export { verdictWords } from "./verdict-words.ts";
