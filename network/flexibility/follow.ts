import { baselineOf } from "../../attest/baseline/baseline.ts";
import { DAY_MS, localDay, openZone, type Zone } from "../../attest/baseline/zone.ts";
import type { CommitmentOrder } from "../../attest/flexibility/orders.ts";
import { askedEnergies } from "../../attest/flexibility/settle-metered.ts";
import { decodeTerms } from "../../attest/flexibility/terms.ts";
import type { IntervalClose } from "../../attest/leaf.ts";
import { BOUNDARY, DIRECTION } from "../../attest/leaf-flexibility.ts";
import { Problem } from "../../attest/problem.ts";
import type { Window } from "./checks.ts";

/** One power for a time. */
export interface Run extends Window {
  readonly powerMw: number;
}

const HOUR_MS = 3_600_000;
/** Beyond what any method looks back, and a day that the clock makes longer. */
export const LOOK_BACK_MS: number = 62 * DAY_MS;

/**
 * The power of each interval with which a device does what it is committed to: its baseline and the committed delta.
 * Throws `order-follow` for a site, whose baseline says nothing of one device, and what `baselineOf` does.
 *
 * @param closes of the commitment's channel, from {@link LOOK_BACK_MS} before the begin on
 */
export function followedPowers(order: CommitmentOrder, closes: readonly IntervalClose[]): number[] {
  const { boundary, intervalMs, deltaMwh, issuedAtMs } = order;
  if (boundary !== BOUNDARY.device)
    throw new Problem("order-follow", "the baseline of a site does not say what one device has to do", {
      hint: "give powerMw",
    });
  const terms = decodeTerms(order.terms);
  const { holidays = [], excludedDays = [] } = terms;
  const zone = openZone(terms.timeZone);
  const history = {
    ...{ method: terms.baselineMethod, intervalMs, noticeMs: issuedAtMs },
    direction: terms.direction === DIRECTION.reduce ? ("reduce" as const) : ("increase" as const),
    energyAt: askedEnergies(closes, intervalMs).energyAt,
    calendar: { zone, holidays: new Set(holidays), excluded: new Set(excludedDays) },
  };
  const windows = windowsByDay(order, zone);
  const baselineMwh = windows.flatMap((window) => baselineOf({ ...history, windows: [window] }).baselineMwh);
  return deltaMwh.map(
    (delta, at) => Math.round((((baselineMwh[at] ?? 0) + delta) * HOUR_MS) / intervalMs) + 0,
  );
}

/** The parts of a commitment in each local day that it lies in: the days that a baseline looks at differ. */
function windowsByDay({ fromMs, intervalMs, deltaMwh }: CommitmentOrder, zone: Zone): Window[] {
  const windows: Window[] = [];
  for (const at of deltaMwh.keys()) {
    const startMs = fromMs + at * intervalMs;
    const last = windows.at(-1);
    if (last !== undefined && localDay(zone, last.fromMs) === localDay(zone, startMs))
      windows[windows.length - 1] = { ...last, toMs: startMs + intervalMs };
    else windows.push({ fromMs: startMs, toMs: startMs + intervalMs });
  }
  return windows;
}

/** Intervals of equal power as one. */
export function runsOf(powersMw: readonly number[], fromMs: number, intervalMs: number): Run[] {
  const runs: Run[] = [];
  for (const [at, powerMw] of powersMw.entries()) {
    const toMs = fromMs + (at + 1) * intervalMs;
    const last = runs.at(-1);
    if (last?.powerMw === powerMw) runs[runs.length - 1] = { ...last, toMs };
    else runs.push({ powerMw, fromMs: toMs - intervalMs, toMs });
  }
  return runs;
}
