import { READING_STATUS } from "../../attest/reading.ts";
import type { ChannelDescription } from "../driver.ts";
import { present } from "../present.ts";
import { CHARGE_STATUS } from "./battery.ts";
import type { Block } from "./block.ts";
import type { ChannelFlexibility, ChannelReading } from "./channel.ts";
import {
  allowedMw,
  type DerControls,
  derControls,
  type StorageControls,
  storageControls,
} from "./controls.ts";
import { type StorageFlow, storageFlow } from "./dc.ts";
import { FULL_PPM, share, smallest, span } from "./shares.ts";

/** A storage without model 802: model 713 or 124 says how full it is, model 714 or 160 perhaps what flows. */
export interface StorageBlocks {
  /** Model 713 or 124. */
  readonly storage: Block;
  /** Model 714 or 160. */
  readonly dc: Block | undefined;
  /** Model 702, or 120. */
  readonly ratings: Block | undefined;
  /** Models 704 and 703; of model 124 it is the model itself. */
  readonly controls: Block | undefined;
  readonly service: Block | undefined;
}

/** Model 713, point Sta (github.com/sunspec/models json/model_713.json at 7abdf89), and model 703, point ES. */
const STORAGE_STATUS = { ok: 0, warning: 1, error: 2 } as const;
const SERVICE_DISABLED = 0;

/** Whether model 713 or 124 belongs to a device that has a storage: it is also there in devices that have none. */
export function hasStorage(block: Block): boolean {
  const point = block.model.id === 713 ? block.optionalMilli("WHRtg") : block.optionalPpm("ChaState");
  return block.model.id === 713 ? (point ?? 0) > 0 : point !== undefined;
}

export function describeStorage(blocks: StorageBlocks, name: string): ChannelDescription {
  const flow = storageFlow(blocks.dc);
  return present<ChannelDescription>({
    name,
    role: "storage",
    quantities: [
      ...(flow?.importMwh === undefined ? [] : ["import" as const]),
      ...(flow?.exportMwh === undefined ? [] : ["export" as const]),
      ...(flow?.powerMw === undefined ? [] : ["power" as const]),
      "stateOfCharge",
    ],
    resolutionMwh: flow?.resolutionMwh,
    rolloverMwh: flow?.rolloverMwh,
    signSource: flow?.source,
  });
}

/** How full it is, and what flows into and out of it where the DC model tells. */
export function readStorage(
  { storage, dc }: StorageBlocks,
  channel: Pick<ChannelDescription, "name" | "resolutionMwh">,
): ChannelReading {
  const flow: StorageFlow | undefined = storageFlow(dc);
  const { resolutionMwh } = flow ?? {};
  return present<ChannelReading>({
    channel: channel.name,
    importMwh: flow?.importMwh,
    exportMwh: flow?.exportMwh,
    activePowerMw: flow?.powerMw,
    stateOfChargePpm: storage.ppm(storage.model.id === 713 ? "SoC" : "ChaState"),
    resolutionMwh: resolutionMwh === channel.resolutionMwh ? undefined : resolutionMwh,
    status: storage.model.id === 713 ? derStatus(storage) : chargeStatus(storage),
  });
}

function derStatus(storage: Block): number | undefined {
  const status = storage.state("Sta");
  if (status === undefined) return undefined;
  return status === STORAGE_STATUS.error ? READING_STATUS.deviceFault : 0;
}

function chargeStatus(storage: Block): number | undefined {
  const charge = storage.state("ChaSt");
  if (charge === undefined) return undefined;
  return charge === CHARGE_STATUS.off ? READING_STATUS.standby : 0;
}

export function storageFlexibility(blocks: StorageBlocks, channel: string): ChannelFlexibility {
  return blocks.storage.model.id === 713
    ? derFlexibility(blocks, channel)
    : controlledFlexibility(blocks, channel);
}

/**
 * WHAvail is WHRtg times SoC times SoH by definition: what can be taken out. Model 713 has no reserve and no rates;
 * model 702 has the rates, model 704 what the device is told to do with them.
 */
