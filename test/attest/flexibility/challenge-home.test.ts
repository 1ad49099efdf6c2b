import { describe, expect, it } from "vitest";
import { DEFAULT } from "../../../bench/challenge.ts";
import { CASES, type Case, DEVICES, type Trial, trialOf } from "../../../bench/challenge-cases.ts";
import { confidence } from "../../../bench/challenge-confidence.ts";

/** The rounds that are judged: three of each kind of device. */
const trials: readonly Trial[] = Array.from({ length: 12 }, (_, at) => trialOf(1000 + at, DEFAULT));

function answers(name: Case, trial: Trial): readonly string[] {
  const { listening, flexible, behindMeter } = trial.verdicts[name];
  return [listening, flexible, behindMeter].map(({ answer }) => answer);
}

const EXPECTED: Readonly<Record<Exclude<Case, "real" | "elsewhere">, readonly string[]>> = {
  replay: ["no", "no", "no"],
  "made up": ["yes", "yes", "no"],
  ignores: ["no", "no", "no"],
};

describe("challenges of a simulated home", () => {
  it("has every kind of device in it", () => {
    expect(new Set(trials.map(({ device }) => device))).toEqual(new Set(DEVICES));
    expect(CASES).toHaveLength(5);
  });

  it("are passed by a device behind its meter, and but for flexing by one that is held back", () => {
    for (const trial of trials)
      expect(answers("real", trial)).toEqual(["yes", trial.device === "held back" ? "no" : "yes", "yes"]);
  });

  it("show a device that is somewhere else", () => {
    for (const trial of trials) expect(answers("elsewhere", trial)[2]).toBe("no");
  });

  it.each(["replay", "made up", "ignores"] as const)("show what %s", (name) => {
    for (const trial of trials) expect(answers(name, trial)).toEqual(EXPECTED[name]);
  });

  it("find no contradiction in what a real device says of itself, losses or not", () => {
    for (const { verdicts } of trials)
      for (const name of ["real", "ignores"] as const)
        expect(verdicts[name].consistency).toMatchObject({ registers: "agree", charge: "agree" });
  });
});

describe("the confidence of a rate", () => {
  it("is what the tables of Clopper and Pearson say", () => {
    // 0 of n: 1 - 0.025^(1/n); 1 of 10 and 5 of 10 from scipy.stats.beta.ppf.
    expect(confidence(0, 100)).toEqual({ low: 0, high: expect.closeTo(1 - 0.025 ** (1 / 100), 9) });
    expect(confidence(100, 100)).toEqual({ low: expect.closeTo(0.025 ** (1 / 100), 9), high: 1 });
    expect(confidence(1, 10)).toEqual({
      low: expect.closeTo(0.002529, 6),
      high: expect.closeTo(0.445016, 6),
    });
    expect(confidence(5, 10)).toEqual({
      low: expect.closeTo(0.187086, 6),
      high: expect.closeTo(0.812914, 6),
    });
  });
});
