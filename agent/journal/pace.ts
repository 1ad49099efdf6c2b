/** How many samples are sealed: 1 each, n one of n, and of every interval the last one; 0 none. */
export type Pace = number;

const COMFORT_BYTES = 32 * 1024 ** 2;
const COMFORT_PART = 32;
const SLOWEST = 512;
/** Leaves wait in memory while the disk takes none: half of the room is filled at full pace. */
const FULL_PACE_UNTIL = 0.5;

/** Below so much room sampling slows, in a journal that may have `maxBytes`; below half of it, it slows again. */
export function comfortOf(maxBytes: number): number {
  return Math.min(COMFORT_BYTES, maxBytes / COMFORT_PART);
}

/** The pace at which `leftBytes` last: each halving of the room halves what is taken, so that the end recedes. */
export function paceFor(leftBytes: number, comfortBytes: number): Pace {
  if (leftBytes >= comfortBytes) return 1;
  if (leftBytes <= 0) return 0;
  return Math.min(SLOWEST, 2 ** Math.ceil(Math.log2(comfortBytes / leftBytes)));
}

/** The pace while what is sealed waits in memory, of which the part `fullness` is taken. */
export function paceInMemory(fullness: number): Pace {
  if (fullness <= FULL_PACE_UNTIL) return 1;
  const left = (1 - fullness) / (1 - FULL_PACE_UNTIL);
  return left <= 0 ? 0 : Math.min(SLOWEST, 2 ** Math.ceil(Math.log2(1 / left)));
}

/** The slower of two. */
export function slower(a: Pace, b: Pace): Pace {
  return a === 0 || b === 0 ? 0 : Math.max(a, b);
}

/** What a sampler has to know to leave samples out. */
export interface PaceTerms {
  /** Time between two samples. */
  readonly samplingMs: number;
  /** Of the market. */
  readonly intervalMs: number;
}

/**
 * Whether the sample at `nowMs` is sealed, when the last one that was came at `lastMs`. The sample that an interval
 * closes on is, whatever the pace: registers go on counting, and a close needs no more than those at its ends.
 */
export function isWanted(pace: Pace, { samplingMs, intervalMs }: PaceTerms, at: SampleTimes): boolean {
  if (pace === 0) return false;
  if (pace === 1 || at.lastMs === undefined) return true;
  // Half a sampling interval early is on time: no two samples come just as far apart.
  if (at.nowMs - at.lastMs >= (pace - 0.5) * samplingMs) return true;
  const boundaryMs = Math.ceil(at.nowMs / intervalMs) * intervalMs;
  const toleranceMs = Math.min(Math.max(2 * samplingMs, 30_000), intervalMs / 2);
  return at.nowMs >= boundaryMs - toleranceMs && at.lastMs < boundaryMs - toleranceMs;
}

export interface SampleTimes {
  readonly nowMs: number;
  readonly lastMs: number | undefined;
}
