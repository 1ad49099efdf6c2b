import { isSummerTime } from "../telegram/summer-time.ts";
import type { MeterClock } from "./date-time.ts";

/** How a meter's clock goes that does not say how far it is from UTC: its winter time, and whether it has a summer time. */
interface Zone {
  readonly winterMinutes: number;
  readonly hasSummerTime: boolean;
}

/** Names of such clocks: those with a slash go an hour ahead in summer, as Directive 2000/84/EC has it. */
export const CLOCK_NAMES = ["UTC", "WET", "WET/WEST", "CET", "CET/CEST", "EET", "EET/EEST"] as const;
export type ClockName = (typeof CLOCK_NAMES)[number];

const ZONES: Readonly<Record<ClockName, Zone>> = {
  UTC: { winterMinutes: 0, hasSummerTime: false },
  WET: { winterMinutes: 0, hasSummerTime: false },
  "WET/WEST": { winterMinutes: 0, hasSummerTime: true },
  CET: { winterMinutes: 60, hasSummerTime: false },
  "CET/CEST": { winterMinutes: 60, hasSummerTime: true },
  EET: { winterMinutes: 120, hasSummerTime: false },
  "EET/EEST": { winterMinutes: 120, hasSummerTime: true },
};

const SUMMER_MINUTES = 60;

/**
 * UTC in ms of what a clock shows.
 *
 * @returns undefined within the hour that does not exist in spring, and within the repeated one in autumn unless the
 *   meter says that it is summer time
 */
export function utcMsIn({ localText, status }: MeterClock, name: ClockName): number | undefined {
  const { winterMinutes, hasSummerTime } = ZONES[name];
  const winterMs = Date.parse(`${localText}Z`) - winterMinutes * 60_000;
  if (!hasSummerTime) return winterMs;
  const summerMs = winterMs - SUMMER_MINUTES * 60_000;
  const canBeWinter = !isSummerTime(winterMs);
  const canBeSummer = isSummerTime(summerMs);
  if (canBeWinter && canBeSummer && status?.daylightSaving !== true) return undefined;
  if (canBeSummer) return summerMs;
  return canBeWinter ? winterMs : undefined;
}
