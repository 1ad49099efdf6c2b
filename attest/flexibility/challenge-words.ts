import { isoTime } from "../iso-time.ts";
import type { ChallengeAnswer, ChallengeCode, ChallengeVerdict, SeriesFigures } from "./challenge.ts";
import type { Agreement, Consistency } from "./challenge-consistency.ts";
import type { Share } from "./statistic.ts";

/** What each code says, as the end of a sentence. */
export const CHALLENGE_WORDS: Readonly<Record<ChallengeCode, string>> = {
  "challenge-few-steps": "a pattern of fewer than 14 steps can be met by chance too often",
  "challenge-not-started": "the device never said that it began",
  "challenge-started-late": "it began after the time by which it had to",
  "challenge-answer-late": "no trusted receipt lies within 15 minutes of the end",
  "challenge-device-incomplete": "a step has fewer than two readings of the device in its last half",
  "challenge-device-no-response": "what the device did could be chance",
  "challenge-device-reversed": "the device does the opposite: its sign is turned",
  "challenge-device-gain-low": "the device moves less than it was told to",
  "challenge-device-gain-high": "the device moves more than it was told to",
  "challenge-device-slow": "the device takes half a step or longer",
  "challenge-registers-contradict": "the device's energy registers do not count what its power says",
  "challenge-charge-contradict": "the state of charge does not move as the energy says",
  "challenge-site-incomplete": "a step has fewer than two readings of the site's meter in its last half",
  "challenge-site-no-response": "what the site's meter shows could be chance",
  "challenge-site-reversed": "the site's meter shows the opposite: its sign is turned",
  "challenge-site-less": "the site moves by less than three quarters of what the device says",
  "challenge-site-more": "the site moves by more than five quarters of what the device says",
};

const AGREEMENT: Readonly<Record<Agreement, string>> = {
  agree: "agree",
  contradict: "contradict each other",
  absent: "not there to be compared",
};

/** The verdict in plain words, one sentence a line. */
export function challengeWords(verdict: ChallengeVerdict): string[] {
  const { pattern, codes, device, site, consistency, lagMs } = verdict;
  return [
    `challenge ${pattern.length} steps: ${pattern.map((sign) => (sign === 1 ? "+" : "-")).join("")}`,
    ...codes.map((code) => `          not judged: ${CHALLENGE_WORDS[code]} (${code})`),
    ...answerLines("is it listening?", verdict.listening),
    ...answerLines("can it flex?", verdict.flexible),
    ...answerLines("is it behind this meter?", verdict.behindMeter),
    ...(device === undefined ? [] : seriesLines("device", device)),
    ...(lagMs === undefined
      ? []
      : [`          half-way after ${seconds(lagMs.fromMs)} to ${seconds(lagMs.toMs)} s`]),
    ...(consistency === undefined ? [] : consistencyLines(consistency)),
    ...(site === undefined ? [] : seriesLines("site", site)),
    ...comparisonLines(verdict),
    ...receiptLines(verdict),
    "",
    "Not proven by this:",
    "  - that the meters are real: who holds the key of the device and makes up the site's readings too, with a house that moves, passes",
    "  - that it is this device that moved, and not another one behind the same meter",
    "  - for how long it could keep it up: a challenge moves little energy",
  ];
}

function answerLines(question: string, { answer, codes }: ChallengeAnswer): string[] {
  return [
    `${question.padEnd(25)} ${answer}`,
    ...codes.map((code) => `          because ${CHALLENGE_WORDS[code]} (${code})`),
  ];
}

function seriesLines(name: string, { samples, response }: SeriesFigures): string[] {
  if (response === undefined) return [`${name.padEnd(10)}${samples} readings, not one step after another`];
  const { p, gainPpm } = response;
  return [
    `${name.padEnd(10)}${samples} readings; moves ${percent(gainPpm)} of what was asked; ${shareWords(p)} patterns fit as well`,
  ];
}

function comparisonLines({ lessP, moreP }: ChallengeVerdict): string[] {
  if (lessP === undefined || moreP === undefined) return [];
  return [
    `          against 3/4 of the device: ${shareWords(lessP)} patterns put it as low`,
    `          against 5/4 of the device: ${shareWords(moreP)} patterns put it as high`,
  ];
}

function consistencyLines({ registers, charge }: Consistency): string[] {
  return [
    `          power and energy registers: ${AGREEMENT[registers]}`,
    `          energy and state of charge: ${AGREEMENT[charge]}`,
  ];
}

function receiptLines({ receivedAtMs }: ChallengeVerdict): string[] {
  if (receivedAtMs === undefined)
    return ["receipt   none that is trusted: the device's own clock says when it answered"];
  return [`receipt   all of it was there by ${isoTime(receivedAtMs)}, by the node's clock`];
}

function shareWords({ count, of }: Share): string {
  return `${count} of ${of}`;
}

function percent(ppm: number): string {
  return `${(ppm / 10_000).toFixed(1)} %`;
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}
