import type { HomeDay } from "./home.ts";

/** A dull day has this much of a clear day's sun. */
const LEAST_SUN_PPM = 600_000;
const ALL_SUN_PPM = 1_000_000;
const LATEST_MINUTES = 10;
/** Between an empty house and one with guests. */
const MOST_MORE_W = 500;

/** Days that differ as days do: the sky, when the household begins, and what it draws. The same number is always the same day. */
export function unlikeDay(number: number): HomeDay {
  return {
    sunPpm: LEAST_SUN_PPM + Math.floor(scattered(number, 5) * (ALL_SUN_PPM - LEAST_SUN_PPM)),
    lateMinutes: Math.floor(scattered(number, 2) * LATEST_MINUTES),
    moreMw: Math.floor(scattered(number, 9) * MOST_MORE_W) * 1000,
  };
}

/** A number between 0 and 1 that looks like chance (the finalizer of MurmurHash3, 32 bits). */
function scattered(number: number, stream: number): number {
  let hash = Math.imul(number + 1, 0x9e3779b1) ^ Math.imul(stream, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
