import { Skipped } from "../../../drivers/kit/checklist.ts";
import { isSameSnapshot, ownMs, type Seen } from "./seen.ts";

/** What an oscillator without a quartz may be wrong by. */
export const MOST_DRIFT_PPM = 10_000;
/** A counter that goes on in steps of 10 ms, twice. */
const STEPS_MS = 20;
const LEAST_WATCHED_MS = 1000;
const MILLION = 1_000_000;

/** Two snapshots, and by how much the device's time between them cannot be. */
interface Misfit {
  readonly from: Seen;
  readonly to: Seen;
  readonly beyondMs: number;
}

/**
 * What is wrong with the device's time, `ms` and `age` together, against the host's. An answer was made at some time between
 * question and arrival, so two of them tell how much time passed at least and at most: a slow line or a host that stood
 * still makes that less exact, and never wrong.
 *
 * @throws Skipped where less than a second was watched
 */
export function clockFault(seen: readonly Seen[]): string | undefined {
  const own = seen.filter(({ snapshot }) => snapshot.boot === seen[0]?.snapshot.boot);
  const [first, last] = [own[0], own.at(-1)];
  if (first === undefined || last === undefined || last.sentMs - first.seenMs < LEAST_WATCHED_MS)
    throw new Skipped("less than a second was watched");
  const found = [...fastMisfits(own), ...slowMisfits(own)].sort((a, b) => b.beyondMs - a.beyondMs);
  const worst = found.find(isOfAge) ?? found[0];
  return worst === undefined ? undefined : `${misfitWords(worst)}${ageWords(own)}`;
}

/** For each snapshot the one before from which its time went on most beyond what the host allows. */
function fastMisfits(seen: readonly Seen[]): readonly Misfit[] {
  const longer = 1 + MOST_DRIFT_PPM / MILLION;
  return misfits(seen, {
    begin: (one) => ownMs(one) - one.sentMs * longer,
    end: (one) => ownMs(one) - one.seenMs * longer,
  });
}

function slowMisfits(seen: readonly Seen[]): readonly Misfit[] {
  const shorter = 1 - MOST_DRIFT_PPM / MILLION;
  return misfits(seen, {
    begin: (one) => one.seenMs * shorter - ownMs(one),
    end: (one) => one.sentMs * shorter - ownMs(one),
  });
}

interface Sides {
  readonly begin: (one: Seen) => number;
  readonly end: (one: Seen) => number;
}

function misfits(seen: readonly Seen[], { begin, end }: Sides): readonly Misfit[] {
  let least: { readonly from: Seen; readonly value: number } | undefined;
  const found: Misfit[] = [];
  for (const to of seen) {
    if (least !== undefined) {
      const beyondMs = end(to) - least.value - STEPS_MS;
      if (beyondMs > 0) found.push({ from: least.from, to, beyondMs });
    }
    const value = begin(to);
    if (least === undefined || value < least.value) least = { from: to, value };
  }
  return found;
}

/** Within one snapshot the age alone goes on: much too slowly, where it is not kept. */
function isOfAge({ from, to }: Misfit): boolean {
  return isSameSnapshot(from, to) && to.ageMs - from.ageMs < (to.sentMs - from.seenMs) / 2;
}

function misfitWords(misfit: Misfit): string {
  const { from, to } = misfit;
  const host = `in ${Math.floor(to.sentMs - from.seenMs)} to ${Math.ceil(to.seenMs - from.sentMs)} ms`;
  if (isOfAge(misfit))
    return `age of snapshot ${to.snapshot.number} went from ${from.ageMs} to ${to.ageMs} ${host}`;
  return `ms and age together went on by ${ownMs(to) - ownMs(from)} ${host}`;
}

/** An age that never changes is none. */
function ageWords(seen: readonly Seen[]): string {
  const ages = new Set(seen.map(({ ageMs }) => ageMs));
  const [age] = ages;
  return ages.size === 1 ? `; age was ${age} each time` : "";
}
