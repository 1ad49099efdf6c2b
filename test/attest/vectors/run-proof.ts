import { verifyProof } from "../../../attest/proof-verify.ts";
import type { Suite } from "../../../attest/suite.ts";
import type { TrustPolicy } from "../../../attest/trust-policy.ts";
import { type EnergyVerdict, judge, type Verdict } from "../../../attest/verdict.ts";
import { byteListOf, bytesOf, numberOf, optional, textOf } from "./fields.ts";
import type { JsonFields } from "./schema.ts";

/** Verifies a proof file and judges it under the policy; returns what decides of the verdict. */
export function runProof(suite: Suite, input: JsonFields, policy: JsonFields): object {
  const proven = verifyProof(suite, bytesOf(input, "proof"));
  return decisive(judge(suite, proven, policyOf(policy)));
}

/** What a verifier trusts, as a vector says it. */
export function policyOf(policy: JsonFields): TrustPolicy {
  const network = optional(policy, "network", textOf);
  const revocations = optional(policy, "revocations", byteListOf);
  const registrarKeys = optional(policy, "registrarKeys", byteListOf);
  const clockToleranceMs = optional(policy, "clockToleranceMs", numberOf);
  return {
    deviceKeys: byteListOf(policy, "deviceKeys"),
    nodeKeys: byteListOf(policy, "nodeKeys"),
    witnesses: numberOf(policy, "witnesses"),
    ...(network !== undefined && { network }),
    ...(revocations && { revocations }),
    ...(registrarKeys && { registrarKeys }),
    ...(clockToleranceMs !== undefined && { clockToleranceMs }),
  };
}

function decisive(verdict: Verdict): object {
  const { trust, enrolledBy, standing, network, deviceKey, epochs, meter, channel, tier, edges } = verdict;
  const common = {
    ...{ trust, enrolledBy, standing, network, deviceKey, epochs, tier, meter, channel, edges },
    claim: verdict.claim,
  };
  if (verdict.claim === "energy") return { ...common, ...energy(verdict) };
  return { ...common, atMs: verdict.atMs, flexibility: verdict.flexibility };
}

function energy(verdict: EnergyVerdict): object {
  const { fromMs, toMs, segments, coarse, gaps, clockSteps, opaque } = verdict;
  const quantities = { import: verdict.import, export: verdict.export };
  return { fromMs, toMs, ...quantities, segments, coarse, gaps, clockSteps, opaque };
}