function derFlexibility(blocks: StorageBlocks, channel: string): ChannelFlexibility {
  const { storage, ratings, controls, service } = blocks;
  const capacityMwh = storage.milli("WHRtg");
  const usableEnergyMwh = storage.milli("WHAvail");
  const chargePpm = storage.optionalPpm("SoC");
  const maximumMw = ratings?.optionalMilli("WMax") ?? ratings?.optionalMilli("WMaxRtg");
  const told: DerControls = controls === undefined ? {} : derControls(controls, maximumMw);
  const importLimitMw = rateMw(ratings, "WChaRteMax");
  const exportLimitMw = allowedMw(told.exportLimit, smallest(rateMw(ratings, "WDisChaRteMax"), maximumMw));
  const roomMwh = share(capacityMwh, span(chargePpm, FULL_PPM));
  const status = storage.state("Sta");
  const healthy = status === STORAGE_STATUS.ok || status === STORAGE_STATUS.warning;
  return present<ChannelFlexibility>({
    channel,
    stateOfChargePpm: chargePpm,
    usableEnergyMwh,
    capacityMwh,
    reducePowerMw: usableEnergyMwh === 0 ? 0 : exportLimitMw,
    reduceEnergyMwh: usableEnergyMwh,
    increasePowerMw: roomMwh === 0 ? 0 : importLimitMw,
    increaseEnergyMwh: roomMwh,
    importLimitMw,
    exportLimitMw,
    setpointMw: told.setpoint?.enabled === true ? told.setpoint.powerMw : undefined,
    available: healthy && (capacityMwh ?? 0) > 0 && service?.state("ES") !== SERVICE_DISABLED,
  });
}

/** A setting of model 702, or the rating that it is made from. */
function rateMw(ratings: Block | undefined, name: string): number | undefined {
  return ratings?.optionalMilli(name) ?? ratings?.optionalMilli(`${name}Rtg`);
}

/** Model 124: state of charge and rates, with the capacity and the fastest discharge of model 120. */
function controlledFlexibility({ storage, ratings }: StorageBlocks, channel: string): ChannelFlexibility {
  const capacityMwh = ratings?.optionalMilli("WHRtg");
  const chargePpm = storage.optionalPpm("ChaState");
  const reservePpm = storage.optionalPpm("MinRsvPct");
  const chargeMw = storage.optionalMilli("WChaMax");
  const dischargeMw = ratings?.optionalMilli("MaxDisChaRte");
  const told = storageControls(storage, { chargeMw, dischargeMw });
  const usableMwh = share(capacityMwh, span(reservePpm ?? 0, chargePpm));
  const roomMwh = share(capacityMwh, span(chargePpm, FULL_PPM));
  const importLimitMw = limitMw(told.charge, chargeMw);
  const exportLimitMw = limitMw(told.discharge, dischargeMw);
  const charge = storage.state("ChaSt");
  return present<ChannelFlexibility>({
    channel,
    stateOfChargePpm: chargePpm,
    usableEnergyMwh: usableMwh,
    reserveEnergyMwh: share(capacityMwh, reservePpm),
    capacityMwh,
    reducePowerMw: usableMwh === 0 || charge === CHARGE_STATUS.empty ? 0 : exportLimitMw,
    reduceEnergyMwh: usableMwh,
    increasePowerMw: roomMwh === 0 || charge === CHARGE_STATUS.full ? 0 : importLimitMw,
    increaseEnergyMwh: roomMwh,
    importLimitMw,
    exportLimitMw,
    setpointMw: forcedMw(told),
    available: charge !== undefined && charge !== CHARGE_STATUS.off,
  });
}

/** The most in one direction: all of it while no limit is on, nothing while the other direction is forced. */
function limitMw(rate: StorageControls["charge"], fullMw: number | undefined): number | undefined {
  if (rate?.enabled !== true) return fullMw;
  return rate.powerMw === undefined ? undefined : Math.max(0, rate.powerMw);
}

/** Charging at most at one rate and discharging at most at its opposite leaves one power: that is a setpoint. */
function forcedMw({ charge, discharge }: StorageControls): number | undefined {
  if (charge?.enabled !== true || discharge?.enabled !== true) return undefined;
  if (charge.ppm === undefined || discharge.ppm === undefined || charge.ppm !== -discharge.ppm)
    return undefined;
  if (charge.ppm >= 0) return charge.powerMw;
  return discharge.powerMw === undefined ? undefined : -discharge.powerMw;
}
