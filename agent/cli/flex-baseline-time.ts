import type { EventWindow } from "../../attest/baseline/baseline.ts";
import { DAY_MS, dayNumber, dayStart, instants, type Zone } from "../../attest/baseline/zone.ts";
import { Problem } from "../../attest/problem.ts";

const LOCAL = /^(\d{4}-\d{2}-\d{2})[T ]([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?(Z|[+-]\d{2}:\d{2})?$/;
const EVENT = /^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2})\/(\d{2}:\d{2})$/;

/** A time as it is written. */
export interface WrittenTime {
  /** The local time as if it were UTC, or the instant itself. */
  readonly ms: number;
  readonly isUtc: boolean;
}

/** Undefined for what is no time; throws Problem `baseline-day` for a day that no calendar has. */
export function writtenTime(text: string): WrittenTime | undefined {
  const [, day, hours, minutes, seconds = "0", zone] = LOCAL.exec(text) ?? [];
  if (day === undefined) return undefined;
  const clockMs = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000;
  const ms = dayNumber(day) * DAY_MS + clockMs;
  return { ms: ms - offsetMs(zone), isUtc: zone !== undefined };
}

function offsetMs(zone = "Z"): number {
  if (zone === "Z") return 0;
  const ms = (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4))) * 60_000;
  return zone.startsWith("-") ? -ms : ms;
}

/** A window such as 2013-09-21T16:00/18:00, up to 24:00. Throws Problem `config-event`. */
export function parseEvent(text: string, zone: Zone): EventWindow {
  const [, day, from, to] = EVENT.exec(text) ?? [];
  if (day === undefined || to === undefined) throw wrongTime(text, "--event", "2013-09-21T16:00/18:00");
  const fromMs = parseInstant(`${day}T${from}`, zone, "--event");
  const toMs =
    to === "24:00" ? dayStart(zone, dayNumber(day) + 1) : parseInstant(`${day}T${to}`, zone, "--event");
  if (fromMs < toMs) return { fromMs, toMs };
  throw wrongTime(text, "--event", "an end after its beginning");
}

/**
 * The instant of a local time, or of one that says its zone; a local time that the clock shows twice is the first.
 * Throws Problem `config-event`, also for a local time that the clock skips.
 */
export function parseInstant(text: string, zone: Zone, option: string): number {
  const written = datedTime(text, option);
  const atMs = written.isUtc ? written.ms : instants(zone, written.ms)[0];
  if (atMs !== undefined) return atMs;
  throw wrongTime(text, option, `a time that a clock in ${zone.name} shows`);
}

function datedTime(text: string, option: string): WrittenTime {
  try {
    const written = writtenTime(text);
    if (written !== undefined) return written;
  } catch (cause) {
    if (!(cause instanceof Problem)) throw cause;
  }
  throw wrongTime(text, option, "a time such as 2013-09-21T16:00");
}

function wrongTime(text: string, option: string, expected: string): Problem {
  return new Problem("config-event", "not a time", { where: option, expected, got: JSON.stringify(text) });
}
