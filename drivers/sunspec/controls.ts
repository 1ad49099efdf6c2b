import { present } from "../present.ts";
import type { Fields } from "./fields.ts";
import { opposite } from "./quantities.ts";
import { share } from "./shares.ts";

/*
 * What a device is told to do, as its registers say it now. Nothing is written. Points are those of
 * github.com/sunspec/models json/model_123.json, model_124.json and model_704.json at 7abdf89.
 */

/** What a device does by itself when nobody renews a command. Absent is what the model cannot say. */
export interface Reversion {
  /** Seconds after a command until it reverts; 0 is never. */
  readonly timeoutSeconds?: number;
  /** Seconds that are left now. */
  readonly remainingSeconds?: number;
  /** Whether the function is on after it has reverted, and its value then. */
  readonly enabled?: boolean;
  readonly ppm?: number;
  readonly powerMw?: number;
}

/** A limit of the power that may be given out: unsigned, `ppm` of the device's maximum power. */
export interface LimitControl {
  readonly enabled: boolean;
  readonly ppm?: number;
  readonly powerMw?: number;
  readonly reversion: Reversion;
}

/** A power to keep to, + into the boundary (charging), - out of it; percentages have the same sign. */
export interface SetpointControl extends LimitControl {
  readonly mode: "watts" | "percent";
}

/** Model 123: connection and output limit. */
export interface ImmediateControls {
  /** False when the device is told to disconnect. */
  readonly connected?: boolean;
  /** Seconds after which that reverts. */
  readonly connectionTimeoutSeconds?: number;
  readonly exportLimit?: LimitControl;
}

/** Model 704: output limit and power setpoint. */
export interface DerControls {
  readonly exportLimit?: LimitControl;
  readonly setpoint?: SetpointControl;
}

/** One direction of model 124. A negative rate forces the other direction (as Fronius uses it). */
export interface RateControl {
  readonly enabled: boolean;
  readonly ppm?: number;
  readonly powerMw?: number;
}

/** Model 124: how fast a storage may charge and discharge. */
export interface StorageControls {
  readonly charge?: RateControl;
  readonly discharge?: RateControl;
  readonly timeoutSeconds?: number;
  /** Whether it may charge from the grid. */
  readonly gridCharging?: boolean;
}

const ENABLED = 1;
const CONNECT = 1;
/** Model 704, point WSetMod. */
const WATTS = 1;
/** Model 124, bits of StorCtl_Mod, and point ChaGriSet. */
const CHARGE_BIT = 1;
const DISCHARGE_BIT = 2;
const FROM_GRID = 1;

/** Reads model 123; `maximumMw` is WMax of model 121, which its percentage is of. */
export function immediateControls(fields: Fields, maximumMw: number | undefined): ImmediateControls {
  const enabled = flag(fields.state("WMaxLim_Ena"), ENABLED);
  const ppm = fields.optionalPpm("WMaxLimPct");
  const limit = { ppm, powerMw: share(maximumMw, ppm) };
  const reversion = present<Reversion>({ timeoutSeconds: fields.state("WMaxLimPct_RvrtTms") });
  return present<ImmediateControls>({
    connected: flag(fields.state("Conn"), CONNECT),
    connectionTimeoutSeconds: fields.state("Conn_RvrtTms"),
    exportLimit: enabled === undefined ? undefined : present<LimitControl>({ enabled, ...limit, reversion }),
  });
}

/** Reads model 704; `maximumMw` is WMax of model 702, which its percentages are of. */
export function derControls(fields: Fields, maximumMw: number | undefined): DerControls {
  return present<DerControls>({
    exportLimit: derLimit(fields, maximumMw),
    setpoint: derSetpoint(fields, maximumMw),
  });
}

function derLimit(fields: Fields, maximumMw: number | undefined): LimitControl | undefined {
  const enabled = flag(fields.state("WMaxLimPctEna"), ENABLED);
  if (enabled === undefined) return undefined;
  const of = (name: string): { ppm: number | undefined; powerMw: number | undefined } => {
    const ppm = fields.optionalPpm(name);
    return { ppm, powerMw: share(maximumMw, ppm) };
  };
  const reversion = present<Reversion>({
    timeoutSeconds: fields.state("WMaxLimPctRvrtTms"),
    remainingSeconds: fields.state("WMaxLimPctRvrtRem"),
    enabled: flag(fields.state("WMaxLimPctEnaRvrt"), ENABLED),
    ...of("WMaxLimPctRvrt"),
  });
  return present<LimitControl>({ enabled, ...of("WMaxLimPct"), reversion });
}

/** The definition says of WSet that it "may be negative for charging". */
function derSetpoint(fields: Fields, maximumMw: number | undefined): SetpointControl | undefined {
  const enabled = flag(fields.state("WSetEna"), ENABLED);
  if (enabled === undefined) return undefined;
  const mode = fields.state("WSetMod") === WATTS ? "watts" : "percent";
  const of = (watts: string, percent: string): { ppm?: number | undefined; powerMw?: number | undefined } => {
    if (mode === "watts") return { powerMw: opposite(fields.optionalMilli(watts)) };
    const ppm = opposite(fields.optionalPpm(percent));
    return { ppm, powerMw: share(maximumMw, ppm) };
  };
  const reversion = present<Reversion>({
    timeoutSeconds: fields.state("WSetRvrtTms"),
    remainingSeconds: fields.state("WSetRvrtRem"),
    enabled: flag(fields.state("WSetEnaRvrt"), ENABLED),
    ...of("WSetRvrt", "WSetPctRvrt"),
  });
  return present<SetpointControl>({ enabled, mode, ...of("WSet", "WSetPct"), reversion });
}

/** What the percentages of model 124 are of: WChaMax of its own, and the fastest discharge (MaxDisChaRte of 120). */
export interface StorageRates {
  readonly chargeMw: number | undefined;
  readonly dischargeMw: number | undefined;
}

/** Reads model 124. */
export function storageControls(fields: Fields, { chargeMw, dischargeMw }: StorageRates): StorageControls {
  const mode = fields.state("StorCtl_Mod");
  const rate = (name: string, bit: number, fullMw: number | undefined): RateControl | undefined => {
    if (mode === undefined) return undefined;
    const ppm = fields.optionalPpm(name);
    return present<RateControl>({ enabled: (mode & bit) !== 0, ppm, powerMw: share(fullMw, ppm) });
  };
  return present<StorageControls>({
    charge: rate("InWRte", CHARGE_BIT, chargeMw),
    discharge: rate("OutWRte", DISCHARGE_BIT, dischargeMw),
    timeoutSeconds: fields.state("InOutWRte_RvrtTms"),
    gridCharging: flag(fields.state("ChaGriSet"), FROM_GRID),
  });
}

/** The power that a limit allows of `maximumMw`, or all of it when the limit is off. */
export function allowedMw(
  control: LimitControl | undefined,
  maximumMw: number | undefined,
): number | undefined {
  if (control?.enabled !== true) return maximumMw;
  const { powerMw } = control;
  return powerMw === undefined || maximumMw === undefined ? powerMw : Math.min(powerMw, maximumMw);
}

/** True and false are the only two states that are taken for one; anything else is not said. */
function flag(state: number | undefined, yes: number): boolean | undefined {
  if (state === yes) return true;
  return state === 0 ? false : undefined;
}
