import type { FlexibilityReading } from "../../attest/reading.ts";
import type { ControlRatings } from "../../drivers/control.ts";
import { present } from "../../drivers/present.ts";

/** Who set a limit, as a flexibility leaf numbers it. */
const LIMIT_SOURCE = { device: 1, owner: 4 } as const;
/** How a flexibility leaf says what it rests on. */
const BASIS = { measured: 1, derived: 2 } as const;
const FULL_PPM = 1_000_000n;
const HOUR_MS = 3_600_000n;

/** What is known of a device beside what its driver has just read. */
export interface KnownFlexibility {
  /** What it is told to keep to now. */
  readonly setpointMw?: number;
  /** The commitment leaf in force on its channel. */
  readonly commitmentSeq?: number;
  /** As it said itself when it was last asked. */
  readonly ratings?: ControlRatings;
  /** Whether the channel is a storage's, so that its ratings are those of charge and discharge. */
  readonly storage: boolean;
  /** What the owner allows, from the configuration. */
  readonly maxChargeMw?: number;
  readonly maxDischargeMw?: number;
  readonly reservePpm?: number;
}

/** A flexibility reading with what the agent knows beside it: the properties of a flexibility leaf. */
export interface EnrichedFlexibility extends FlexibilityReading {
  readonly reduceDurationMs?: number;
  readonly increaseDurationMs?: number;
  readonly limitSource?: number;
  readonly minSetpointMw?: number;
  readonly maxSetpointMw?: number;
  readonly responseMs?: number;
  readonly rampMwPerSecond?: number;
  readonly commitmentSeq?: number;
  readonly basis: number;
}

/**
 * What a device could do, by the strictest of what its driver read, what it is rated for and what its owner allows. Nothing
 * becomes more than the driver said; what nobody says stays absent. docs/flexibility.md, "Flexibility readings".
 */
export function enriched(reading: FlexibilityReading, known: KnownFlexibility): EnrichedFlexibility {
  const limits = limitsOf(reading, known);
  const energies = energiesOf(reading, known);
  const reducePowerMw = powerOf(reading.reducePowerMw, limits.exportLimitMw, energies.reduceEnergyMwh);
  const increasePowerMw = powerOf(reading.increasePowerMw, limits.importLimitMw, energies.increaseEnergyMwh);
  const { ratings = {}, commitmentSeq } = known;
  return present<EnrichedFlexibility>({
    ...reading,
    ...limits,
    ...energies,
    ...{ reducePowerMw, increasePowerMw },
    reduceDurationMs: durationOf(energies.reduceEnergyMwh, reducePowerMw),
    increaseDurationMs: durationOf(energies.increaseEnergyMwh, increasePowerMw),
    setpointMw: reading.setpointMw ?? known.setpointMw,
    responseMs: ratings.responseMs,
    rampMwPerSecond: ratings.rampMwPerS,
    commitmentSeq,
    basis: reading.stateOfChargePpm === undefined ? BASIS.measured : BASIS.derived,
  });
}

type Limits = Pick<
  EnrichedFlexibility,
  "importLimitMw" | "exportLimitMw" | "limitSource" | "minSetpointMw" | "maxSetpointMw"
>;

function limitsOf(reading: FlexibilityReading, known: KnownFlexibility): Limits {
  const { ratings = {}, storage, maxChargeMw, maxDischargeMw } = known;
  const rated = storage
    ? { into: ratings.maxChargeMw, out: ratings.maxDischargeMw }
    : { into: ratings.maxImportMw, out: ratings.maxExportMw };
  const byDevice = {
    into: least(reading.importLimitMw, rated.into),
    out: least(reading.exportLimitMw, rated.out),
  };
  const importLimitMw = least(byDevice.into, maxChargeMw);
  const exportLimitMw = least(byDevice.out, maxDischargeMw);
  const sources = new Set([
    ...sourceOf(importLimitMw, byDevice.into),
    ...sourceOf(exportLimitMw, byDevice.out),
  ]);
  // One number stands for both limits: where they are of two sources it would be wrong of one of them.
  const [limitSource] = sources.size === 1 ? sources : [];
  return present<Limits>({
    ...{ importLimitMw, exportLimitMw, limitSource },
    minSetpointMw: exportLimitMw === undefined ? undefined : 0 - exportLimitMw,
    maxSetpointMw: importLimitMw,
  });
}

