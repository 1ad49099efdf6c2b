import type { Actuation } from "../../attest/leaf-flexibility.ts";
import { numberOf } from "../../drivers/control/values.ts";
import { CONTROL_KINDS } from "../../drivers/control.ts";
import type { Actuated } from "../control/types.ts";
import type { UntimedLifecycle } from "../sealing/leaves.ts";
import { reasonText } from "./acknowledgements.ts";

const ACTIONS = { apply: 1, renew: 2, revert: 3 } as const;

/** The leaf of what was done to a device. `orderSeq` only where it names a leaf of this log and channel. */
export function actuationBody(
  channel: number,
  actuated: Actuated,
  orderSeq: number | undefined,
): UntimedLifecycle<Actuation> {
  const { action, kind, value, readBack, leaseMs, rampMwPerS, reason } = actuated;
  return {
    kind: "actuation",
    ...{ channel, action: ACTIONS[action], command: CONTROL_KINDS[kind] },
    ...(orderSeq === undefined ? {} : { orderSeq }),
    ...(value === undefined ? {} : { value: numberOf(value) }),
    ...(readBack === undefined ? {} : { readBack: numberOf(readBack) }),
    ...(leaseMs === undefined ? {} : { leaseMs }),
    ...(rampMwPerS === undefined ? {} : { rampMwPerSecond: rampMwPerS }),
    ...(reason === undefined ? {} : { reason: reasonText(reason) }),
  };
}
