import type { Suite } from "../suite.ts";
import { type Consistency, consistencyOf, type DeviceFacts } from "./challenge-consistency.ts";
import { type Lag, lagOf, type PowerSample, samplesWithin, settledMeans } from "./challenge-series.ts";
import { type ChallengeOrder, LEAST_STEPS } from "./orders.ts";
import { challengePattern, type Sign } from "./pattern.ts";
import { isBeyondChance, type Response, responseOf, type Share } from "./statistic.ts";

/**
 * What a challenge is best sent with, a little over 12 minutes: docs/flexibility.md, "Challenges". Steps that are no multiple of
 * the usual sampling times, so that the readings meet every part of a step.
 */
export const RECOMMENDED: Pick<ChallengeOrder, "steps" | "stepMs"> = { steps: 24, stepMs: 31_000 };
/** Fewer steps have too few patterns: 12 have 924, and 14 have 3432. */
/** Below this a device may move with the pattern, but is not following it. */
export const LEAST_LISTENING_PPM = 100_000;
/** A device that can flex does what it is told, give or take a fifth. */
export const LEAST_FLEXING_PPM = 800_000;
export const MOST_FLEXING_PPM = 1_200_000;
/** A trusted receipt later than this after the last step shows nothing of when the answer was written. */
export const ANSWER_WITHIN_MS = 900_000;

/** Why an answer is not yes; docs/flexibility.md, "Challenges", has each. */
export type ChallengeCode =
  | "challenge-few-steps"
  | "challenge-not-started"
  | "challenge-started-late"
  | "challenge-answer-late"
  | "challenge-device-incomplete"
  | "challenge-device-no-response"
  | "challenge-device-reversed"
  | "challenge-device-gain-low"
  | "challenge-device-gain-high"
  | "challenge-device-slow"
  | "challenge-registers-contradict"
  | "challenge-charge-contradict"
  | "challenge-site-incomplete"
  | "challenge-site-no-response"
  | "challenge-site-reversed"
  | "challenge-site-less"
  | "challenge-site-more";

/** "not asked": the order names no site meter. "unknown": nothing can be said, for or against. */
export interface ChallengeAnswer {
  readonly answer: "yes" | "no" | "unknown" | "not asked";
  readonly codes: readonly ChallengeCode[];
}

/** What the log holds of one challenge. */
export interface ChallengeRun {
  readonly order: ChallengeOrder;
  /** Time of the acknowledgement "started", by the device's clock; absent where there is none. */
  readonly startedMs?: number;
  /** The device's own channel; what lies outside of the challenge is left out. */
  readonly device: readonly PowerSample[];
  /** The site's meter, where the order names one. */
  readonly site?: readonly PowerSample[];
  readonly facts?: DeviceFacts;
  /** Earliest trusted receipt over the last of these leaves, by the node's clock. */
  readonly receivedAtMs?: number;
}

/** How a series moved with the pattern. */
export interface SeriesFigures {
  readonly samples: number;
  /** Per step, of its last half, mW; undefined where there are fewer than two samples. */
  readonly meansMw: readonly (number | undefined)[];
  /** Absent where a step is incomplete. */
  readonly response?: Response;
}

export interface ChallengeVerdict {
  /** Codes that forbid any judgement; empty where the series were looked at. */
  readonly codes: readonly ChallengeCode[];
  readonly listening: ChallengeAnswer;
  readonly flexible: ChallengeAnswer;
  readonly behindMeter: ChallengeAnswer;
  readonly pattern: readonly Sign[];
  readonly device?: SeriesFigures;
  /** From the begin of a step to half of its change, as far as the samples show it. */
  readonly lagMs?: Lag;
  readonly consistency?: Consistency;
  readonly site?: SeriesFigures;
  /** How seldom chance makes the site move so much less than 3/4, or more than 5/4, of the device. */
  readonly lessP?: Share;
  readonly moreP?: Share;
  readonly receivedAtMs?: number;
}

const UNKNOWN: ChallengeAnswer = { answer: "unknown", codes: [] };