function sourceOf(limitMw: number | undefined, byDeviceMw: number | undefined): number[] {
  if (limitMw === undefined) return [];
  return [limitMw === byDeviceMw ? LIMIT_SOURCE.device : LIMIT_SOURCE.owner];
}

type Energies = Pick<
  FlexibilityReading,
  "usableEnergyMwh" | "reserveEnergyMwh" | "reduceEnergyMwh" | "increaseEnergyMwh"
>;

/** The owner's reserve is not to be had, whatever the device would give. */
function energiesOf(reading: FlexibilityReading, known: KnownFlexibility): Energies {
  const { capacityMwh, stateOfChargePpm: chargePpm } = reading;
  const { reservePpm = 0, ratings } = known;
  const usableEnergyMwh = aboveReserve(
    reading.usableEnergyMwh ?? ratings?.usableEnergyMwh,
    reading,
    reservePpm,
  );
  const roomMwh =
    chargePpm === undefined ? undefined : share(capacityMwh, Math.max(0, Number(FULL_PPM) - chargePpm));
  return present<Energies>({
    usableEnergyMwh,
    reserveEnergyMwh: most(
      reading.reserveEnergyMwh,
      reservePpm === 0 ? undefined : share(capacityMwh, reservePpm),
    ),
    reduceEnergyMwh:
      reservePpm > 0 && chargePpm === undefined ? undefined : least(reading.reduceEnergyMwh, usableEnergyMwh),
    increaseEnergyMwh: least(reading.increaseEnergyMwh, roomMwh),
  });
}

function aboveReserve(
  usableMwh: number | undefined,
  { capacityMwh, stateOfChargePpm: chargePpm }: FlexibilityReading,
  reservePpm: number,
): number | undefined {
  if (reservePpm === 0 && (chargePpm === undefined || usableMwh !== undefined)) return usableMwh;
  // What of it is the owner's reserve is not known then.
  if (chargePpm === undefined) return undefined;
  if (chargePpm <= reservePpm) return 0;
  const abovePpm = chargePpm - reservePpm;
  if (capacityMwh !== undefined) return least(usableMwh, share(capacityMwh, abovePpm));
  // Where nobody says the capacity: as if all of the charge were usable, which is rather too little than too much.
  return usableMwh === undefined
    ? undefined
    : Number((BigInt(usableMwh) * BigInt(abovePpm)) / BigInt(chargePpm));
}

/** No power without energy for it; and a limit alone is no power: a roof in the dark has one, too. */
function powerOf(
  saidMw: number | undefined,
  limitMw: number | undefined,
  energyMwh: number | undefined,
): number | undefined {
  if (energyMwh === 0) return 0;
  return saidMw === undefined && energyMwh === undefined ? undefined : least(saidMw, limitMw);
}

function durationOf(energyMwh: number | undefined, powerMw: number | undefined): number | undefined {
  if (powerMw === 0) return 0;
  if (energyMwh === undefined || powerMw === undefined) return undefined;
  const durationMs = (BigInt(energyMwh) * HOUR_MS) / BigInt(powerMw);
  return durationMs > BigInt(Number.MAX_SAFE_INTEGER) ? undefined : Number(durationMs);
}

function share(energyMwh: number | undefined, ppm: number | undefined): number | undefined {
  if (energyMwh === undefined || ppm === undefined) return undefined;
  return Number((BigInt(energyMwh) * BigInt(ppm)) / FULL_PPM);
}

function least(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b);
}

function most(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.max(a, b);
}
