import { ModelBuilder, type ModelRegisters, NO_INT16, toScaled } from "./sunspec-map.ts";

/*
 * Offsets are those of github.com/sunspec/models json/model_N.json at 7abdf89, written down a second time on
 * purpose: the simulated devices share nothing with the driver, so that a slip in either shows.
 */

/** Who a simulated device says it is. */
export interface SimulatedIdentity {
  readonly serial: string;
  readonly make?: string;
  readonly model?: string;
  readonly firmware?: string;
}

/** Quantities of an AC connection. */
export interface SimulatedAc {
  /** Into the device is positive. */
  readonly activePowerMw: number;
  /** Per phase; default 230 V. */
  readonly voltageMv?: number;
  /** Default 50 Hz. */
  readonly frequencyMhz?: number;
}

export const LARGEST_INT16 = 32767;
const LARGEST_UINT16 = 65534;

export function commonModel(identity: SimulatedIdentity): ModelRegisters {
  return new ModelBuilder(66)
    .text(0, 16, identity.make ?? "Kilowitness")
    .text(16, 16, identity.model ?? "Simulated device")
    .text(32, 8, "")
    .text(40, 8, identity.firmware ?? "1.0.0")
    .text(48, 16, identity.serial)
    .uint16(64, 1)
    .int16(65, NO_INT16)
    .build(1);
}

export interface SimulatedOutput extends SimulatedAc {
  readonly exportMwh: number;
  /** Power of ten of the energy register in Wh; default 0. */
  readonly energyScale?: number;
  /** Model 103, point St; by default MPPT while power flows, else standby. */
  readonly operatingState?: number;
}

const MPPT = 4;
const STANDBY = 8;

/** Model 103. Its power is positive when it generates. */
export function inverterModel(output: SimulatedOutput): ModelRegisters {
  const power = toScaled(-output.activePowerMw / 1000, LARGEST_INT16);
  const volts = Math.round((output.voltageMv ?? 230_000) / 100);
  const phaseAmps = Math.round(Math.abs(output.activePowerMw) / 3 / volts);
  const scale = output.energyScale ?? 0;
  const resting = power.mantissa === 0 ? STANDBY : MPPT;
  return new ModelBuilder(50)
    .uint16(0, phaseAmps * 3)
    .fill(1, 3, phaseAmps)
    .int16(4, -2)
    .fill(8, 3, volts)
    .int16(11, -1)
    .int16(12, power.mantissa)
    .int16(13, power.exponent)
    .uint16(14, Math.round((output.frequencyMhz ?? 50_000) / 10))
    .int16(15, -2)
    .fill(16, 6, NO_INT16)
    .uint32(22, accumulated(output.exportMwh, scale))
    .int16(24, scale)
    .int16(26, NO_INT16)
    .int16(28, NO_INT16)
    .fill(29, 7, NO_INT16)
    .uint16(36, output.operatingState ?? resting)
    .uint32(38, 0)
    .uint32(40, 0)
    .build(103);
}

/** Model 120 with the rated power and nothing else. */
export function nameplateModel(ratedPowerMw: number): ModelRegisters {
  const rated = toScaled(ratedPowerMw / 1000, LARGEST_UINT16);
  return new ModelBuilder(26)
    .uint16(0, 4)
    .uint16(1, rated.mantissa)
    .int16(2, rated.exponent)
    .int16(4, NO_INT16)
    .fill(5, 5, NO_INT16)
    .fill(11, 6, NO_INT16)
    .int16(18, NO_INT16)
    .int16(20, NO_INT16)
    .int16(22, NO_INT16)
    .fill(24, 2, NO_INT16)
    .build(120);
}

export interface SimulatedRegisters extends SimulatedAc {
  readonly importMwh: number;
  readonly exportMwh: number;
}

