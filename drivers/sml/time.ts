import type { SmlElement } from "./element.ts";

/**
 * SML_Time: seconds of a counter that begins at some moment of the meter's own, or seconds since 1970 UTC, alone or
 * with what the meter's local time differs by.
 */
export type SmlTime =
  | { readonly kind: "second-index"; readonly seconds: number }
  | { readonly kind: "timestamp"; readonly seconds: number }
  | {
      readonly kind: "local-timestamp";
      readonly seconds: number;
      readonly zoneMinutes: number;
      readonly seasonMinutes: number;
    };

const SECOND_INDEX = 1n;
const TIMESTAMP = 2n;
const LOCAL_TIMESTAMP = 3n;

/**
 * Reads an SML_Time (BSI TR-03109-1, Annex IV part b: a choice of secIndex, timestamp and timestampLocal); undefined
 * for anything else. Meters of Holley (DTZ541) leave the choice out and send the second index alone
 * (volkszaehler/libsml issue 75).
 */
export function readTime(element: SmlElement): SmlTime | undefined {
  if (element.kind === "unsigned") return secondsOf("second-index", element);
  const [choice, value, ...more] = element.kind === "list" ? element.elements : [];
  if (choice?.kind !== "unsigned" || value === undefined || more.length > 0) return undefined;
  if (choice.value === SECOND_INDEX) return secondsOf("second-index", value);
  if (choice.value === TIMESTAMP) return secondsOf("timestamp", value);
  return choice.value === LOCAL_TIMESTAMP ? localTimestamp(value) : undefined;
}

function secondsOf(kind: "second-index" | "timestamp", element: SmlElement): SmlTime | undefined {
  const seconds = small(element, "unsigned");
  return seconds === undefined ? undefined : { kind, seconds };
}

function localTimestamp(element: SmlElement): SmlTime | undefined {
  const [utc, zone, season, ...more] = element.kind === "list" ? element.elements : [];
  const seconds = small(utc, "unsigned");
  const zoneMinutes = small(zone, "integer");
  const seasonMinutes = small(season, "integer");
  if (seconds === undefined || zoneMinutes === undefined || seasonMinutes === undefined) return undefined;
  return more.length > 0 ? undefined : { kind: "local-timestamp", seconds, zoneMinutes, seasonMinutes };
}

/** A number of at most 32 bits. */
function small(element: SmlElement | undefined, kind: "integer" | "unsigned"): number | undefined {
  return element?.kind === kind && element.widthBytes <= 4 ? Number(element.value) : undefined;
}
