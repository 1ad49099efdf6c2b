import { FAULT_FLASHES, type Indicated, type IndicatedFault, type IndicatedStage } from "./indicated.ts";

/** Lit, dark, lit, dark... in ms, from its beginning; it repeats. An even number of them, each more than 0. */
export type Pattern = readonly number[];

/** Dark: nothing to say. One segment of no length would have no period. */
const DARK: Pattern = [];

const FLASH_MS = 100;
const BETWEEN_MS = 300;
const PERIOD_MS = 2000;
const LONG_MS = 500;
const PAUSE_MS = 2000;

/** No pattern is steady: a lamp that is steadily lit, or dark, is that of an agent that does not run. */
const STAGES: Readonly<Record<IndicatedStage, Pattern>> = {
  starting: [FLASH_MS, FLASH_MS],
  reading: flashes(1),
  sealed: flashes(2),
  acknowledged: [PERIOD_MS - FLASH_MS, FLASH_MS],
};

/** Of one lamp. A fault hides the stage. */
export function patternOf({ stage, fault }: Indicated): Pattern {
  return fault === undefined ? STAGES[stage] : faultPattern(fault);
}

/**
 * Of three lamps: reading, sealed, acknowledged, in the way that a reading goes. Each flashes once while its stage is
 * reached; a fault is shown by all of them together.
 */
export function patternsOf({ stage, fault }: Indicated): readonly [Pattern, Pattern, Pattern] {
  if (fault !== undefined) return [faultPattern(fault), faultPattern(fault), faultPattern(fault)];
  if (stage === "starting") return [STAGES.starting, DARK, DARK];
  const once = flashes(1);
  return [once, stage === "reading" ? DARK : once, stage === "acknowledged" ? once : DARK];
}

/** Whether the lamp is lit `atMs` after the pattern's beginning. */
export function isLit(pattern: Pattern, atMs: number): boolean {
  return segmentAt(pattern, atMs).index % 2 === 0;
}

/** How long it stays as it is; undefined where it never changes. */
export function untilChangeMs(pattern: Pattern, atMs: number): number | undefined {
  return pattern.length === 0 ? undefined : segmentAt(pattern, atMs).leftMs;
}

function segmentAt(pattern: Pattern, atMs: number): { readonly index: number; readonly leftMs: number } {
  const periodMs = pattern.reduce((sum, ms) => sum + ms, 0);
  let leftMs = periodMs === 0 ? 0 : atMs % periodMs;
  for (const [index, ms] of pattern.entries()) {
    if (leftMs < ms) return { index, leftMs: ms - leftMs };
    leftMs -= ms;
  }
  return { index: 1, leftMs: 0 };
}

function flashes(count: number): Pattern {
  const last = PERIOD_MS - count * FLASH_MS - (count - 1) * BETWEEN_MS;
  return spaced({ count, litMs: FLASH_MS, darkMs: BETWEEN_MS, lastMs: last });
}

/** Long flashes to be counted, and a pause that is longer than what lies between two. */
function faultPattern(fault: IndicatedFault): Pattern {
  return spaced({ count: FAULT_FLASHES[fault], litMs: LONG_MS, darkMs: LONG_MS, lastMs: PAUSE_MS });
}

function spaced({
  count,
  litMs,
  darkMs,
  lastMs,
}: {
  readonly count: number;
  readonly litMs: number;
  readonly darkMs: number;
  readonly lastMs: number;
}): Pattern {
  return Array.from({ length: count }, (_, at) => [litMs, at === count - 1 ? lastMs : darkMs]).flat();
}
