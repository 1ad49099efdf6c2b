import type { ChallengeVerdict } from "../../attest/flexibility/challenge.ts";
import type { SettlementVerdict } from "../../attest/flexibility/verdict.ts";

/** A settlement as it is kept and answered. */
export interface SettlementAnswer {
  /** Name of the result, "notCalled" where nothing was asked for, "refused" where no settlement can be computed. */
  readonly result: string;
  /** Whether it holds against the counterparty. */
  readonly counts: boolean;
  /** Over the intervals that were called; mWh. */
  readonly totals?: SettlementVerdict["settled"]["totals"];
  readonly completenessPpm?: number;
  /** All of it, as `kilowitness verify --json` prints it. */
  readonly verdict?: SettlementVerdict;
  /** Why nothing can be computed. */
  readonly code?: string;
  readonly message?: string;
}

/** @param verdict or why there is none */
export function settlementAnswer(
  verdict: SettlementVerdict | { readonly refused: { readonly code: string; readonly message: string } },
): SettlementAnswer {
  if ("refused" in verdict) return { result: "refused", counts: false, ...verdict.refused };
  const { settled, counts } = verdict;
  const { called, result = "unknown", totals, completenessPpm } = settled;
  return { result: called ? result : "notCalled", counts, totals, completenessPpm, verdict };
}

/** A verdict on a challenge as it is kept and answered. */
export interface ChallengeResult {
  /** The device listens and can flex, and is behind the meter where that was asked. */
  readonly passed: boolean;
  readonly verdict: object;
}

export function challengeAnswer(verdict: ChallengeVerdict): ChallengeResult {
  const { listening, flexible, behindMeter } = verdict;
  const isBehind = behindMeter.answer === "yes" || behindMeter.answer === "not asked";
  const passed = listening.answer === "yes" && flexible.answer === "yes" && isBehind;
  return { passed, verdict: plainVerdict(verdict) };
}

/** JSON has no undefined in lists: a step without enough readings is null. */
function plainVerdict(verdict: ChallengeVerdict): object {
  const { device, site } = verdict;
  return {
    ...verdict,
    ...(device === undefined ? {} : { device: { ...device, meansMw: device.meansMw.map(orNull) } }),
    ...(site === undefined ? {} : { site: { ...site, meansMw: site.meansMw.map(orNull) } }),
  };
}

function orNull(value: number | undefined): number | null {
  return value ?? null;
}
