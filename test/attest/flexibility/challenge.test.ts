import { describe, expect, it } from "vitest";
import {
  ANSWER_WITHIN_MS,
  type ChallengeCode,
  type ChallengeRun,
  judgeChallenge,
} from "../../../attest/flexibility/challenge.ts";
import type { PowerSample } from "../../../attest/flexibility/challenge-series.ts";
import { CHALLENGE_WORDS, challengeWords } from "../../../attest/flexibility/challenge-words.ts";
import { nativeSuite } from "../../../attest/native.ts";
import { FACTS, madeUp, STARTED_MS } from "../../../bench/challenge-home.ts";
import { answerTo, HALF_SWING_MW, orderWith, STEP_MS } from "./challenge-kit.ts";

/** What is said of the three questions, and every code once. */
function said(run: ChallengeRun): {
  readonly answers: readonly string[];
  readonly codes: readonly ChallengeCode[];
} {
  const { codes, listening, flexible, behindMeter } = judgeChallenge(nativeSuite, run);
  const all = [listening, flexible, behindMeter];
  return {
    answers: all.map(({ answer }) => answer),
    codes: [...new Set([...codes, ...all.flatMap((each) => each.codes)])],
  };
}

function moved(samples: readonly PowerSample[], change: (powerMw: number) => number): readonly PowerSample[] {
  return samples.map((sample) => ({ ...sample, powerMw: Math.round(change(sample.powerMw)) }));
}

function withoutStep(samples: readonly PowerSample[], step: number): readonly PowerSample[] {
  return samples.filter(({ atMs }) => Math.floor((atMs - STARTED_MS) / STEP_MS) !== step);
}

const answered = answerTo(orderWith(1));
const YES = ["yes", "yes", "yes"];

describe("a challenge that is answered", () => {
  it("says yes three times, with all figures", () => {
    const verdict = judgeChallenge(nativeSuite, answered);
    expect(said(answered)).toEqual({ answers: YES, codes: [] });
    expect(verdict.device?.response).toMatchObject({ gainPpm: 1_000_000, p: { count: 1, of: 2_704_156 } });
    expect(verdict.device?.meansMw.every((mean) => Math.abs(mean ?? 0) === HALF_SWING_MW)).toBe(true);
    expect(verdict.consistency).toEqual({ registers: "absent", charge: "absent" });
  });

  it("is the same by whatever constant the house or the device differs", () => {
    const shifted = { ...answered, site: moved(answered.site, (mw) => mw + 7_000_000) };
    const { site, ...rest } = judgeChallenge(nativeSuite, shifted);
    const { site: plainSite, ...plain } = judgeChallenge(nativeSuite, answered);
    expect(rest).toEqual(plain);
    expect(site?.response).toEqual(plainSite?.response);
  });

  it("finds the delay, wherever it is below half a step", () => {
    for (const lagMs of [0, 1000, 3700, 7000, 12_300]) {
      const { lagMs: lag } = judgeChallenge(nativeSuite, answerTo(orderWith(2), { lagMs }));
      expect(lag?.fromMs).toBeLessThanOrEqual(lagMs);
      expect(lag?.toMs).toBeGreaterThanOrEqual(lagMs);
      // Steps are no multiple of the sampling, so that samples meet them everywhere, a second apart.
      expect((lag?.toMs ?? 0) - (lag?.fromMs ?? 0)).toBeLessThan(1000);
    }
  });

  it("needs no site meter where the order names none", () => {
    const { siteChannel, ...order } = orderWith(1);
    expect(siteChannel).toBe(1);
    expect(said({ ...answered, order })).toEqual({ answers: ["yes", "yes", "not asked"], codes: [] });
  });
});

