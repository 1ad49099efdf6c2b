import { EXCLUSION } from "../baseline/like-days.ts";
import type { LeafCommon } from "../leaf-common.ts";
import type { Settlement } from "../leaf-flexibility.ts";
import { Problem } from "../problem.ts";
import { directionOf, type NoBaseline, type SettledBaseline, settledBaseline } from "./settle-baseline.ts";
import { type Called, calledBy } from "./settle-called.ts";
import {
  completenessPpm,
  countedInterval,
  energyResult,
  type MeteredInterval,
  totalsOf,
} from "./settle-counted.ts";
import { decidedBy, type Findings, invalidity, remarksOn } from "./settle-decided.ts";
import { checkCommitment, checkShown } from "./settle-evidence.ts";
import { type AskedEnergies, askedEnergies, gapsOf, type Span } from "./settle-metered.ts";
import type { Settled, SettledInterval, SettlementEvidence } from "./settle-types.ts";

/** A settlement leaf without its place and time. */
export type SettlementBody = Omit<Settlement, keyof LeafCommon>;

/** Longest list of a leaf. */
const MOST_DAYS = 100;

/**
 * What came of a commitment, by version 1 of the rules in docs/flexibility.md, "Settlement". Signatures, digests, the time
 * of the receipt, and how far the closes must reach, are for whoever verifies a proof. Throws Problem `settlement-evidence`
 * or `proof-chain` where what is shown contradicts itself or leaves something out, `settlement-range` for a sum above
 * 2^53 - 1.
 */
export function settle(evidence: SettlementEvidence): Settled {
  checkCommitment(evidence);
  const called = calledBy(evidence);
  const span = calledSpan(evidence, called);
  if (span === undefined) return notCalled(evidence);
  checkShown(evidence, span);
  const energies = askedEnergies(evidence.closes, evidence.commitment.intervalMs);
  const metered = meteredIntervals(evidence, called, energies);
  const baseline = settledBaseline(evidence, energies.energyAt, span);
  return settled(evidence, { called, span, energies, metered, baseline });
}

function settled(evidence: SettlementEvidence, findings: Findings): Settled {
  const { called, span, metered, baseline } = findings;
  const decision = decidedBy(evidence, findings);
  const counting = {
    direction: directionOf(evidence),
    isInvalid: invalidity(evidence, findings) !== undefined,
  };
  const intervals = withBaseline(metered, baseline).map((each) => countedInterval(each, counting));
  const [days, rebound] = "refusal" in baseline ? [[]] : [baseline.days, baseline.rebound];
  return {
    ...{ called: true, result: decision?.result ?? energyResult(intervals) },
    ...(decision === undefined ? {} : { reason: decision.reason }),
    ...{ method: evidence.terms.baselineMethod, days, intervals },
    totals: totalsOf(intervals, rebound?.deltasMwh ?? []),
    completenessPpm: completenessPpm(metered),
    lookedBackToMs: lookedBackTo(evidence, findings),
    lookedAheadToMs: rebound?.toMs ?? span.toMs,
    remarks: [...called.remarks, ...remarksOn(evidence, findings)],
  };
}

/** What is missing in the event is looked for back to the notice. */
function lookedBackTo({ order }: SettlementEvidence, { energies, metered, span }: Findings): number {
  const earliestMs = energies.earliestMs() ?? span.fromMs;
  return metered.some(({ missing }) => missing !== undefined)
    ? Math.min(earliestMs, order.issuedAtMs)
    : earliestMs;
}

function notCalled({ terms, calls }: SettlementEvidence): Settled {
  const message = "the dispatches under the commitment asked for no whole interval of it";
  return {
    ...{ called: false, method: terms.baselineMethod, days: [], intervals: [], totals: totalsOf([], []) },
    completenessPpm: completenessPpm([]),
    remarks: calls.length === 0 ? [] : [{ code: "nothing-called", message }],
  };
}

function startsOf({ commitment: { fromMs, intervalMs, deltaMwh } }: SettlementEvidence): number[] {
  return deltaMwh.map((_, at) => fromMs + at * intervalMs);
}

function calledSpan(evidence: SettlementEvidence, called: Called): Span | undefined {
  const { intervalMs } = evidence.commitment;
  const starts = startsOf(evidence).filter((startMs) => called.covers(startMs, startMs + intervalMs));
  const [first, last] = [starts[0], starts.at(-1)];
  return first === undefined || last === undefined ? undefined : { fromMs: first, toMs: last + intervalMs };
}

function meteredIntervals(
  evidence: SettlementEvidence,
  called: Called,
  { energyAt }: AskedEnergies,
): MeteredInterval[] {
  const { intervalMs, deltaMwh } = evidence.commitment;
  const gapAt = gapsOf(evidence);
  return startsOf(evidence).map((startMs, at) => {
    const actualMwh = energyAt(startMs);
    return {
      startMs,
      called: called.covers(startMs, startMs + intervalMs),
      committedMwh: Math.abs(deltaMwh[at] ?? 0),
      ...(actualMwh === undefined ? { missing: gapAt(startMs) } : { actualMwh }),
    };
  });
}

function withBaseline(
  metered: readonly MeteredInterval[],
  baseline: SettledBaseline | NoBaseline,
): readonly MeteredInterval[] {
  if ("refusal" in baseline) return metered;
  return metered.map((each, at) => ({ ...each, baselineMwh: baseline.baselineMwh[at] ?? 0 }));
}

/**
 * The device's own account of a settlement. A list with a hole in it is left out, as are days when they are more than a leaf
 * holds: who verifies computes them anyway. Throws Problem `settlement-not-called`.
 */
export function settlementBody(
  { result, method, days, intervals, totals, completenessPpm: ppm }: Settled,
  { channel, commitmentSeq }: { readonly channel: number; readonly commitmentSeq: number },
): SettlementBody {
  if (result === undefined)
    throw new Problem("settlement-not-called", "nothing was called, and nothing is settled", {
      where: `commitment ${commitmentSeq}`,
    });
  const excluded = days.flatMap(({ excludedDays }) => excludedDays);
  const energies = (name: "baselineMwh" | "actualMwh" | "deliveredMwh"): Partial<SettlementBody> =>
    list(name, energiesNamed(intervals, name));
  return {
    ...{ kind: "settlement", channel, commitmentSeq, baselineMethod: method },
    ...list(
      "usedDays",
      days.flatMap(({ usedDays }) => usedDays),
    ),
    ...list(
      "excludedDays",
      excluded.map(({ day }) => day),
    ),
    ...list(
      "exclusionReasons",
      excluded.map(({ reason }) => EXCLUSION[reason]),
    ),
    ...{ ...energies("baselineMwh"), ...energies("actualMwh"), ...energies("deliveredMwh") },
    shortfallMwh: totals.shortfallMwh,
    ...(days.length === 0 ? {} : { reboundMwh: totals.reboundMwh }),
    ...{ completenessPpm: ppm, result },
  };
}

function energiesNamed(
  intervals: readonly SettledInterval[],
  name: "baselineMwh" | "actualMwh" | "deliveredMwh",
): readonly number[] {
  const energies = intervals.flatMap(({ [name]: energyMwh }) => (energyMwh === undefined ? [] : [energyMwh]));
  return energies.length === intervals.length ? energies : [];
}

function list<N extends keyof SettlementBody>(
  name: N,
  values: readonly number[],
): Partial<Record<N, readonly number[]>> {
  // The record has this one property or none.
  return (values.length === 0 || values.length > MOST_DAYS ? {} : { [name]: values }) as Partial<
    Record<N, readonly number[]>
  >;
}
