import { Problem } from "../../attest/problem.ts";
import type { RegisterWrite } from "../control/surface.ts";
import { numberOf } from "../control/values.ts";
import type { ControlCapability, ControlCommand, ControlKind, ControlState } from "../control.ts";
import { present } from "../present.ts";
import type { Block, Source } from "./block.ts";
import { grantedMs, type ModelControl, rampSeconds, type SunSpecRatings, timingOf } from "./control-model.ts";
import { isImplemented, ppmOfRaw, rawOfShare, stepOfShare, writeOf } from "./control-points.ts";
import { storageControls } from "./controls.ts";
import { FULL_PPM, share } from "./shares.ts";

/*
 * Model 124, points of github.com/sunspec/models json/model_124.json at 7abdf89. Charging at most at one rate and
 * discharging at most at its opposite leaves one power, as Fronius uses it (github.com/evcc-io/evcc at b29b49e,
 * templates/definition/meter/fronius-gen24.yaml).
 */

const CHARGE = 1;
const DISCHARGE = 2;
const MOST_SECONDS = 0xfffe;
const FROM_PV = 0;

/** Kinds that are the same two registers. */
const RATE_KINDS: readonly ControlKind[] = ["powerSetpoint", "importLimit", "exportLimit"];

interface Place {
  readonly source: Source;
  readonly block: Block;
  readonly channel: string;
  readonly ratings: SunSpecRatings;
}

/** Setpoint and both limits, where the device has the rates and says what they are a percentage of. */
export function storageRateControls({ source, block, channel, ratings }: Place): readonly ModelControl[] {
  const { chargeRateMw = 0, dischargeRateMw = 0 } = ratings;
  const there = ["StorCtl_Mod", "InWRte", "OutWRte"].every((name) => isImplemented(block, name));
  if (!there) return [];
  const timer = isImplemented(block, "InOutWRte_RvrtTms");
  const kinds = RATE_KINDS.filter(
    (kind) => (kind === "exportLimit" || chargeRateMw > 0) && (kind === "importLimit" || dischargeRateMw > 0),
  );
  return kinds.map((kind) => {
    const capability: ControlCapability = {
      ...{ kind, channel, revertsTo: "automatic", ramp: isImplemented(block, "InOutWRte_RmpTms") },
      ...timingOf(timer ? MOST_SECONDS : undefined),
      step: stepOfShare(
        block,
        "InWRte",
        kind === "exportLimit" ? dischargeRateMw : Math.max(chargeRateMw, dischargeRateMw),
      ),
      excludes: kinds.filter((one) => one !== kind),
    };
    return {
      ...{ source, capability },
      state: (now, rates) => rateState(now, capability, rates),
      plan: (now, command) => ratePlan(now, command, { capability, rates: ratings }),
      revert: (now) => automatic(now),
    };
  });
}

interface RateContext {
  readonly capability: ControlCapability;
  readonly rates: SunSpecRatings;
}

function ratePlan(
  block: Block,
  command: ControlCommand,
  { capability, rates: { chargeRateMw = 0, dischargeRateMw = 0 } }: RateContext,
): ReturnType<ModelControl["plan"]> {
  const leaseMs = grantedMs(command, capability);
  const number = numberOf(command);
  requireGrid(block, command);
  const out = command.kind === "exportLimit" || number < 0;
  const wholeMw = out ? dischargeRateMw : chargeRateMw;
  const raw = rawOfShare(block, out ? "OutWRte" : "InWRte", Math.abs(number), wholeMw);
  const magnitude = share(wholeMw, ppmOfRaw(block, "InWRte", raw)) ?? 0;
  const ramp = rampSeconds(command.rampMwPerS, chargeRateMw + dischargeRateMw);
  return {
    leaseMs,
    written:
      command.kind === "powerSetpoint"
        ? { kind: command.kind, powerMw: number < 0 ? 0 - magnitude : magnitude }
        : { kind: out ? "exportLimit" : "importLimit", limitMw: magnitude },
    writes: [...timers(block, capability, { seconds: leaseMs / 1000, ramp }), ...rates(block, command, raw)],
  };
}

