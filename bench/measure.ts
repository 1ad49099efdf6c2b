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
  const rounds = Array.from({ length: 5 }, () => round(count, run, ms)).sort((a, b) => a - b);
  return rounds[2] ?? 0;
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
