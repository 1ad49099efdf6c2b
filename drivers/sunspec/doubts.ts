import type { Doubt } from "../driver.ts";
import type { ChannelReading } from "./channel.ts";

/*
 * Values of one block are usually of one instant, but some devices put them together while they measure on. What
 * contradicts itself by more than that would explain is doubted.
 */

/** 1 part in 20, and 50 W, between a total and the sum of its phases. */
const SHARE = 20;
const LEAST_MW = 50_000;
/** 1 part in 10, and 100 W, between power and what voltage and current allow: they are averaged over different times. */
const APPARENT_SHARE = 10;
const LEAST_APPARENT_MW = 100_000;
/** Half an ampere, and 1 part in 20, between the current and those of the phases. */
const LEAST_MA = 500;

/** The total power against the sum of the phases, in mW with the device's own sign. */
export function phaseSumDoubt(
  channel: string,
  totalMw: number | undefined,
  phasesMw: readonly (number | undefined)[],
): readonly Doubt[] {
  const known = phasesMw.flatMap((phase) => phase ?? []);
  if (totalMw === undefined || known.length < 2 || known.length < phasesMw.length) return [];
  const sumMw = sum(known);
  const largestMw = Math.max(Math.abs(totalMw), sum(known.map(Math.abs)));
  const toleranceMw = LEAST_MW + Math.floor(largestMw / SHARE);
  if (Math.abs(totalMw - sumMw) <= toleranceMw) return [];
  const message = `power is ${watts(totalMw)}, its phases are ${known.map(watts).join(" + ")} = ${watts(sumMw)}`;
  return [powerDoubt(channel, `${message}, more than ${watts(toleranceMw)} apart`)];
}

/** Power cannot be more than voltage times current; `stepMa` is the step of the currents. */
export function apparentDoubt(reading: ChannelReading, stepMa: number | undefined): readonly Doubt[] {
  const { channel, activePowerMw, voltageMv, currentMa } = reading;
  if (activePowerMw === undefined || voltageMv === undefined || currentMa?.length !== voltageMv.length)
    return [];
  const apparentMw = sum(voltageMv.map((voltage, at) => milliProduct(voltage, currentMa[at] ?? 0)));
  const roundingMw = sum(voltageMv.map((voltage) => milliProduct(voltage, stepMa ?? 0)));
  const toleranceMw = LEAST_APPARENT_MW + Math.floor(apparentMw / APPARENT_SHARE) + roundingMw;
  if (Math.abs(activePowerMw) <= apparentMw + toleranceMw) return [];
  const message = `power is ${watts(activePowerMw)}, voltage times current is ${watts(apparentMw)}`;
  return [powerDoubt(channel, `${message}, more than ${watts(toleranceMw)} less`)];
}

/** The total current is that of all phases; devices that show their mean or the largest are not doubted. */
export function currentSumDoubt(reading: ChannelReading, totalMa: number | undefined): readonly Doubt[] {
  const { channel, currentMa = [] } = reading;
  if (totalMa === undefined || currentMa.length < 2) return [];
  const sumMa = sum(currentMa);
  const toleranceMa = LEAST_MA + Math.floor(sumMa / SHARE);
  const plausible = [sumMa, Math.round(sumMa / currentMa.length), Math.max(...currentMa)];
  if (plausible.some((value) => Math.abs(totalMa - value) <= toleranceMa)) return [];
  const message = `current is ${amperes(totalMa)}, its phases are ${currentMa.map(amperes).join(" + ")}`;
  return [powerDoubt(channel, `${message}, more than ${amperes(toleranceMa)} apart`)];
}

/** Steady power that must be exceeded at both ends of an interval for its registers to say something of the sign. */
const STEADY_MW = 100_000;
/** Intervals that contradict the sign before it is doubted. */
const CONTRADICTIONS = 3;

/**
 * Compares the direction of the power with the register that counts: import and export registers are not in doubt, the
 * sign of W is. Three intervals in which only the other register rose, and less than a fifth that agree, are a doubt.
 */
export class SignWatch {
  #last: ChannelReading | undefined;
  #agreed = 0;
  #contradicted = 0;

  observe(reading: ChannelReading): readonly Doubt[] {
    const before = this.#last;
    this.#last = reading;
    const counted = before === undefined ? undefined : countedOnly(before, reading);
    const flowed = before === undefined ? undefined : steadyFlow(before, reading);
    if (counted !== undefined && flowed !== undefined) {
      if (counted === flowed) this.#agreed += 1;
      else this.#contradicted += 1;
    }
    if (this.#contradicted < CONTRADICTIONS || this.#contradicted < 5 * this.#agreed) return [];
    const message = `its sign contradicts the registers in ${this.#contradicted} intervals, and agrees in ${this.#agreed}`;
    return [powerDoubt(reading.channel, message)];
  }
}

/** The direction whose register alone rose between two readings. */
function countedOnly(before: ChannelReading, now: ChannelReading): "import" | "export" | undefined {
  const imported = rise(before.importMwh, now.importMwh);
  const exported = rise(before.exportMwh, now.exportMwh);
  if (imported > 0 && exported === 0) return "import";
  return exported > 0 && imported === 0 ? "export" : undefined;
}

function rise(before: number | undefined, now: number | undefined): number {
  // A register that is absent has not counted.
  return (now ?? 0) - (before ?? 0);
}

/** The direction of the power, where it is the same at both ends. */
function steadyFlow(before: ChannelReading, now: ChannelReading): "import" | "export" | undefined {
  const powers = [before.activePowerMw, now.activePowerMw];
  if (powers.every((power) => power !== undefined && power > STEADY_MW)) return "import";
  return powers.every((power) => power !== undefined && power < -STEADY_MW) ? "export" : undefined;
}

function powerDoubt(channel: string, message: string): Doubt {
  return { channel, quantities: ["power"], message };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** mV times mA in mW. */
function milliProduct(a: number, b: number): number {
  return Math.floor((a * b) / 1000);
}

function watts(milliwatts: number): string {
  return `${milliwatts / 1000} W`;
}

function amperes(milliamperes: number): string {
  return `${milliamperes / 1000} A`;
}
