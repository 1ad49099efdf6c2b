import type { MeterReading } from "../../attest/reading.ts";
import { durationText } from "../words.ts";
import { valuesText } from "./live-watch.ts";
import { type Reason, reason } from "./reason.ts";
import { Streak } from "./streak.ts";

/** A meter's clock is off by at most 86 s a day; what lags by more lies still somewhere. */
const MOST_DRIFT = 0.001;
/** Clocks that print whole minutes or hours are of that step. */
const LARGEST_STEP_MS = 3_600_000;
const SMALLEST_STEP_MS = 1000;

/**
 * What the meter's own clock says of a reading: that it is the one of before, that it is older, or that it lay
 * somewhere on the way. The meter's clock may be wrong by years: only how it runs beside a clock that is never set is
 * looked at, never what it shows.
 */
export class MeterClock {
  readonly #samplingMs: number | undefined;
  readonly #back: Streak;
  #last: { readonly meterTimeMs: number; readonly values: string } | undefined;
  #seenMs: number | undefined;
  /** An older time came since the last sealed reading: how far the clock is behind has to be learned anew. */
  #setBack = false;
  /** The least that the meter's clock was seen behind the other one, and when. */
  #least: { readonly lagMs: number; readonly atMs: number } | undefined;
  #stepMs = LARGEST_STEP_MS;

  /** Without a sampling interval nothing is called stale. */
  constructor(samplingMs: number | undefined, unconfirmed: (held: number) => void) {
    this.#samplingMs = samplingMs;
    this.#back = new Streak(unconfirmed);
  }

  /** Whether the meter's time is that of the reading before, whatever became of it: such a one confirms nothing. */
  repeats({ meterTimeMs }: MeterReading): boolean {
    const again = meterTimeMs !== undefined && meterTimeMs === this.#seenMs;
    this.#seenMs = meterTimeMs;
    return again;
  }

  /** The telegram that was sealed last. The same time with other values is a coarse or a stopped clock. */
  duplicate(reading: MeterReading): Reason | undefined {
    const { meterTimeMs } = reading;
    if (meterTimeMs === undefined || meterTimeMs !== this.#last?.meterTimeMs) return undefined;
    if (valuesText(reading) !== this.#last.values) return undefined;
    return reason("duplicate", `the meter's time is ${timeText(meterTimeMs)} as in the reading before`);
  }

  /** An older telegram, or a clock that was set back: then the next ones bear it out, and it is believed. */
  wentBack({ meterTimeMs }: MeterReading, repeated: boolean): Reason | undefined {
    if (meterTimeMs === undefined || this.#last === undefined) return undefined;
    if (meterTimeMs >= this.#last.meterTimeMs) {
      this.#back.end();
      return undefined;
    }
    this.#setBack = true;
    if (this.#back.again(repeated)) return undefined;
    const times = `from ${timeText(this.#last.meterTimeMs)} to ${timeText(meterTimeMs)}`;
    return reason("meter-time-back", `the meter's time went back ${times}`);
  }

  /** Values that are older than two sampling intervals beyond what is usual for this meter and its line. */
  stale({ meterTimeMs }: MeterReading, nowMs: number): Reason | undefined {
    if (this.#samplingMs === undefined || meterTimeMs === undefined || this.#setBack) return undefined;
    const least = this.#leastLagMs(nowMs);
    if (least === undefined) return undefined;
    const ageMs = nowMs - meterTimeMs - least;
    if (ageMs <= 2 * this.#samplingMs + this.#stepMs) return undefined;
    return reason("stale", `the values are ${durationText(ageMs)} old by the meter's own clock`);
  }

  /** The reading was sealed. */
  adopt(reading: MeterReading, nowMs: number): void {
    const { meterTimeMs } = reading;
    if (meterTimeMs === undefined) return;
    const lagMs = nowMs - meterTimeMs;
    const least = this.#setBack ? lagMs : Math.min(this.#leastLagMs(nowMs) ?? lagMs, lagMs);
    this.#least = { lagMs: least, atMs: nowMs };
    this.#setBack = false;
    this.#stepMs = Math.max(SMALLEST_STEP_MS, commonDivisor(this.#stepMs, Math.abs(meterTimeMs)));
    this.#last = { meterTimeMs, values: valuesText(reading) };
    this.#back.end();
  }

  #leastLagMs(nowMs: number): number | undefined {
    const least = this.#least;
    return least && least.lagMs + Math.max(0, nowMs - least.atMs) * MOST_DRIFT;
  }
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}

/** A meter may print any time, so nothing that a Date would refuse goes into one. */
function timeText(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? `${ms} ms` : date.toISOString();
}
