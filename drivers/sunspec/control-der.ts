import { Problem } from "../../attest/problem.ts";
import type { RegisterWrite } from "../control/surface.ts";
import { numberOf } from "../control/values.ts";
import type { ControlCapability, ControlCommand, ControlState } from "../control.ts";
import { present } from "../present.ts";
import type { Block, Source } from "./block.ts";
import { grantedMs, type ModelControl, type SunSpecRatings, timingOf } from "./control-model.ts";
import {
  isImplemented,
  milliOfRaw,
  ppmOfRaw,
  rawOfMilli,
  rawOfShare,
  rawOfShareRead,
  stepOfShare,
  writeOf,
} from "./control-points.ts";
import { derControls, type LimitControl } from "./controls.ts";
import { share } from "./shares.ts";

/*
 * Model 704, points of github.com/sunspec/models json/model_704.json at 7abdf89: what the device does when a command's
 * time is over is written before the value, and the function is switched on at last.
 */

const ON = 1;
const OFF = 0;
/** WSetMod. */
const PERCENT = 0;
const WATTS = 1;
/** What a uint32 of seconds holds. */
const MOST_SECONDS = 0xffff_fffe;

interface Place {
  readonly source: Source;
  readonly block: Block;
  readonly channel: string;
  readonly ratings: SunSpecRatings;
}

/** WSet, or WSetPct where the device has only that; undefined where it has neither. */
export function derSetpointControl({ source, block, channel, ratings }: Place): ModelControl | undefined {
  const watts = isImplemented(block, "WSet");
  const outputMw = ratings.outputMw ?? 0;
  if (!isImplemented(block, "WSetEna")) return undefined;
  if (!watts && (!isImplemented(block, "WSetPct") || outputMw <= 0)) return undefined;
  const timer = isImplemented(block, "WSetRvrtTms") && isImplemented(block, "WSetEnaRvrt");
  const capability: ControlCapability = {
    ...{ kind: "powerSetpoint", channel, revertsTo: "automatic", ramp: false, excludes: [] },
    ...timingOf(timer ? MOST_SECONDS : undefined),
    step: watts ? Math.max(1, milliOfRaw(block, "WSet", 1)) : stepOfShare(block, "WSetPct", outputMw),
  };
  return {
    ...{ source, capability },
    state: (now, { outputMw: maximumMw }) =>
      stateOf(capability, derControls(now, maximumMw).setpoint, (powerMw) => ({
        ...{ kind: "powerSetpoint", powerMw },
      })),
    plan: (now, command) => {
      const leaseMs = grantedMs(command, capability);
      // The definition: WSet is what is generated, and "may be negative for charging".
      const wanted = 0 - numberOf(command);
      const value = watts ? wattsOf(now, wanted) : percentOf(now, wanted, outputMw);
      return {
        leaseMs,
        written: { kind: "powerSetpoint", powerMw: 0 - value.milli },
        writes: [
          ...(timer ? [writeOf(now, { WSetEnaRvrt: OFF, WSetRvrtTms: leaseMs / 1000 })] : []),
          ...value.writes,
          writeOf(now, { WSetEna: ON }),
        ],
      };
    },
    revert: (now) => [writeOf(now, { WSetEna: OFF }), ...(timer ? [writeOf(now, { WSetRvrtTms: 0 })] : [])],
  };
}

interface Encoded {
  readonly milli: number;
  readonly writes: readonly RegisterWrite[];
}

function wattsOf(block: Block, wanted: number): Encoded {
  const raw = rawOfMilli(block, "WSet", wanted);
  return { milli: milliOfRaw(block, "WSet", raw), writes: [withMode(block, { WSet: raw }, WATTS)].flat() };
}

function percentOf(block: Block, wanted: number, outputMw: number): Encoded {
  const raw = rawOfShare(block, "WSetPct", wanted, outputMw);
  const milli = share(outputMw, ppmOfRaw(block, "WSetPct", raw)) ?? 0;
  return {
    milli: milli + 0,
    writes: [...modeOf(block, PERCENT), writeOf(block, { WSetPct: raw })],
  };
}

/** The mode stands right before WSet: both are written at once, so that no watts are ever taken for percent. */
function withMode(block: Block, { WSet }: { readonly WSet: number }, mode: number): RegisterWrite {
  return isImplemented(block, "WSetMod") ? writeOf(block, { WSetMod: mode, WSet }) : writeOf(block, { WSet });
}

function modeOf(block: Block, mode: number): readonly RegisterWrite[] {
  return isImplemented(block, "WSetMod") ? [writeOf(block, { WSetMod: mode })] : [];
}

