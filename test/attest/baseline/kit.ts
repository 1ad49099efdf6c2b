import type { BaselineRequest } from "../../../attest/baseline/baseline.ts";
import type { EnergyAt } from "../../../attest/baseline/energies.ts";
import { dayNumber, dayStart, openZone, type Zone } from "../../../attest/baseline/zone.ts";

export const QUARTER = 900_000;
export const HOUR = 3_600_000;

export const ZONES: Readonly<Record<"berlin" | "losAngeles" | "lordHowe" | "utc", Zone>> = {
  berlin: openZone("Europe/Berlin"),
  losAngeles: openZone("America/Los_Angeles"),
  lordHowe: openZone("Australia/Lord_Howe"),
  utc: openZone("UTC"),
};

/** Days named as people name them. */
export function daySet(...days: readonly string[]): ReadonlySet<number> {
  return new Set(days.map(dayNumber));
}

/** A window of `hours` hours that begins `fromHour` hours after local midnight, in elapsed time. */
export function windowOf(
  zone: Zone,
  day: string,
  fromHour: number,
  hours: number,
): { fromMs: number; toMs: number } {
  const fromMs = dayStart(zone, dayNumber(day)) + fromHour * HOUR;
  return { fromMs, toMs: fromMs + hours * HOUR };
}

/** Whole mWh that look like noise: the same ones for the same seed, no two alike by chance. */
export function noisyLoad(seed: number, mostMwh = 5_000_000): EnergyAt {
  return (startMs) => {
    let state = (seed ^ Math.imul(startMs / QUARTER, 0x9e37_79b1)) >>> 0;
    state = Math.imul(state ^ (state >>> 16), 0x21f0_aaad) >>> 0;
    state = Math.imul(state ^ (state >>> 15), 0x735a_2d97) >>> 0;
    return ((state ^ (state >>> 15)) >>> 0) % mostMwh;
  };
}

/** A weekday afternoon in Berlin, without holidays, 14:00 to 16:00. */
export function plainRequest(method: string, energyAt: EnergyAt): BaselineRequest {
  const zone = ZONES.berlin;
  return {
    ...{ method, direction: "reduce", energyAt, intervalMs: QUARTER },
    calendar: { zone, holidays: new Set(), excluded: new Set() },
    windows: [windowOf(zone, "2026-06-17", 14, 2)],
  };
}

export const HISTORY_METHODS = [
  "h10/1",
  "h10-sda20/1",
  "h5of10-sda20/1",
  "h4of5-saa/1",
  "mid8of10/1",
] as const;