describe("a challenge that is answered otherwise", () => {
  it("tells a device that does half of it from one that does all, at its meter all the same", () => {
    const half = answerTo(orderWith(3), { gain: 0.55 });
    expect(said(half)).toEqual({ answers: ["yes", "no", "yes"], codes: ["challenge-device-gain-low"] });
    const twice = answerTo(orderWith(3), { gain: 2 });
    expect(said(twice).codes).toContain("challenge-device-gain-high");
    const little = answerTo(orderWith(3), { gain: 0.05 });
    expect(said(little).answers.slice(0, 2)).toEqual(["no", "no"]);
  });

  it("tells a turned sign", () => {
    const device = moved(answered.device, (mw) => -mw);
    expect(said({ ...answered, device }).codes).toEqual(["challenge-device-reversed", "challenge-site-more"]);
    const site = moved(answered.site, (mw) => -mw);
    expect(said({ ...answered, site })).toEqual({
      answers: ["yes", "yes", "no"],
      codes: ["challenge-site-reversed"],
    });
  });

  it("tells a site that moves by less or by more than the device", () => {
    const other = (factor: number): readonly PowerSample[] =>
      answered.site.map((sample, at) => ({
        ...sample,
        powerMw: sample.powerMw + Math.round((factor - 1) * (answered.device[at]?.powerMw ?? 0)),
      }));
    expect(said({ ...answered, site: other(0.5) }).codes).toEqual(["challenge-site-less"]);
    expect(said({ ...answered, site: other(1.6) }).codes).toEqual(["challenge-site-more"]);
    for (const factor of [0.8, 0.9, 1.1, 1.2])
      expect(said({ ...answered, site: other(factor) })).toEqual({ answers: YES, codes: [] });
  });

  it("tells a device that comes too late from one that comes", () => {
    const late = answerTo(orderWith(4), { lagMs: 17_000 });
    expect(said(late).codes).toContain("challenge-device-slow");
    expect(said(late).answers[1]).toBe("no");
  });
});

describe("a challenge that cannot be judged", () => {
  it("names the side whose step is missing", () => {
    expect(said({ ...answered, device: withoutStep(answered.device, 0) })).toEqual({
      answers: ["unknown", "unknown", "unknown"],
      codes: ["challenge-device-incomplete"],
    });
    expect(said({ ...answered, site: withoutStep(answered.site, 23) })).toEqual({
      answers: ["yes", "yes", "unknown"],
      codes: ["challenge-site-incomplete"],
    });
    expect(said({ ...answered, device: [], site: [] }).codes).toEqual([
      "challenge-device-incomplete",
      "challenge-site-incomplete",
    ]);
  });

  it("wants two readings in the settled half of every step, and no more", () => {
    const settled = answered.device.filter(({ atMs }) => 2 * ((atMs - STARTED_MS) % STEP_MS) >= STEP_MS);
    expect(said({ ...answered, device: settled }).answers).toEqual(YES);
    const inFirst = settled.filter(({ atMs }) => atMs - STARTED_MS < STEP_MS).length;
    expect(inFirst).toBeGreaterThan(2);
    expect(said({ ...answered, device: settled.slice(inFirst - 2) }).answers).toEqual(YES);
    expect(said({ ...answered, device: settled.slice(inFirst - 1) }).codes).toEqual([
      "challenge-device-incomplete",
    ]);
  });

  it("takes nothing from before, from behind, out of order or beyond belief", () => {
    const wild = (atMs: number, powerMw = 9e11): PowerSample => ({ atMs, powerMw });
    const device = [
      wild(STARTED_MS - 1),
      ...answered.device.slice(0, 40),
      wild(STARTED_MS + 20_000),
      wild((answered.device[39]?.atMs ?? 0) + 1, 2e12),
      ...answered.device.slice(40),
      wild(STARTED_MS + 24 * STEP_MS),
    ];
    expect(judgeChallenge(nativeSuite, { ...answered, device })).toEqual(
      judgeChallenge(nativeSuite, answered),
    );
  });

  it("refuses patterns that chance meets, one that never began, and a late one", () => {
    const few = answerTo(orderWith(5, { steps: 12 }));
    expect(said(few)).toEqual({
      answers: ["unknown", "unknown", "unknown"],
      codes: ["challenge-few-steps"],
    });
    expect(said(answerTo(orderWith(5, { steps: 14 }), { noiseMw: 0 })).answers).toEqual(YES);
    const { startedMs, ...never } = answered;
    expect(said(never).codes).toEqual(["challenge-not-started"]);
    const order = { ...answered.order, startByMs: startedMs - 1 };
    expect(said({ ...answered, order }).codes).toEqual(["challenge-started-late"]);
  });

  it("wants a receipt within a quarter of an hour, where it is given one", () => {
    const endMs = STARTED_MS + 24 * STEP_MS;
    const at = (receivedAtMs: number): readonly ChallengeCode[] => said({ ...answered, receivedAtMs }).codes;
    expect(at(endMs + ANSWER_WITHIN_MS)).toEqual([]);
    expect(at(endMs + ANSWER_WITHIN_MS + 1)).toEqual(["challenge-answer-late"]);
  });
});