/** Both rates are written at once, so that they are never those of two commands. */
function rates(block: Block, { kind, ...rest }: ControlCommand, raw: number): readonly RegisterWrite[] {
  if (kind !== "powerSetpoint") {
    const [name, bit] = kind === "exportLimit" ? ["OutWRte", DISCHARGE] : ["InWRte", CHARGE];
    return [writeOf(block, { [String(name)]: raw }), writeOf(block, { StorCtl_Mod: Number(bit) })];
  }
  const out = "powerMw" in rest && rest.powerMw < 0;
  const [OutWRte, InWRte] = out ? [raw, 0 - raw] : [0 - raw, raw];
  return [writeOf(block, { OutWRte, InWRte }), writeOf(block, { StorCtl_Mod: CHARGE + DISCHARGE })];
}

function timers(
  block: Block,
  { reverts, ramp }: ControlCapability,
  times: { readonly seconds: number; readonly ramp: number },
): readonly RegisterWrite[] {
  const values = {
    ...(reverts === "device" ? { InOutWRte_RvrtTms: times.seconds } : {}),
    ...(ramp ? { InOutWRte_RmpTms: times.ramp } : {}),
  };
  return Object.keys(values).length === 0 ? [] : [writeOf(block, values)];
}

/** Whether it may charge from the grid is the owner's to say (ChaGriSet), not a command's. */
function requireGrid(block: Block, command: ControlCommand): void {
  if (command.kind !== "powerSetpoint" || command.powerMw <= 0 || block.state("ChaGriSet") !== FROM_PV)
    return;
  throw new Problem("control-not-allowed", "the battery is set to charge from PV only", {
    where: block.label,
    expected: "ChaGriSet 1 (GRID)",
    got: "0 (PV)",
    hint: "allow charging from the grid in the device's own settings",
  });
}

/** Off first; then nothing is left that somebody else's command would find: all of both rates, and no timer. */
function automatic(block: Block): readonly RegisterWrite[] {
  const full = rawOfShare(block, "InWRte", FULL_PPM, FULL_PPM);
  return [
    writeOf(block, { StorCtl_Mod: 0 }),
    writeOf(block, { OutWRte: full, InWRte: full }),
    ...(isImplemented(block, "InOutWRte_RvrtTms") ? [writeOf(block, { InOutWRte_RvrtTms: 0 })] : []),
  ];
}

function rateState(
  block: Block,
  { kind, channel }: ControlCapability,
  { chargeRateMw, dischargeRateMw }: SunSpecRatings,
): ControlState {
  const { charge, discharge } = storageControls(block, {
    chargeMw: chargeRateMw,
    dischargeMw: dischargeRateMw,
  });
  if (charge === undefined || discharge === undefined) return { kind, channel, active: undefined };
  const into = charge.enabled ? (charge.ppm ?? FULL_PPM) : FULL_PPM;
  const out = discharge.enabled ? (discharge.ppm ?? FULL_PPM) : FULL_PPM;
  const forced = charge.enabled && discharge.enabled && into === 0 - out;
  if (kind === "powerSetpoint") {
    const powerMw = into >= 0 ? charge.powerMw : 0 - (discharge.powerMw ?? 0);
    const other = charge.enabled && discharge.enabled && (into < FULL_PPM || out < FULL_PPM) && !forced;
    return present<ControlState>({
      ...{ kind, channel, active: forced ? true : other ? undefined : false },
      value: forced && powerMw !== undefined ? { kind, powerMw } : undefined,
    });
  }
  const rate = kind === "importLimit" ? charge : discharge;
  const active = rate.enabled && !forced && (rate.ppm ?? FULL_PPM) < FULL_PPM;
  return present<ControlState>({
    ...{ kind, channel, active },
    value:
      active && rate.powerMw !== undefined && kind !== "stateOfChargeReserve" && kind !== "mode"
        ? { kind, limitMw: Math.max(0, rate.powerMw) }
        : undefined,
  });
}
