import { anchorFaultDrafts } from "./anchor-faults.ts";
import { batchFaultDrafts } from "./batch-faults.ts";
import { batchDrafts } from "./batches.ts";
import { brokenProofDrafts } from "./broken-proofs.ts";
import { checkpointDrafts } from "./checkpoints.ts";
import { claimFaultDrafts } from "./claim-faults.ts";
import { closeFaultDrafts } from "./close-faults.ts";
import type { Draft } from "./draft.ts";
import { enrolledKeyDrafts } from "./enrolled-keys.ts";
import { enrolmentDrafts } from "./enrolments.ts";
import { epochFaultDrafts } from "./epoch-faults.ts";
import { falseLeafDrafts } from "./false-leaves.ts";
import { faultFaultDrafts } from "./fault-faults.ts";
import { faultDrafts } from "./faults.ts";
import { lateRegisterDrafts } from "./late-registers.ts";
import { leafFaultDrafts } from "./leaf-faults.ts";
import { leafDrafts } from "./leaves.ts";
import { logIdDrafts } from "./log-ids.ts";
import { lostClockDrafts } from "./lost-clocks.ts";
import { proofFaultDrafts } from "./proof-faults.ts";
import { proofReceiptDrafts } from "./proof-receipts.ts";
import { proofDrafts } from "./proofs.ts";
import { receiptDrafts } from "./receipts.ts";
import { revocationDrafts } from "./revocations.ts";
import { rotationDrafts } from "./rotations.ts";
import { settlementFaultDrafts } from "./settlement-faults.ts";
import { settlementDrafts } from "./settlements.ts";
import { signatureEdgeDrafts } from "./signature-edges.ts";
import { treeDrafts } from "./trees.ts";
import { trustDrafts } from "./trust.ts";

/** Every vector, made anew from seeds: the same ones each time. */
export function allDrafts(): Draft[] {
  return [
    ...[...logIdDrafts(), ...leafDrafts(), ...leafFaultDrafts(), ...treeDrafts()],
    ...[...checkpointDrafts(), ...signatureEdgeDrafts(), ...receiptDrafts()],
    ...[...enrolmentDrafts(), ...rotationDrafts(), ...revocationDrafts(), ...enrolledKeyDrafts()],
    ...[
      ...batchDrafts(),
      ...batchFaultDrafts(),
      ...closeFaultDrafts(),
      ...lostClockDrafts(),
      ...lateRegisterDrafts(),
    ],
    ...[...proofDrafts(), ...brokenProofDrafts(), ...proofFaultDrafts(), ...proofReceiptDrafts()],
    ...[...claimFaultDrafts(), ...anchorFaultDrafts()],
    ...[...epochFaultDrafts(), ...trustDrafts()],
    ...[...settlementDrafts(), ...settlementFaultDrafts()],
    ...[...faultDrafts(), ...falseLeafDrafts(), ...faultFaultDrafts()],
  ];
}
