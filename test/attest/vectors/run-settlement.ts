import { verifySettlement } from "../../../attest/flexibility/proof-verify.ts";
import { judgeSettlement } from "../../../attest/flexibility/verdict.ts";
import type { Suite } from "../../../attest/suite.ts";
import { bytesOf } from "./fields.ts";
import { policyOf } from "./run-proof.ts";
import type { JsonFields } from "./schema.ts";

/** Verifies a settlement proof and judges it under the policy; returns what decides of the verdict. */
export function runSettlement(suite: Suite, input: JsonFields, policy: JsonFields): object {
  const proven = verifySettlement(suite, bytesOf(input, "settlement"));
  const verdict = judgeSettlement(suite, proven, policyOf(policy));
  const { trust, standing, network, deviceKey, counts, faults, commitment, settled } = verdict;
  const { fromMs, toMs, receiptedAtMs, baselineMethod } = commitment;
  const days = settled.days.flatMap(({ excludedDays }) => excludedDays);
  return {
    ...{ trust, standing, network, deviceKey, counts, faults: faults.map(({ code }) => code) },
    ...{ counterparty: verdict.counterparty.nodeKey, fromMs, toMs, receiptedAtMs, baselineMethod },
    ...{ called: settled.called, result: settled.result, reason: settled.reason?.code },
    usedDays: settled.days.flatMap(({ usedDays }) => usedDays),
    excludedDays: days.map(({ day }) => day),
    exclusionReasons: days.map(({ reason }) => reason),
    ...(settled.result === "delivered" ? energiesOf(settled) : {}),
  };
}

function energiesOf(settled: ReturnType<typeof judgeSettlement>["settled"]): object {
  const { intervals, totals, completenessPpm } = settled;
  return {
    ...{ completenessPpm, totals },
    baselineMwh: intervals.map(({ baselineMwh }) => baselineMwh ?? 0),
    actualMwh: intervals.map(({ actualMwh }) => actualMwh ?? 0),
    deliveredMwh: intervals.map(({ deliveredMwh }) => deliveredMwh ?? 0),
    countedMwh: intervals.map(({ countedMwh }) => countedMwh),
  };
}
