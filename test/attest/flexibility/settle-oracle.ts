/**
 * The rules of a settlement a second time, straight from their definition: one list of intervals, fractions as pairs of
 * bigint that are never shortened, a clock that is two hours ahead of UTC. Shares nothing with the code under test.
 */

const QUARTER = 900_000;
const DAY = 86_400_000;
/** Berlin in summer. */
const AHEAD = 7_200_000;

export interface OracleCase {
  readonly method: string;
  readonly sign: 1 | -1;
  readonly fromMs: number;
  readonly committed: readonly number[];
  readonly issuedAtMs: number;
  readonly energyAt: (startMs: number) => number;
  readonly dark: readonly { readonly fromMs: number; readonly toMs: number }[];
  readonly shownFromMs: number;
  readonly shownToMs: number;
  readonly holidays: readonly number[];
  readonly excluded: readonly number[];
  /** Which intervals were called: [first, end). */
  readonly called: readonly [number, number];
}

export interface OracleResult {
  readonly result: number;
  readonly baseline: readonly number[] | undefined;
  readonly counted: readonly number[];
  readonly shortfall: number;
  readonly rebound: number;
}

const DELIVERED = 1;
const PARTIAL = 2;
const NOT_DELIVERED = 3;
const UNAVAILABLE = 5;
const DATA_INVALID = 6;

type Known = (startMs: number) => number | undefined;

export function oracle(of: OracleCase): OracleResult {
  const known: Known = (startMs) => {
    const isShown = startMs >= of.shownFromMs && startMs + QUARTER <= of.shownToMs;
    const isDark = of.dark.some(({ fromMs, toMs }) => fromMs < startMs + QUARTER && toMs > startMs);
    return isShown && !isDark ? of.energyAt(startMs) : undefined;
  };
  const wasDarkBefore = (startMs: number): boolean =>
    of.dark.some(({ fromMs, toMs }) => fromMs <= of.issuedAtMs && toMs > startMs && toMs <= of.shownToMs);
  const filled: Known = (startMs) =>
    known(startMs) ?? (startMs + QUARTER > of.issuedAtMs && !wasDarkBefore(startMs) ? 0 : undefined);

  const starts = of.committed.map((_, at) => of.fromMs + at * QUARTER);
  const curve = baselineOf(of, known, starts);
  const wouldBe = curve ?? baselineOf(of, filled, starts);
  const isCalled = (at: number): boolean => at >= of.called[0] && at < of.called[1];
  const calledStarts = starts.filter((_, at) => isCalled(at));
  const absent = calledStarts.filter((startMs) => known(startMs) === undefined);
  const isTooFew = 100 * absent.length > calledStarts.length;
  const isInvalid = curve === undefined ? wouldBe !== undefined : isTooFew;

  const counted = starts.map((startMs, at) => {
    const committed = of.committed[at] ?? 0;
    const actual = known(startMs);
    if (!isCalled(at) || (actual === undefined && wasDarkBefore(startMs))) return 0;
    if (isInvalid) return -committed;
    if (curve === undefined) return 0;
    if (actual === undefined) return -committed;
    return Math.min(of.sign * ((curve.at(startMs) ?? 0) - actual) + 0, Math.floor((committed * 12) / 10));
  });
  const owed = of.committed.reduce((sum, each, at) => sum + (isCalled(at) ? each : 0), 0);
  const sum = counted.reduce((before, each) => before + each, 0);
  return {
    result: resultOf(),
    baseline: curve === undefined ? undefined : starts.map((startMs) => curve.at(startMs) ?? 0),
    counted,
    shortfall: Math.max(0, owed - sum),
    rebound: curve === undefined ? 0 : reboundOf(of, known, curve),
  };

  function resultOf(): number {
    if (calledStarts.every((ms) => known(ms) === undefined && wasDarkBefore(ms))) return UNAVAILABLE;
    if (isInvalid) return DATA_INVALID;
    if (curve === undefined) return UNAVAILABLE;
    const isEach = counted.every((each, at) => !isCalled(at) || 2 * each >= (of.committed[at] ?? 0));
    if (10 * sum >= 9 * owed && isEach) return DELIVERED;
    return sum > 0 ? PARTIAL : NOT_DELIVERED;
  }
}

interface Curve {
  /** Rounded half up. */
  at(startMs: number): number | undefined;
}

const dayOf = (ms: number): number => Math.floor((ms + AHEAD) / DAY);

function baselineOf(of: OracleCase, known: Known, starts: readonly number[]): Curve | undefined {
  const eventDays = [...new Set(starts.map(dayOf))];
  const works = (day: number): boolean =>
    ![0, 6].includes(new Date(day * DAY).getUTCDay()) && !of.holidays.includes(day);
  const quarters = (day: number): number[] =>
    Array.from({ length: 96 }, (_, at) => day * DAY - AHEAD + at * QUARTER);
  const curves = new Map<number, { days: number[]; up: bigint; down: bigint }>();
  for (const eventDay of eventDays) {
    const days: number[] = [];
    const wanted = works(eventDay) ? 10 : 4;
    for (let day = eventDay - 1; day >= eventDay - 45 && days.length < wanted; day--) {
      if (works(day) !== works(eventDay) || of.excluded.includes(day) || eventDays.includes(day)) continue;
      if (quarters(day).every((ms) => known(ms) !== undefined)) days.push(day);
    }
    if (days.length < wanted) return undefined;
    let [up, down] = [1n, 1n];
    if (of.method === "h10-sda20/1") {
      const first = starts.find((ms) => dayOf(ms) === eventDay) ?? 0;
      const last = Math.min(first - 4 * QUARTER, of.issuedAtMs);
      const end = last - (last % QUARTER);
      const window = quarters(eventDay).filter((ms) => ms >= end - 12 * QUARTER && ms < end);
      if (window.some((ms) => known(ms) === undefined)) return undefined;
      // Today's sum times the days, against the sum of all days.
      const today = sumOf(window.map((ms) => known(ms))) * BigInt(days.length);
      const usual = sumOf(days.flatMap((day) => window.map((ms) => known(ms - (eventDay - day) * DAY))));
      if (window.length > 0 && usual > 0n) {
        if (today * 5n < usual * 4n) [up, down] = [4n, 5n];
        else if (today * 5n > usual * 6n) [up, down] = [6n, 5n];
        else [up, down] = [today, usual];
      }
    }
    curves.set(eventDay, { days, up, down });
  }
  return {
    at: (startMs) => {
      const curve = curves.get(dayOf(startMs));
      if (curve === undefined) return undefined;
      const { days, up, down } = curve;
      const usual = sumOf(days.map((day) => known(startMs - (dayOf(startMs) - day) * DAY))) * up;
      const over = 2n * BigInt(days.length) * down;
      const twice = 2n * usual + over / 2n;
      return Number((twice - (((twice % over) + over) % over)) / over);
    },
  };
}

function sumOf(values: readonly (number | undefined)[]): bigint {
  return values.reduce((sum, value) => sum + BigInt(value ?? 0), 0n);
}

function reboundOf(of: OracleCase, known: Known, curve: Curve): number {
  const [first, end] = of.called;
  let rebound = 0;
  for (let at = end; at < 2 * end - first; at++) {
    const startMs = of.fromMs + at * QUARTER;
    if (dayOf(startMs) !== dayOf(of.fromMs + (end - 1) * QUARTER)) break;
    const [actual, usual] = [known(startMs), curve.at(startMs)];
    if (actual !== undefined && usual !== undefined) rebound += of.sign * (actual - usual);
  }
  return rebound;
}
