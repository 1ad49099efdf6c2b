import type { Doubt } from "../driver.ts";
import {
  GRID_CHANNEL,
  type ObisQuantities,
  type ObisReading,
  obisReading,
} from "../telegram/obis-reading.ts";
import { type ClockName, utcMsIn } from "./local-clock.ts";
import { quantityOf } from "./obis.ts";
import type { DlmsTelegram } from "./telegram.ts";
import type { DlmsValue } from "./values.ts";

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/** Does the list have an energy register? Norwegian meters send theirs once an hour. */
export function hasRegisters(values: readonly DlmsValue[]): boolean {
  return values.some(({ code }) => /^[12]\.8\.\d$/.test(quantityOf(code)));
}

/** Does the list say anything of energy or power? Meters have lists of others, too, such as those of a gas meter. */
export function saysAnything(values: readonly DlmsValue[]): boolean {
  return hasRegisters(values) || values.some(({ code }) => /^(?:1|2|16)\.7\.0$/.test(quantityOf(code)));
}

/**
 * The reading of a list's values. A list of the import power alone says nothing while it is 0: the meter may give out
 * energy just then.
 *
 * @returns undefined for such a list
 * @throws Problem `telegram-…`
 */
export function readingOf(values: readonly DlmsValue[]): ObisReading | undefined {
  const power = values.find(({ code }) => quantityOf(code) === "1.7.0");
  const others = values.some(({ code }) => /^(?:2|16)\.7\.0$/.test(quantityOf(code)));
  const isAtRest = power?.scaled?.digits === 0n;
  return isAtRest && !others && !hasRegisters(values) ? undefined : obisReading(values);
}

/** The meter's time, or in words why there is none. */
export interface ReadTime {
  readonly meterTimeMs?: number;
  readonly absent: readonly string[];
}

/** The time of the meter's clock; `clock` says how it goes where the meter does not. */
export function timeOf(telegram: DlmsTelegram, clock: ClockName | undefined): ReadTime {
  const shown = telegram.clock;
  if (shown === undefined) return { absent: [] };
  const { invalid, doubtful } = shown.status ?? { invalid: false, doubtful: false };
  if (invalid || doubtful) return none(`the meter itself does not vouch for its time ${shown.localText}`);
  if (telegram.meterTimeMs !== undefined) return { meterTimeMs: telegram.meterTimeMs, absent: [] };
  if (clock === undefined)
    return none(`the meter does not say how far its clock is from UTC, and "clock" is not set`);
  const meterTimeMs = utcMsIn(shown, clock);
  if (meterTimeMs !== undefined) return { meterTimeMs, absent: [] };
  return none(`${shown.localText} is no time of ${clock}, or two of them`);
}

function none(why: string): ReadTime {
  return { absent: [`meterTimeMs: ${why}`] };
}

export function isFullHour(timeMs: number): boolean {
  return timeMs % HOUR_MS === 0;
}

/** Registers of an hourly list are those of the full hour, sent within the minute that follows. */
export function atTheHour(timeMs: number): number {
  const since = timeMs % HOUR_MS;
  return since < MINUTE_MS ? timeMs - since : timeMs;
}

/** So much more than volts times amperes cannot be: networks without a neutral included. */
const MOST_OF_APPARENT = 2n;
const MARGIN_MW = 500_000n;
const POWER_FACTORS = ["33.7.0", "53.7.0", "73.7.0"];

/**
 * Doubts a power that the volts, amperes and power factors of the same list contradict: a scale is wrong by ten, the
 * ratio of current transformers is in one and not in the other, or the list is torn. Where the list states no units, the
 * registers have the same scale and are doubted, too.
 */
export function powerDoubts(reading: ObisQuantities, { layout, values }: DlmsTelegram): Doubt[] {
  const { activePowerMw } = reading;
  const phases = phasesOf(reading);
  if (activePowerMw === undefined || phases.length === 0) return [];
  const powerMw = BigInt(Math.abs(activePowerMw));
  const apparentMw = phases.reduce((sum, phase) => sum + phase, 0n);
  const activeMw = activeOf(phases, values);
  const tooMuch = powerMw > MOST_OF_APPARENT * (activeMw ?? apparentMw) + MARGIN_MW;
  const tooLittle = activeMw !== undefined && activeMw > MOST_OF_APPARENT * powerMw + MARGIN_MW;
  if (!tooMuch && !tooLittle) return [];
  const message = `${activePowerMw} mW does not go with the ${activeMw ?? apparentMw} mW that volts and amperes make`;
  const quantities = layout === "kamstrup" ? (["import", "export", "power"] as const) : (["power"] as const);
  return [{ channel: GRID_CHANNEL, quantities, message }];
}

/** Volts times amperes of each phase, mW. */
function phasesOf({ voltageMv, currentMa }: ObisQuantities): bigint[] {
  if (voltageMv === undefined || currentMa?.length !== voltageMv.length) return [];
  const products = voltageMv.map(
    (voltage, phase) => (BigInt(voltage) * BigInt(currentMa[phase] ?? 0)) / 1_000n,
  );
  return products.map((product) => (product < 0n ? -product : product));
}

/** The same with the power factor of each phase, where the list has all of them; those are hundredths. */
function activeOf(phases: readonly bigint[], values: readonly DlmsValue[]): bigint | undefined {
  const factors = POWER_FACTORS.slice(0, phases.length).map(
    (quantity) => values.find(({ code }) => quantityOf(code) === quantity)?.scaled,
  );
  if (factors.some((factor) => factor?.exponent !== -2)) return undefined;
  return phases.reduce((sum, phase, at) => sum + (phase * (factors[at]?.digits ?? 0n)) / 100n, 0n);
}