/** WMaxLimPct; undefined where the device does not have it, or nobody says what it is a percentage of. */
export function derLimitControl({ source, block, channel, ratings }: Place): ModelControl | undefined {
  const outputMw = ratings.outputMw ?? 0;
  const there = isImplemented(block, "WMaxLimPctEna") && isImplemented(block, "WMaxLimPct");
  if (!there || outputMw <= 0) return undefined;
  const timer = isImplemented(block, "WMaxLimPctRvrtTms") && isImplemented(block, "WMaxLimPctEnaRvrt");
  const capability: ControlCapability = {
    ...{ kind: "exportLimit", channel, revertsTo: "before", ramp: false, excludes: [] },
    ...timingOf(timer ? MOST_SECONDS : undefined),
    step: stepOfShare(block, "WMaxLimPct", outputMw),
  };
  return {
    ...{ source, capability },
    state: (now, { outputMw: maximumMw }) =>
      stateOf(capability, derControls(now, maximumMw).exportLimit, (limitMw) => ({
        ...{ kind: "exportLimit", limitMw },
      })),
    plan: (now, command, { before }) => limitPlan(now, command, { capability, before, outputMw }),
    revert: (now, before) => [
      ...limitBack(now, before, outputMw),
      ...(timer ? [writeOf(now, { WMaxLimPctRvrtTms: 0 })] : []),
    ],
  };
}

function limitPlan(
  block: Block,
  command: ControlCommand,
  {
    capability,
    before,
    outputMw,
  }: {
    readonly capability: ControlCapability;
    readonly before: ControlState;
    readonly outputMw: number;
  },
): ReturnType<ModelControl["plan"]> {
  const leaseMs = grantedMs(command, capability);
  const raw = rawOfShare(block, "WMaxLimPct", numberOf(command), outputMw);
  const after =
    capability.reverts === "device" ? reversionOf(block, before, { outputMw, seconds: leaseMs / 1000 }) : [];
  return {
    leaseMs,
    written: { kind: "exportLimit", limitMw: share(outputMw, ppmOfRaw(block, "WMaxLimPct", raw)) ?? 0 },
    writes: [...after, writeOf(block, { WMaxLimPct: raw }), writeOf(block, { WMaxLimPctEna: ON })],
  };
}

/** A limit that stood there before comes back by itself. */
function reversionOf(
  block: Block,
  before: ControlState,
  { outputMw, seconds }: { readonly outputMw: number; readonly seconds: number },
): readonly RegisterWrite[] {
  const earlier = before.active === true ? before.value : undefined;
  if (earlier === undefined) return [writeOf(block, { WMaxLimPctEnaRvrt: OFF, WMaxLimPctRvrtTms: seconds })];
  if (!isImplemented(block, "WMaxLimPctRvrt"))
    throw new Problem("control-not-allowed", "a limit is set that the device cannot go back to by itself", {
      where: block.label,
      expected: "WMaxLimPctRvrt",
    });
  const raw = rawOfShareRead(block, "WMaxLimPct", numberOf(earlier), outputMw);
  return [writeOf(block, { WMaxLimPctRvrt: raw, WMaxLimPctEnaRvrt: ON, WMaxLimPctRvrtTms: seconds })];
}

function limitBack(
  block: Block,
  before: ControlState | undefined,
  outputMw: number,
): readonly RegisterWrite[] {
  if (before === undefined) return kept(block);
  const earlier = before.active === true ? before.value : undefined;
  if (earlier === undefined) return [writeOf(block, { WMaxLimPctEna: OFF })];
  const raw = rawOfShareRead(block, "WMaxLimPct", numberOf(earlier), outputMw);
  return [writeOf(block, { WMaxLimPct: raw }), writeOf(block, { WMaxLimPctEna: ON })];
}

/** Nobody knows what was before, but the device does while its timer runs: it is what it would revert to by itself. */
function kept(block: Block): readonly RegisterWrite[] {
  const enabled = block.state("WMaxLimPctEnaRvrt");
  const running = (block.state("WMaxLimPctRvrtTms") ?? 0) > 0;
  const raw = block.state("WMaxLimPctRvrt");
  if (running && enabled === ON && raw !== undefined)
    return [writeOf(block, { WMaxLimPct: raw }), writeOf(block, { WMaxLimPctEna: ON })];
  if (block.state("WMaxLimPctEna") === OFF || (running && enabled === OFF))
    return [writeOf(block, { WMaxLimPctEna: OFF })];
  throw new Problem("control-no-before", "nobody says what limit was set before", {
    where: block.label,
    hint: "give what apply() said it was; a limit that is not known to be ours is not taken away",
  });
}

function stateOf(
  { kind, channel }: ControlCapability,
  control: LimitControl | undefined,
  asValue: (milli: number) => NonNullable<ControlState["value"]>,
): ControlState {
  if (control === undefined) return { kind, channel, active: undefined };
  if (!control.enabled) return { kind, channel, active: false };
  const { powerMw, reversion } = control;
  const running = (reversion.timeoutSeconds ?? 0) > 0 ? reversion.remainingSeconds : undefined;
  return present<ControlState>({
    ...{ kind, channel, active: true },
    value: powerMw === undefined ? undefined : asValue(powerMw),
    remainingMs: running === undefined ? undefined : running * 1000,
  });
}
