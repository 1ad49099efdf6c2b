import { localDay, openZone, timeOfDay } from "../../attest/baseline/zone.ts";
import { PLAN } from "./flex-plan.ts";

const COLUMNS = 100;
const HEAD_CHARS = 12;
const MINUTE_MS = 60_000;
const zone = openZone(PLAN.timeZone);
/** The event's own day needs no date. */
const DAY = localDay(zone, PLAN.fromMs);

/** "20:30", "20:30:05" where there are seconds. */
export function clockText(ms: number): string {
  const { clockMs } = timeOfDay(zone, ms);
  const minutes = Math.floor(clockMs / MINUTE_MS);
  const seconds = Math.floor(clockMs / 1000) % 60;
  const parts = [Math.floor(minutes / 60), minutes % 60, ...(seconds === 0 ? [] : [seconds])];
  return parts.map((part) => String(part).padStart(2, "0")).join(":");
}

/** Lines under a heading in the left margin, the time below it where there is one; what is too long is wrapped. */
export function headed(head: string, first: string, rest: readonly string[] = [], atMs?: number): string[] {
  const margins = [head.toUpperCase(), atMs === undefined ? "" : `  ${timeText(atMs)}`];
  const lines = [first, ...rest].flatMap(wrapped);
  return lines.map((line, at) => `${(margins[at] ?? "").padEnd(HEAD_CHARS)}${line}`.trimEnd());
}

function wrapped(line: string): string[] {
  if (line.length <= COLUMNS - HEAD_CHARS) return [line];
  const end = line.lastIndexOf(" ", COLUMNS - HEAD_CHARS);
  return end <= 0 ? [line] : [line.slice(0, end), ...wrapped(line.slice(end + 1))];
}

/** "0.625" of 625000 mWh, with a sign where it is below 0. */
export function kwh(mwh: number): string {
  return (mwh / 1_000_000).toFixed(3);
}

/** "-0.5 %" of -5068 ppm. */
export function percent(ppm: number): string {
  return `${(ppm / 10_000).toFixed(1)} %`;
}

function timeText(ms: number): string {
  return localDay(zone, ms) === DAY ? clockText(ms) : "";
}

/** "not delivered" of "notDelivered". */
export function resultWords(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
