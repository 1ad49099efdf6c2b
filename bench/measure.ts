/**
 * One measured figure. `baseline` is what it is held against, in the same unit and out of the same run, `ratio` is
 * value / baseline; both are null where there is nothing to hold it against. Which baseline it is, `bench` says.
 */
export interface Result {
  readonly bench: string;
  readonly case: string;
  readonly value: number;
  readonly unit: string;
  readonly baseline: number | null;
  readonly ratio: number | null;
}

/** A thing to be measured, done `count` times by each run. */
export interface Work {
  readonly count: number;
  readonly run: () => void | Promise<void>;
}

/** How often a second a thing was done, and how often each of those that it is held against. */
export interface Compared {
  readonly value: number;
  readonly against: readonly { readonly value: number; readonly ratio: number }[];
}

const ROUNDS = 41;
const ROUND_MS = 40;

/**
 * How many times a second of one core's time `work` does its things: the median of short rounds in which it and its
 * baselines take turns, so that what else the machine does falls on all of them. A ratio is the median of the ratios
 * of the rounds.
 */
export async function compare(work: Work, baselines: readonly Work[]): Promise<Compared> {
  for (const each of [work, ...baselines]) await round(each);
  const rounds: { readonly value: number; readonly bases: readonly number[] }[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const bases: number[] = [];
    for (const baseline of baselines) bases.push(await round(baseline));
    rounds.push({ value: await round(work), bases });
  }
  return {
    value: median(rounds.map(({ value }) => value)),
    against: baselines.map((_, at) => ({
      value: median(rounds.map(({ bases }) => bases[at] ?? 0)),
      ratio: median(rounds.map(({ value, bases }) => value / (bases[at] ?? 0))),
    })),
  };
}

/** As many results as there are baselines, one `bench` name for each; with none, one result without a ratio. */
export async function results(
  benches: readonly string[],
  { name, unit }: { readonly name: string; readonly unit: string },
  [work, ...baselines]: readonly [work: Work, ...baselines: Work[]],
): Promise<Result[]> {
  const { value, against } = await compare(work, baselines);
  return benches.map((bench, at) => ({
    ...{ bench, case: name, value, unit },
    baseline: against[at]?.value ?? null,
    ratio: against[at]?.ratio ?? null,
  }));
}

/** A figure that is counted and not timed. */
export function figure(
  bench: string,
  { name, unit }: { readonly name: string; readonly unit: string },
  [value, baseline]: readonly [value: number, baseline?: number],
): Result {
  const ratio = baseline === undefined ? null : value / baseline;
  return { bench, case: name, value, unit, baseline: baseline ?? null, ratio };
}

/** The middle one; of an even number, the upper of the two in the middle. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}

/** Rate over the time that this process had a core, all of its threads together: others on the machine do not count. */
async function round({ count, run }: Work): Promise<number> {
  const begin = cpuMs();
  let done = 0;
  let spent = 0;
  for (; spent < ROUND_MS; spent = cpuMs() - begin) {
    const pending = run();
    if (pending !== undefined) await pending;
    done += count;
  }
  return (done * 1000) / spent;
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