describe("what a device says of itself at the same time", () => {
  const fake = madeUp(answered.order, 5000);
  const run = { ...answered, device: fake, facts: FACTS };

  it("agrees where registers and state of charge follow from the power", () => {
    const { consistency } = judgeChallenge(nativeSuite, run);
    expect(consistency).toMatchObject({ registers: "agree", charge: "agree" });
  });

  it("contradicts itself where registers stand still, run back, or count double", () => {
    const [first] = fake;
    const { importMwh = 0, exportMwh = 0 } = first ?? {};
    const registers: readonly ((sample: PowerSample) => Partial<PowerSample>)[] = [
      () => ({ importMwh, exportMwh }),
      (sample) => ({ importMwh: 1_000_000_000 - (sample.importMwh ?? 0) }),
      (sample) => ({ exportMwh: 2 * (sample.exportMwh ?? 0) }),
    ];
    for (const change of registers) {
      const device = fake.map((sample) => ({ ...sample, ...change(sample) }));
      expect(said({ ...run, device })).toEqual({
        answers: ["no", "no", "yes"],
        codes: ["challenge-registers-contradict"],
      });
    }
  });

  it("contradicts itself where the state of charge runs away, and not by what it loses", () => {
    const drifting = (ppm: number): readonly PowerSample[] =>
      fake.map((sample, at) => ({
        ...sample,
        stateOfChargePpm: (sample.stateOfChargePpm ?? 0) + Math.round((at * ppm) / (fake.length - 1)),
      }));
    expect(said({ ...run, device: drifting(-40_000) }).codes).toEqual(["challenge-charge-contradict"]);
    expect(said({ ...run, device: drifting(-10_000) }).codes).toEqual([]);
    const { capacityMwh, ...facts } = FACTS;
    expect(capacityMwh).toBe(10_000_000);
    expect(said({ ...run, facts, device: drifting(-40_000) }).codes).toEqual([]);
  });
});

describe("the words of a challenge", () => {
  it("give the pattern, the answers and what is not proven", () => {
    const words = challengeWords(judgeChallenge(nativeSuite, answered));
    expect(words[0]).toMatch(/^challenge 24 steps: [+-]{24}$/);
    expect(words.slice(1, 4)).toEqual([
      "is it listening?          yes",
      "can it flex?              yes",
      "is it behind this meter?  yes",
    ]);
    expect(words.join("\n")).toContain("who holds the key of the device");
  });

  it("say every code that there is", () => {
    const { startedMs, ...never } = answerTo(orderWith(5, { steps: 12 }));
    expect(startedMs).toBe(STARTED_MS);
    const text = challengeWords(judgeChallenge(nativeSuite, never)).join("\n");
    for (const code of ["challenge-few-steps", "challenge-not-started"] as const)
      expect(text).toContain(`not judged: ${CHALLENGE_WORDS[code]} (${code})`);
    const low = challengeWords(judgeChallenge(nativeSuite, answerTo(orderWith(3), { gain: 0.55 })));
    expect(low).toContain(
      "          because the device moves less than it was told to (challenge-device-gain-low)",
    );
  });
});
