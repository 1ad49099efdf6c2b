import { isoTime } from "../iso-time.ts";
import { Problem } from "../problem.ts";

/**
 * Local days and times of day in a time zone of the IANA database, whose rules are those of the runtime's `Intl`.
 * A local day is an integer, days since 1970-01-01 as leaves count them. No clock is read and no default zone is used.
 */

export interface Zone {
  /** As the runtime spells it, such as "Europe/Berlin". */
  readonly name: string;
  /** What is added to UTC for local time at that instant, ms. */
  offsetMs(atMs: number): number;
}

/** A place on the clock's face: the same one on every day, whether that day has 23, 24 or 25 hours. */
export interface TimeOfDay {
  /** What the clock shows, ms since 00:00. */
  readonly clockMs: number;
  /** 1 for the second time that this day's clock shows it, after it went back. */
  readonly repeat: 0 | 1;
}

export const DAY_MS = 86_400_000;
const REMEMBERED = 20_000;
/** What a calendar knows: ECMA-262, 21.4.1.1. */
const FURTHEST_MS = 8_640_000_000_000_000;
const OFFSET = /GMT(?:([+-])(\d{2}):(\d{2})(?::(\d{2}))?)?$/;

/** Throws Problem `baseline-zone` for a name that the runtime does not know, and for a bare offset such as "+01:00". */
export function openZone(name: string): Zone {
  const format = formatOf(name);
  const known = new Map<number, number>();
  return {
    name: format.resolvedOptions().timeZone,
    offsetMs: (atMs) => {
      const before = known.get(atMs);
      if (before !== undefined) return before;
      if (Math.abs(atMs) > FURTHEST_MS)
        throw new Problem("baseline-day", "not a time that a calendar has", { got: `${atMs} ms` });
      if (known.size >= REMEMBERED) known.clear();
      const offset = parseOffset(format.format(atMs));
      known.set(atMs, offset);
      return offset;
    },
  };
}

function formatOf(name: string): Intl.DateTimeFormat {
  try {
    if (!/^[A-Za-z]/.test(name)) throw new RangeError("a name begins with a letter");
    return new Intl.DateTimeFormat("en-US", { timeZone: name, timeZoneName: "longOffset" });
  } catch (cause) {
    throw new Problem("baseline-zone", "not a time zone", {
      expected: "a name of the IANA database, such as Europe/Berlin",
      got: JSON.stringify(name),
      cause,
    });
  }
}

function parseOffset(text: string): number {
  const [found, sign, hours = "0", minutes = "0", seconds = "0"] = OFFSET.exec(text) ?? [];
  if (found === undefined)
    throw new Problem("baseline-zone", "an offset that is not understood", { got: text });
  const ms = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000;
  return sign === "-" ? -ms : ms;
}

/** The local day in which an instant lies. */
export function localDay(zone: Zone, atMs: number): number {
  return Math.floor((atMs + zone.offsetMs(atMs)) / DAY_MS);
}

/** What the clock shows at an instant, and for the how manieth time on that day. */
export function timeOfDay(zone: Zone, atMs: number): TimeOfDay {
  const localMs = atMs + zone.offsetMs(atMs);
  const repeat = instants(zone, localMs)[1] === atMs ? 1 : 0;
  return { clockMs: localMs - Math.floor(localMs / DAY_MS) * DAY_MS, repeat };
}

/**
 * The instant at which the clock shows `time` on `day`. A time shown twice: the first, or the second where `repeat`
 * says so. A time that the clock skips: as if it had not been put forward yet (02:30 is the 03:30 that it shows),
 * or, where that is the next day already, as if it had been.
 */
export function instantOf(zone: Zone, day: number, { clockMs, repeat }: TimeOfDay): number {
  const localMs = day * DAY_MS + clockMs;
  const [first, second] = instants(zone, localMs);
  if (first !== undefined) return repeat === 1 ? (second ?? first) : first;
  const later = localMs - zone.offsetMs(localMs - DAY_MS);
  return localDay(zone, later) === day ? later : localMs - zone.offsetMs(localMs + DAY_MS);
}

/** Every instant at which a local clock shows `localMs` (written as if it were UTC): none, one or two, in order. */
export function instants(zone: Zone, localMs: number): readonly number[] {
  // Whatever offset is in force at that time is in force a day before it or a day after it.
  const offsets = new Set([zone.offsetMs(localMs - DAY_MS), zone.offsetMs(localMs + DAY_MS)]);
  return [...offsets]
    .map((offset) => localMs - offset)
    .filter((atMs) => atMs + zone.offsetMs(atMs) === localMs)
    .sort((a, b) => a - b);
}

/** When a local day begins; the next one's beginning is its end. */
export function dayStart(zone: Zone, day: number): number {
  const localMs = day * DAY_MS;
  return instants(zone, localMs)[0] ?? localMs - zone.offsetMs(localMs - DAY_MS);
}

/** 0 is Sunday. */
export function weekdayOf(day: number): number {
  return (((day + 4) % 7) + 7) % 7;
}

/** The day number of "2013-09-21". Throws Problem `baseline-day` for anything else, such as 30 February. */
export function dayNumber(text: string): number {
  const day = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T00:00:00Z`) / DAY_MS : Number.NaN;
  if (Number.isInteger(day) && dayText(day) === text) return day;
  throw new Problem("baseline-day", "not a day", {
    expected: "a date such as 2013-09-21",
    got: JSON.stringify(text),
  });
}

/** "2013-09-21" of a day number. */
export function dayText(day: number): string {
  return isoTime(day * DAY_MS).slice(0, 10);
}
