/** Where a driver does not know the step: 1 Wh. */
const UNKNOWN_STEP_MWH = 1000;
/** No register counts in larger steps than 1 kWh that is not said to. */
const COARSEST_MWH = 1_000_000;
const TENTH = 10;

/**
 * The step in which a register that shows these values may count, mWh: as it is stated, or as coarse as all of them
 * allow, from 1 Wh to 1 kWh. A register of whole kWh shows nothing but whole kWh.
 */
export function stepOf(statedMwh: number | undefined, values: readonly number[]): number {
  return statedMwh ?? shownStep(values);
}

/** The coarser of what is stated and what is shown: a locked meter is read in 0.1 Wh and shows whole kWh. */
export function coarsestStep(statedMwh: number | undefined, values: readonly number[]): number {
  return Math.max(statedMwh ?? 0, shownStep(values));
}

function shownStep(values: readonly number[]): number {
  let stepMwh = COARSEST_MWH;
  while (stepMwh > UNKNOWN_STEP_MWH && values.some((value) => value % stepMwh !== 0)) stepMwh /= TENTH;
  return stepMwh;
}
