import { READING_STATUS } from "../../attest/reading.ts";
import type { ChannelDescription } from "../driver.ts";
import { present } from "../present.ts";
import type { Block } from "./block.ts";
import type { ChannelFlexibility, ChannelReading } from "./channel.ts";
import { opposite } from "./quantities.ts";
import { FULL_PPM, largest, share, smallest, span } from "./shares.ts";
import type { BatteryPowerSign } from "./signs.ts";

/** Models 802 and 124, point ChaSt (github.com/sunspec/models json/model_802.json at 7abdf89). */
export const CHARGE_STATUS = { off: 1, empty: 2, discharging: 3, charging: 4, full: 5 } as const;
/** Model 802, point State. */
const BATTERY_STATE = { connected: 3, standby: 4, fault: 99 } as const;
/** Model 802, point LocRemCtl. */
const LOCAL_CONTROL = 1;

/**
 * The DC side of a battery. The definition of W says only "flowing to/from the battery bank"; where ChaSt says
 * whether the battery charges, every reading is checked against it.
 */
export function describeBattery(block: Block, name: string, sign?: BatteryPowerSign): ChannelDescription {
  const checked = block.state("ChaSt") !== undefined;
  const source = checked ? "SunSpec 802: W checked against ChaSt" : undefined;
  return present<ChannelDescription>({
    name,
    role: "storage",
    quantities: ["power", "stateOfCharge"],
    maxImportMw: block.optionalMilli("WChaRteMax"),
    maxExportMw: block.optionalMilli("WDisChaRteMax"),
    signSource: sign === undefined ? source : "configuration: batteryPowerSign",
    signVerified: checked ? true : undefined,
  });
}

/** Power and state of charge; model 802 has no energy registers. */
export function readBattery(block: Block, channel: string, sign?: BatteryPowerSign): ChannelReading {
  return present<ChannelReading>({
    channel,
    activePowerMw: batteryPowerMw(block, sign ?? "discharge-positive"),
    stateOfChargePpm: block.ppm("SoC"),
    status: batteryStatus(block),
  });
}

function batteryPowerMw(block: Block, sign: BatteryPowerSign): number | undefined {
  const power = block.milli("W");
  if (power === undefined) return undefined;
  const intoBattery = sign === "charge-positive" ? power : (opposite(power) ?? 0);
  const charge = block.state("ChaSt");
  const contradicts =
    (charge === CHARGE_STATUS.charging && intoBattery < 0) ||
    (charge === CHARGE_STATUS.discharging && intoBattery > 0);
  return contradicts ? block.miss("W", "its sign contradicts ChaSt; check batteryPowerSign") : intoBattery;
}

function batteryStatus(block: Block): number | undefined {
  const state = block.state("State");
  if (state === undefined) return undefined;
  if (state === BATTERY_STATE.fault) return READING_STATUS.deviceFault;
  const resting = state === BATTERY_STATE.standby || block.state("ChaSt") === CHARGE_STATUS.off;
  return resting ? READING_STATUS.standby : 0;
}

/**
 * What the battery can do, from model 802 alone, so that all of it is of one request; model 803, where there is one,
 * says whether any string is connected. SoC and the reserves are percentages of WHRtg (units of the definition); power
 * is the rate that is possible in each direction, whatever flows now: the smaller of the rated power and the present
 * current limit times the voltage.
 */
export function batteryFlexibility(
  block: Block,
  channel: string,
  bank: Block | undefined,
): ChannelFlexibility {
  const capacityMwh = block.milli("WHRtg");
  const chargePpm = block.optionalPpm("SoC");
  const reservePpm = largest(block.optionalPpm("SoCMin"), block.optionalPpm("SoCRsvMin"));
  const ceilingPpm = block.optionalPpm("SoCMax") ?? FULL_PPM;
  const usableMwh = share(capacityMwh, span(reservePpm ?? 0, chargePpm));
  const roomMwh = share(capacityMwh, span(chargePpm, ceilingPpm));
  const importLimitMw = smallest(block.milli("WChaRteMax"), currentLimitMw(block, "AChaMax"));
  const exportLimitMw = smallest(block.milli("WDisChaRteMax"), currentLimitMw(block, "ADisChaMax"));
  const charge = block.state("ChaSt");
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
    available: isAvailable(block, bank) && capacityMwh !== undefined && capacityMwh > 0,
  });
}

/** Connected or in standby, and not in local control, where nobody outside may ask for anything. */
function isAvailable(block: Block, bank: Block | undefined): boolean {
  const state = block.state("State");
  if (block.state("LocRemCtl") === LOCAL_CONTROL || bank?.state("NStrCon") === 0) return false;
  return state === BATTERY_STATE.connected || state === BATTERY_STATE.standby;
}

function currentLimitMw(block: Block, name: string): number | undefined {
  const currentMa = block.optionalMilli(name);
  const voltageMv = block.optionalMilli("V");
  if (currentMa === undefined || voltageMv === undefined) return undefined;
  return Number((BigInt(currentMa) * BigInt(voltageMv)) / 1000n);
}
