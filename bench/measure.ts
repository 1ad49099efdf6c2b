/** One measured figure; `ratio` is against `baseline`, both taken in the same run. */
export interface Result {
  readonly bench: string;
  readonly case: string;
  readonly value: number;
  readonly unit: string;
  readonly baseline?: string;
  readonly ratio?: number;
}

/** How many times a second `run` does its `count` things: the median of five rounds of at least `ms` each. */
export function rate(count: number, run: () => void, ms = 300): number {
  run();
  return median(Array.from({ length: 5 }, () => round(count, run, ms)));
}

/** A thing to be measured, done `count` times by each run. */
export interface Work {
  readonly count: number;
  readonly run: () => void;
}

/**
 * How many times a second `work` does its things, and how many times as often as `baseline`: medians of rounds
 * in which the two take turns, so that what else the machine does falls on both.
 */
export function compare(
  work: Work,
  baseline: Work,
  ms = 200,
): { readonly value: number; readonly ratio: number } {
  work.run();
  baseline.run();
  const rounds = Array.from({ length: 7 }, () => {
    const base = round(baseline.count, baseline.run, ms);
    const value = round(work.count, work.run, ms);
    return { value, ratio: value / base };
  });
  return { value: median(rounds.map(({ value }) => value)), ratio: median(rounds.map(({ ratio }) => ratio)) };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}

function round(count: number, run: () => void, ms: number): number {
  const begin = performance.now();
  let done = 0;
  while (performance.now() - begin < ms) {
    run();
    done += count;
  }
  return (done * 1000) / (performance.now() - begin);
}
