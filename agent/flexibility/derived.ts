import {
  type ChannelRole,
  type FlexibilityReading,
  type MeterReading,
  READING_STATUS,
} from "../../attest/reading.ts";
import type { ControlKind, ControlRatings } from "../../drivers/control.ts";
import { present } from "../../drivers/present.ts";

/** A controlled channel whose driver delivers no flexibility reading. */
export interface DerivedSource {
  readonly role: ChannelRole;
  /** Kinds of command that the device takes about the channel. */
  readonly kinds: readonly ControlKind[];
  readonly ratings: ControlRatings;
}

const FULL_PPM = 1_000_000;

/**
 * What a device could do, from its reading and its ratings, where its driver does not say it. Undefined where the reading
 * has neither power nor state of charge, and where the channel takes no command that is about power: ratings alone show
 * nothing of what can be done now.
 */
export function derivedFlexibility(
  reading: MeterReading,
  { role, kinds, ratings }: DerivedSource,
): FlexibilityReading | undefined {
  const { channel, evidence, activePowerMw: powerMw, stateOfChargePpm: chargePpm, status = 0 } = reading;
  if (powerMw === undefined && chargePpm === undefined) return undefined;
  const ways = waysOf(kinds, powerMw);
  if (ways === undefined) return undefined;
  const isStorage = role === "storage";
  const rated = isStorage
    ? { into: ratings.maxChargeMw, out: ratings.maxDischargeMw }
    : { into: ratings.maxImportMw, out: ratings.maxExportMw };
  const usableEnergyMwh = isStorage ? ratings.usableEnergyMwh : undefined;
  const isEmpty =
    usableEnergyMwh === 0 || (chargePpm !== undefined && chargePpm <= (ratings.minReservePpm ?? 0));
  const resting = READING_STATUS.deviceFault | READING_STATUS.standby | READING_STATUS.stale;
  return present<FlexibilityReading>({
    ...{ channel, evidence, usableEnergyMwh, stateOfChargePpm: chargePpm },
    averagePowerMw: powerMw,
    reducePowerMw: isEmpty ? 0 : (ways.reduceMw ?? (ways.both ? rated.out : undefined)),
    reduceEnergyMwh: isEmpty && isStorage ? 0 : usableEnergyMwh,
    increasePowerMw: chargePpm === FULL_PPM ? 0 : (ways.increaseMw ?? (ways.both ? rated.into : undefined)),
    ...{ importLimitMw: rated.into, exportLimitMw: rated.out },
    available: (status & resting) === 0,
  });
}

interface Ways {
  /** By a setpoint the device goes wherever its ratings allow. */
  readonly both: boolean;
  /** By a limit it can leave off what it does now, and no more. */
  readonly reduceMw?: number;
  readonly increaseMw?: number;
}

function waysOf(kinds: readonly ControlKind[], powerMw: number | undefined): Ways | undefined {
  if (kinds.includes("powerSetpoint")) return { both: true };
  const [limitsIn, limitsOut] = [kinds.includes("importLimit"), kinds.includes("exportLimit")];
  if (!limitsIn && !limitsOut) return undefined;
  return present<Ways>({
    both: false,
    reduceMw: limitsIn && powerMw !== undefined ? Math.max(0, powerMw) : undefined,
    increaseMw: limitsOut && powerMw !== undefined ? Math.max(0, 0 - powerMw) : undefined,
  });
}