/** Model 203. Its power is positive when it is imported. */
export function meterModel(meter: SimulatedRegisters): ModelRegisters {
  const power = toScaled(meter.activePowerMw / 1000, LARGEST_INT16);
  const volts = Math.round((meter.voltageMv ?? 230_000) / 100);
  const phaseAmps = Math.round(meter.activePowerMw / 3 / volts);
  return new ModelBuilder(105)
    .fill(0, 36, NO_INT16)
    .int16(0, phaseAmps * 3)
    .fill(1, 3, phaseAmps)
    .int16(4, -2)
    .fill(5, 4, volts)
    .int16(13, -1)
    .int16(14, Math.round((meter.frequencyMhz ?? 50_000) / 10))
    .int16(15, -2)
    .int16(16, power.mantissa)
    .int16(20, power.exponent)
    .fill(36, 67, 0)
    .uint32(36, accumulated(meter.exportMwh, 0))
    .uint32(44, accumulated(meter.importMwh, 0))
    .int16(52, 0)
    .int16(69, NO_INT16)
    .int16(102, NO_INT16)
    .uint32(103, 0)
    .build(203);
}

export interface SimulatedStorage extends SimulatedAc {
  readonly stateOfChargePpm: number;
  readonly capacityMwh: number;
  readonly chargeLimitMw: number;
  readonly dischargeLimitMw: number;
  /** Part of the capacity that is kept back; default 0. */
  readonly reservePpm?: number;
  /** Model 802, point State; default 3, connected. */
  readonly batteryState?: number;
}

const CHARGE_STATUS = { discharging: 3, charging: 4, holding: 6 };
const CONNECTED = 3;

/** Model 802. Its power is positive when the battery discharges, and ChaSt says so too. */
export function batteryModel(storage: SimulatedStorage): ModelRegisters {
  const power = toScaled(-storage.activePowerMw / 1000, LARGEST_INT16);
  const capacity = toScaled(storage.capacityMwh / 1000, LARGEST_UINT16);
  const fastest = Math.max(storage.chargeLimitMw, storage.dischargeLimitMw) / 1000;
  const rates = toScaled(fastest, LARGEST_UINT16).exponent;
  const status = chargeStatus(power.mantissa);
  return new ModelBuilder(62)
    .uint16(1, capacity.mantissa)
    .uint16(2, Math.trunc(storage.chargeLimitMw / 1000 / 10 ** rates))
    .uint16(3, Math.trunc(storage.dischargeLimitMw / 1000 / 10 ** rates))
    .uint16(8, hundredths(storage.reservePpm ?? 0))
    .uint16(9, hundredths(storage.stateOfChargePpm))
    .uint16(14, status)
    .uint16(15, 0)
    .uint16(18, 0)
    .uint16(19, 4)
    .uint16(20, storage.batteryState ?? CONNECTED)
    .fill(24, 8, 0)
    .uint16(32, 4000)
    .int16(42, NO_INT16)
    .int16(45, power.mantissa)
    .int16(47, NO_INT16)
    .fill(50, 12, 0)
    .int16(51, capacity.exponent)
    .int16(52, rates)
    .int16(54, -2)
    .int16(57, -1)
    .int16(61, power.exponent)
    .build(802);
}

/** Model 713, for a storage in full health. */
export function storageModel(storage: SimulatedStorage): ModelRegisters {
  const capacity = toScaled(storage.capacityMwh / 1000, LARGEST_UINT16);
  return new ModelBuilder(7)
    .uint16(0, capacity.mantissa)
    .uint16(1, Math.trunc((capacity.mantissa * storage.stateOfChargePpm) / 1_000_000))
    .uint16(2, hundredths(storage.stateOfChargePpm))
    .uint16(3, 10_000)
    .uint16(4, 0)
    .int16(5, capacity.exponent)
    .int16(6, -2)
    .build(713);
}

function chargeStatus(dischargingWatts: number): number {
  if (dischargingWatts === 0) return CHARGE_STATUS.holding;
  return dischargingWatts > 0 ? CHARGE_STATUS.discharging : CHARGE_STATUS.charging;
}

/** An energy as a register counts it: whole steps that have been completed. */
export function accumulated(energyMwh: number, scale: number): number {
  return Math.floor(energyMwh / 1000 / 10 ** scale);
}

/** Percent with a scale factor of -2. */
function hundredths(ppm: number): number {
  return Math.trunc(ppm / 100);
}