/**
 * Judges one challenge by what its log holds: is the device listening, can it flex, is it behind this meter. Reads the order's
 * fields as they stand (`openChallenge` verifies them) and believes no total of the device's.
 * @throws Problem `challenge-nonce` or `challenge-steps` for an order that `openChallenge` would refuse
 */
export function judgeChallenge(suite: Suite, run: ChallengeRun): ChallengeVerdict {
  const pattern = challengePattern(suite, run.order.nonce, run.order.steps);
  const received = run.receivedAtMs === undefined ? {} : { receivedAtMs: run.receivedAtMs };
  const codes = refusals(run);
  if (run.startedMs === undefined || codes.length > 0) {
    const behindMeter = isSiteAsked(run) ? UNKNOWN : NOT_ASKED;
    return { codes, listening: UNKNOWN, flexible: UNKNOWN, behindMeter, pattern, ...received };
  }
  return { codes, pattern, ...received, ...judgeSeries(run, pattern, run.startedMs) };
}

const NOT_ASKED: ChallengeAnswer = { answer: "not asked", codes: [] };

function isSiteAsked({ order }: ChallengeRun): boolean {
  return order.siteChannel !== undefined;
}

function refusals({ order, startedMs, receivedAtMs }: ChallengeRun): readonly ChallengeCode[] {
  const codes: ChallengeCode[] = order.steps < LEAST_STEPS ? ["challenge-few-steps"] : [];
  if (startedMs === undefined) return [...codes, "challenge-not-started"];
  if (startedMs > order.startByMs) codes.push("challenge-started-late");
  const latestMs = startedMs + order.steps * order.stepMs + ANSWER_WITHIN_MS;
  if (receivedAtMs !== undefined && receivedAtMs > latestMs) codes.push("challenge-answer-late");
  return codes;
}

function judgeSeries(
  run: ChallengeRun,
  pattern: readonly Sign[],
  startedMs: number,
): Omit<ChallengeVerdict, "codes" | "pattern"> {
  const { order, facts = {} } = run;
  const within = samplesWithin(run.device, startedMs, order);
  const means = settledMeans(within, startedMs, order);
  const device = figuresOf(within, means, { pattern, order });
  const consistency = consistencyOf(within, facts);
  const complete = completeMeans(device);
  const lagMs =
    complete && lagOf(within, { means: complete, signs: pattern }, { startedMs, stepMs: order.stepMs });
  return {
    listening: listeningAnswer(device, consistency),
    flexible: flexibleAnswer(device, consistency, { lagMs, stepMs: order.stepMs }),
    device,
    consistency,
    ...(lagMs === undefined ? {} : { lagMs }),
    ...judgeSite(run, { pattern, startedMs, deviceMeans: complete }),
  };
}

function figuresOf(
  within: readonly PowerSample[],
  meansMw: readonly (number | undefined)[],
  { pattern, order }: { readonly pattern: readonly Sign[]; readonly order: ChallengeOrder },
): SeriesFigures {
  const complete = completeMeans({ meansMw });
  const response = complete && responseOf(complete, pattern, order.halfSwingMw);
  return { samples: within.length, meansMw, ...(response === undefined ? {} : { response }) };
}

function completeMeans({ meansMw }: Pick<SeriesFigures, "meansMw">): readonly number[] | undefined {
  const present = meansMw.filter((mean) => mean !== undefined);
  return present.length === meansMw.length ? present : undefined;
}

function contradictions({ registers, charge }: Consistency): readonly ChallengeCode[] {
  return [
    ...(registers === "contradict" ? (["challenge-registers-contradict"] as const) : []),
    ...(charge === "contradict" ? (["challenge-charge-contradict"] as const) : []),
  ];
}

function answerOf(codes: readonly ChallengeCode[]): ChallengeAnswer {
  return { answer: codes.length === 0 ? "yes" : "no", codes };
}

