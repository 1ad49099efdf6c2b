/** What the roof gives at most, W. */
const PEAK_W = 9200;
const SUNRISE_MINUTE = 6 * 60;
const SUNSET_MINUTE = 20 * 60;
const DAY_MINUTES = 1440;
/** Time from one cloud to the next, in minutes of the home's day. */
const CLOUD_MINUTES = 5;
/** Under the thickest cloud this much of the sun is left. */
const THROUGH_CLOUDS = 0.15;
/** Up to this cover the sky is clear. */
const CLEAR = 0.55;
const BASE_W = 310;
const MW_PER_W = 1000;

/** One thing that draws power for `forMinutes`, every `everyMinutes`, first at `fromMinute` of the day. */
interface Appliance {
  readonly powerW: number;
  readonly everyMinutes: number;
  readonly fromMinute: number;
  readonly forMinutes: number;
}

const REFRIGERATOR: Appliance = { powerW: 120, everyMinutes: 24, fromMinute: 0, forMinutes: 9 };
const KETTLE: Appliance = { powerW: 2200, everyMinutes: 35, fromMinute: 18, forMinutes: 3 };
const DISHWASHER: Appliance = { powerW: 1900, everyMinutes: 180, fromMinute: 31, forMinutes: 16 };
const OVEN: Appliance = { powerW: 2600, everyMinutes: 360, fromMinute: 10, forMinutes: 25 };
const CAR: Appliance = { powerW: 11_000, everyMinutes: 240, fromMinute: 20, forMinutes: 70 };
const APPLIANCES: readonly Appliance[] = [REFRIGERATOR, KETTLE, DISHWASHER, OVEN, CAR];

/** What the household draws at that minute of its day, in whole watts, as mW. */
export function householdLoadMw(dayMinute: number): number {
  const running = APPLIANCES.filter((each) => isRunning(each, dayMinute));
  const watts = running.reduce((sum, { powerW }) => sum + powerW, BASE_W);
  const flicker = Math.round(80 * noise(dayMinute, 1));
  return (watts + flicker) * MW_PER_W;
}

/** The low tariff of the simulated supplier: at night, and at noon when the sun is strong. */
export function isLowTariff(dayMinute: number): boolean {
  const hour = dayMinute / 60;
  return hour < 7 || hour >= 23 || (hour >= 12 && hour < 16);
}

/** What the roof gives at that minute of the day, in whole watts, as mW: the sun's curve, and clouds before it. */
export function generationMw(dayMinute: number): number {
  const daylight = (dayMinute - SUNRISE_MINUTE) / (SUNSET_MINUTE - SUNRISE_MINUTE);
  if (daylight <= 0 || daylight >= 1) return 0;
  return Math.round(PEAK_W * Math.sin(Math.PI * daylight) * clearness(dayMinute)) * MW_PER_W;
}

/** From {@link THROUGH_CLOUDS} to 1; a clear sky most of the time, with clouds that pass. */
function clearness(dayMinute: number): number {
  const cover = noise(dayMinute, CLOUD_MINUTES);
  return cover < CLEAR ? 1 : 1 - ((1 - THROUGH_CLOUDS) * (cover - CLEAR)) / (1 - CLEAR);
}

function isRunning({ everyMinutes, fromMinute, forMinutes }: Appliance, dayMinute: number): boolean {
  return (dayMinute + everyMinutes - (fromMinute % everyMinutes)) % everyMinutes < forMinutes;
}

/** Smooth and the same at every call: 0 to 1, with a new value to move to each `period` minutes. */
function noise(dayMinute: number, period: number): number {
  const slots = Math.round(DAY_MINUTES / period);
  const slot = Math.floor(dayMinute / period);
  const part = dayMinute / period - slot;
  const ease = part * part * (3 - 2 * part);
  const from = scattered(slot % slots, period);
  return from + (scattered((slot + 1) % slots, period) - from) * ease;
}

/** A number between 0 and 1 that looks like chance (the finalizer of MurmurHash3, 32 bits). */
function scattered(slot: number, stream: number): number {
  let hash = Math.imul(slot + 1, 0x9e3779b1) ^ Math.imul(stream, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
