import { judgeFault } from "../../../attest/fault-judge.ts";
import { verifyFault } from "../../../attest/fault-verify.ts";
import type { Suite } from "../../../attest/suite.ts";
import { bytesOf } from "./fields.ts";
import { policyOf } from "./run-proof.ts";
import type { JsonFields } from "./schema.ts";

/** Verifies a fault proof and judges it under the policy; returns what decides of the verdict. */
export function runFault(suite: Suite, input: JsonFields, policy: JsonFields): object {
  const verdict = judgeFault(suite, verifyFault(suite, bytesOf(input, "fault")), policyOf(policy));
  const { fault, rule, guilty, network, deviceKey, epoch, trust, networkMeant } = verdict;
  return { fault, rule, guilty, network, deviceKey, epoch, trust, networkMeant };
}