function listeningAnswer({ response }: SeriesFigures, consistency: Consistency): ChallengeAnswer {
  if (response === undefined) return { answer: "unknown", codes: ["challenge-device-incomplete"] };
  return answerOf([...followingCodes(response, LEAST_LISTENING_PPM), ...contradictions(consistency)]);
}

function followingCodes({ p, reversedP, gainPpm }: Response, leastPpm: number): readonly ChallengeCode[] {
  if (isBeyondChance(reversedP)) return ["challenge-device-reversed"];
  if (!isBeyondChance(p)) return ["challenge-device-no-response"];
  return gainPpm < leastPpm ? ["challenge-device-gain-low"] : [];
}

function flexibleAnswer(
  { response }: SeriesFigures,
  consistency: Consistency,
  { lagMs, stepMs }: { readonly lagMs: Lag | undefined; readonly stepMs: number },
): ChallengeAnswer {
  if (response === undefined) return { answer: "unknown", codes: ["challenge-device-incomplete"] };
  const codes = [...followingCodes(response, LEAST_FLEXING_PPM), ...contradictions(consistency)];
  if (response.gainPpm > MOST_FLEXING_PPM) codes.push("challenge-device-gain-high");
  // What is reached no earlier than the settled half begins was not settled in it.
  if (isBeyondChance(response.p) && lagMs !== undefined && 2 * lagMs.fromMs >= stepMs)
    codes.push("challenge-device-slow");
  return answerOf(codes);
}

interface SiteQuestion {
  readonly pattern: readonly Sign[];
  readonly startedMs: number;
  readonly deviceMeans: readonly number[] | undefined;
}

function judgeSite(
  run: ChallengeRun,
  question: SiteQuestion,
): Pick<ChallengeVerdict, "behindMeter" | "site" | "lessP" | "moreP"> {
  const { order, site: samples = [] } = run;
  if (!isSiteAsked(run)) return { behindMeter: NOT_ASKED };
  const within = samplesWithin(samples, question.startedMs, order);
  const means = settledMeans(within, question.startedMs, order);
  const site = figuresOf(within, means, { pattern: question.pattern, order });
  const missing: ChallengeCode[] = [
    ...(question.deviceMeans === undefined ? (["challenge-device-incomplete"] as const) : []),
    ...(site.response === undefined ? (["challenge-site-incomplete"] as const) : []),
  ];
  const siteMeans = completeMeans(site);
  if (site.response === undefined || siteMeans === undefined || question.deviceMeans === undefined)
    return { behindMeter: { answer: "unknown", codes: missing }, site };
  const against = comparison(siteMeans, question.deviceMeans, { ...question, order });
  return { behindMeter: answerOf(siteCodes(site.response, against)), site, ...against };
}

/**
 * Whether the site moves as the device does. What the site shows beside the device does not depend on the pattern. So where
 * the site had moved by at least 3/4 of the device, 4 site - 3 device would not go against the pattern but by chance; and where by
 * at most 5/4, 4 site - 5 device would not go with it. The quarters leave room for what two meters differ by.
 */
function comparison(
  site: readonly number[],
  device: readonly number[],
  { pattern, order }: Pick<SiteQuestion, "pattern"> & { readonly order: ChallengeOrder },
): { readonly lessP: Share; readonly moreP: Share } {
  const beside = (times: number): readonly number[] =>
    site.map((mean, at) => 4 * mean - times * (device[at] ?? 0));
  const response = (times: number): Response => responseOf(beside(times), pattern, 4 * order.halfSwingMw);
  return { lessP: response(3).reversedP, moreP: response(5).p };
}

function siteCodes(
  { p, reversedP }: Response,
  { lessP, moreP }: { readonly lessP: Share; readonly moreP: Share },
): readonly ChallengeCode[] {
  if (isBeyondChance(reversedP)) return ["challenge-site-reversed"];
  if (!isBeyondChance(p)) return ["challenge-site-no-response"];
  if (isBeyondChance(lessP)) return ["challenge-site-less"];
  return isBeyondChance(moreP) ? ["challenge-site-more"] : [];
}
