import { Problem } from "../../attest/problem.ts";
import { numberOf } from "../control/values.ts";
import type { ControlCapability, ControlState } from "../control.ts";
import { present } from "../present.ts";
import type { Block, Source } from "./block.ts";
import { type ModelControl, timingOf } from "./control-model.ts";
import { isImplemented, ppmOfRaw, rawOfPpmUp, stepPpm, writeOf } from "./control-points.ts";

/** Model 802, point SoCRsvMin, and model 124, point MinRsvPct; neither has a timer, nor a state without a reserve. */
export type ReservePoint = "SoCRsvMin" | "MinRsvPct";

/** LocRemCtl of model 802: somebody at the device has it under control. */
const LOCAL = 1;

export function reserveControl(
  { source, block, channel }: { readonly source: Source; readonly block: Block; readonly channel: string },
  name: ReservePoint,
): ModelControl | undefined {
  if (!isImplemented(block, name)) return undefined;
  const kind = "stateOfChargeReserve";
  const capability: ControlCapability = {
    ...{ kind, channel, revertsTo: "before", ramp: false, excludes: [], step: stepPpm(block, name) },
    ...timingOf(undefined),
  };
  const writesOf = (now: Block, reservePpm: number): ReturnType<ModelControl["revert"]> => [
    writeOf(now, { [name]: rawOfPpmUp(now, name, reservePpm) }),
  ];
  return {
    ...{ source, capability },
    state: (now) => {
      const reservePpm = now.optionalPpm(name);
      return present<ControlState>({
        ...{ kind, channel, active: reservePpm === undefined ? undefined : true },
        value: reservePpm === undefined ? undefined : { kind, reservePpm },
      });
    },
    plan: (now, command) => {
      requireRemote(now);
      const raw = rawOfPpmUp(now, name, numberOf(command));
      return {
        leaseMs: command.leaseMs,
        written: { kind, reservePpm: ppmOfRaw(now, name, raw) },
        writes: writesOf(now, numberOf(command)),
      };
    },
    revert: (now, before) => {
      if (before?.value !== undefined) return writesOf(now, numberOf(before.value));
      throw new Problem("control-no-before", "nobody says what the reserve was before", {
        where: now.label,
        hint: "give what apply() said it was",
      });
    },
  };
}

function requireRemote(block: Block): void {
  if (block.model.id !== 802 || block.state("LocRemCtl") !== LOCAL) return;
  throw new Problem("control-not-allowed", "the battery is under local control", {
    where: block.label,
    expected: "LocRemCtl 0 (remote)",
    got: "1 (local)",
  });
}
