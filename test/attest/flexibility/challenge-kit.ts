import type { ChallengeRun } from "../../../attest/flexibility/challenge.ts";
import type { PowerSample } from "../../../attest/flexibility/challenge-series.ts";
import type { ChallengeOrder } from "../../../attest/flexibility/orders.ts";
import { challengeSteps, type Sign } from "../../../attest/flexibility/pattern.ts";
import { nativeSuite } from "../../../attest/native.ts";
import { nonceOf, randomOf } from "../../../bench/challenge-cases.ts";
import { orderOf, STARTED_MS } from "../../../bench/challenge-home.ts";

export const STEP_MS = 31_000;
export const HALF_SWING_MW = 1_500_000;

export function orderWith(seed: number, change: Partial<ChallengeOrder> = {}): ChallengeOrder {
  const shape = { steps: 24, stepMs: STEP_MS, halfSwingMw: HALF_SWING_MW };
  return { ...orderOf(nonceOf(seed, 0), shape), ...change };
}

/** Both channels read every 5 s, the device to the letter after a delay, the house with noise of its own. */
export function answerTo(
  order: ChallengeOrder,
  {
    lagMs = 0,
    noiseMw = 200_000,
    gain = 1,
  }: { readonly lagMs?: number; readonly noiseMw?: number; readonly gain?: number } = {},
): ChallengeRun & { readonly startedMs: number; readonly site: readonly PowerSample[] } {
  const powers = challengeSteps(nativeSuite, order);
  const random = randomOf(order.steps);
  const device: PowerSample[] = [];
  for (let sinceMs = 700; sinceMs < order.steps * order.stepMs; sinceMs += 5000) {
    const powerMw = Math.round(gain * (powers[Math.floor((sinceMs - lagMs) / order.stepMs)] ?? 0));
    device.push({ atMs: STARTED_MS + sinceMs, powerMw });
  }
  const site = device.map(({ atMs, powerMw }) => ({
    atMs: atMs + 1300,
    powerMw: powerMw + 400_000 + Math.round(noiseMw * random()),
  }));
  return { order, startedMs: STARTED_MS, device, site: site.slice(0, -1) };
}

/** Every balanced pattern, one after another, found by counting through all numbers of so many bits. */
export function allPatterns(steps: number): readonly (readonly Sign[])[] {
  const patterns: (readonly Sign[])[] = [];
  for (let bits = 0; bits < 2 ** steps; bits++) {
    const signs = Array.from({ length: steps }, (_, at): Sign => (((bits >> at) & 1) === 1 ? 1 : -1));
    if (signs.filter((sign) => sign === 1).length * 2 === steps) patterns.push(signs);
  }
  return patterns;
}

export function signText(signs: readonly Sign[]): string {
  return signs.map((sign) => (sign === 1 ? "+" : "-")).join("");
}
