import type { MeterReading } from "../../attest/reading.ts";
import { currentText, durationText, frequencyText, powerText, voltageText } from "../words.ts";
import { isLiveFill } from "./fills.ts";
import { type Reason, reason } from "./reason.ts";
import { Streak } from "./streak.ts";

/** Values that a reading shows of this instant, beside its registers. */
type LiveValues = Pick<
  MeterReading,
  "activePowerMw" | "stateOfChargePpm" | "voltageMv" | "currentMa" | "frequencyMhz"
>;

/** A state of charge may be off by a fifth: battery management corrects itself. */
const CHARGE_RESERVE_PPM = 200_000;
/** 10 C: empty to full in 6 minutes, as no stationary battery charges. */
const CHARGE_PPM_PER_MS = 1_000_000 / 360_000;

/** Longer than any meter or dongle that is alive shows the same, and more readings than chance explains. */
const FROZEN_MS = 3_600_000;
const FROZEN_READINGS = 30;
/** 1 V and 0.1 Hz: a finer digit than these never stands still on a grid. */
const COARSE_MV = 1000;
const COARSE_MHZ = 100;

/** Follows the live values of one channel from reading to reading. */
export class LiveWatch {
  /** Below this power a meter may rest, and nothing has to change. */
  readonly #leastMw: number;
  readonly #charge: Streak;
  #last: LiveValues | undefined;
  #lastCharge: { readonly ppm: number; readonly atMs: number } | undefined;
  #still: { readonly text: string; readonly sinceMs: number; readonly readings: number } | undefined;
  /** Whether the channel has shown a digit that moves by itself. */
  #fine = false;

  constructor(leastMw: number, unconfirmed: (held: number) => void) {
    this.#leastMw = leastMw;
    this.#charge = new Streak(unconfirmed);
  }

  /** The first value that stands for "no value". */
  fill(reading: MeterReading): Reason | undefined {
    const found = pairs(reading, this.#last).find(({ value, before }) => isLiveFill(value, before));
    if (found === undefined) return undefined;
    return reason("value-fill", `${found.words(found.value)}, which devices send for "no value"`);
  }

  /** A state of charge that no battery reaches that fast. Undefined once it has come again often enough. */
  chargeJump(reading: MeterReading, nowMs: number, repeated: boolean): Reason | undefined {
    const { stateOfChargePpm: ppm } = reading;
    const last = this.#lastCharge;
    if (ppm === undefined || last === undefined) return undefined;
    const mostPpm = CHARGE_RESERVE_PPM + CHARGE_PPM_PER_MS * Math.max(0, nowMs - last.atMs);
    if (Math.abs(ppm - last.ppm) <= mostPpm) return undefined;
    if (this.#charge.again(repeated)) return undefined;
    const moved = `from ${last.ppm / 10_000} % to ${ppm / 10_000} % in ${durationText(nowMs - last.atMs)}`;
    return reason("state-of-charge-jump", `state of charge went ${moved}; no battery charges that fast`);
  }

  /**
   * Notes the reading and finds that nothing lives in it any more: registers, power, voltage, current and frequency
   * have been the same, digit for digit, for an hour and 30 readings, although power flows. Honest meters do not show
   * that. Without power everything may rest (an inverter at night, a battery idle); under a constant load a register
   * moves sooner or later; and where a register is coarse, a voltage of 0.1 V or a frequency of 0.01 Hz is restless.
   * So this is found only where such a digit was seen before, or where `contradicted`: the power shown must have moved
   * a register and did not. The meter's own time is left out: a clock can run on above a meter that no longer measures.
   */
  frozen(reading: MeterReading, nowMs: number, contradicted: boolean): Reason | undefined {
    const { activePowerMw: power = 0 } = reading;
    const still = this.#noteStill(reading, nowMs);
    if (Math.abs(power) < this.#leastMw || (!this.#fine && !contradicted)) return undefined;
    const stillMs = nowMs - still.sinceMs;
    if (stillMs < FROZEN_MS || still.readings < FROZEN_READINGS) return undefined;
    return reason(
      "frozen",
      `no value has changed for ${durationText(stillMs)}, although power is ${powerText(power)}`,
    );
  }

  /** The reading was accepted: the next one is held against it. */
  adopt(reading: MeterReading, nowMs: number): void {
    this.#last = reading;
    const { stateOfChargePpm: ppm } = reading;
    if (ppm !== undefined) {
      this.#lastCharge = { ppm, atMs: nowMs };
      this.#charge.end();
    }
    const { voltageMv = [], frequencyMhz = 0 } = reading;
    if (voltageMv.some((value) => value % COARSE_MV !== 0) || frequencyMhz % COARSE_MHZ !== 0)
      this.#fine = true;
  }

  #noteStill(reading: MeterReading, nowMs: number): { readonly sinceMs: number; readonly readings: number } {
    const text = valuesText(reading);
    const before = this.#still;
    const still =
      before?.text === text
        ? { ...before, readings: before.readings + 1 }
        : { text, sinceMs: nowMs, readings: 1 };
    this.#still = still;
    return still;
  }
}

/** Everything that a reading measures, so that two readings can be compared; not when and from which bytes. */
export function valuesText(reading: MeterReading): string {
  const { importMwh, exportMwh, activePowerMw, stateOfChargePpm } = reading;
  const { voltageMv, currentMa, frequencyMhz } = reading;
  const numbers = [importMwh, exportMwh, activePowerMw, stateOfChargePpm, frequencyMhz];
  return JSON.stringify([...numbers.map((value) => value ?? null), voltageMv ?? null, currentMa ?? null]);
}

interface Pair {
  readonly value: number;
  readonly before: number | undefined;
  readonly words: (value: number) => string;
}

/** Each live value with the one before it. */
function pairs(now: LiveValues, last: LiveValues | undefined): Pair[] {
  const each = (
    values: readonly number[] | undefined,
    before: readonly number[] | undefined,
    words: Pair["words"],
  ): Pair[] => values?.map((value, phase) => ({ value, before: before?.[phase], words })) ?? [];
  const one = (value: number | undefined): readonly number[] | undefined =>
    value === undefined ? undefined : [value];
  return [
    ...each(one(now.activePowerMw), one(last?.activePowerMw), (value) => `power is ${powerText(value)}`),
    ...each(now.voltageMv, last?.voltageMv, (value) => `a voltage is ${voltageText([value])}`),
    ...each(now.currentMa, last?.currentMa, (value) => `a current is ${currentText([value])}`),
    ...each(
      one(now.frequencyMhz),
      one(last?.frequencyMhz),
      (value) => `frequency is ${frequencyText(value)}`,
    ),
    ...each(
      one(now.stateOfChargePpm),
      one(last?.stateOfChargePpm),
      (value) => `state of charge is ${value / 10_000} %`,
    ),
  ];
}
