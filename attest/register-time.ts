import { KNOWN_TIME, type ReadingLeaf } from "./leaf.ts";
import { READING_STATUS } from "./reading.ts";

/** Registers that come later than this behind the instant that they are of, ms, count as of when they came. */
export const LONGEST_LAG_MS = 60_000;

/** What tells of which instant a reading's registers are. */
export type RegisterTime = Pick<ReadingLeaf, "timeMs" | "timeQuality" | "meterTimeMs" | "status">;

/** Whether a status says that the registers are of the meter's time. */
export function statesMeterTime(status: number | undefined): boolean {
  return ((status ?? 0) & READING_STATUS.registersAtMeterTime) !== 0;
}

/**
 * The instant that a reading says its registers are of: when it was sealed, unless it states that they are those at the
 * meter's time. That is believed on a known clock and up to {@link LONGEST_LAG_MS} back.
 */
export function statedMs({ timeMs, timeQuality, meterTimeMs, status }: RegisterTime): number {
  if (!statesMeterTime(status) || meterTimeMs === undefined || timeQuality < KNOWN_TIME) return timeMs;
  return meterTimeMs <= timeMs && timeMs - meterTimeMs <= LONGEST_LAG_MS ? meterTimeMs : timeMs;
}

/**
 * The instant that a reading's registers count as of: {@link statedMs}, and not before where the channel's chain stands.
 *
 * @param t0Ms where the chain stands on the clock of the reading; undefined where the reading opens it, as of its own time
 */
export function registersMs(reading: RegisterTime, t0Ms: number | undefined): number {
  const ms = statedMs(reading);
  return t0Ms === undefined || ms === reading.timeMs ? reading.timeMs : Math.max(ms, t0Ms);
}
