import {
  magnitude,
  minus,
  over,
  ppmOf,
  type Rational,
  rootPpmOf,
  sum,
  times,
  whole,
  ZERO,
} from "./rational.ts";

/** What a baseline said of an interval without an event, and what was metered in it. */
export interface Comparison {
  readonly baselineMwh: Rational;
  readonly actualMwh: number;
}

/**
 * How far a baseline is off where nothing was asked of the device. Relative to the mean magnitude of what was metered,
 * which is its mean where the boundary only imports, and still is a size where import and export alternate.
 */
export interface BaselineError {
  /** Sum of (baseline - actual) over the sum of |actual|; + is too high a baseline. */
  readonly bias: Rational;
  /** The square of the relative RMSE: mean of (baseline - actual)^2 over (mean of |actual|)^2. */
  readonly meanSquare: Rational;
  readonly biasPpm: number;
  readonly relativeRmsePpm: number;
}

/**
 * The error over `comparisons`. Undefined where there are none, and where nothing was metered but something was said,
 * since no figure is relative to 0; nothing said and nothing metered is no error.
 */
export function errorOf(comparisons: readonly Comparison[]): BaselineError | undefined {
  const deviations = comparisons.map(({ baselineMwh, actualMwh }) => minus(baselineMwh, whole(actualMwh)));
  const scale = sum(comparisons.map(({ actualMwh }) => magnitude(whole(actualMwh))));
  const squares = sum(deviations.map((deviation) => times(deviation, deviation)));
  if (scale.numerator === 0n)
    return comparisons.length > 0 && squares.numerator === 0n ? stated(ZERO, ZERO) : undefined;
  const meanSquare = over(times(squares, whole(comparisons.length)), times(scale, scale));
  return stated(over(sum(deviations), scale), meanSquare);
}

function stated(bias: Rational, meanSquare: Rational): BaselineError {
  return { bias, meanSquare, biasPpm: ppmOf(bias), relativeRmsePpm: rootPpmOf(meanSquare) };
}
