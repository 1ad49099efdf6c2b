/** Milliseconds of a clock that nobody sets and that every process of this machine shares (Linux: CLOCK_MONOTONIC). */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}
