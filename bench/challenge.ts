import { RECOMMENDED } from "../attest/flexibility/challenge.ts";
import { patternCount } from "../attest/flexibility/pattern.ts";
import { isBeyondChance, patternsOf, sumAbove } from "../attest/flexibility/statistic.ts";
import { CASES, DEVICES, type Setting, type Trial, trialOf } from "./challenge-cases.ts";
import { confidence } from "./challenge-confidence.ts";
import type { Flags } from "./flags.ts";
import { figure, type Result } from "./measure.ts";

/** What is recommended. */
export const DEFAULT: Setting = { ...RECOMMENDED, halfSwingMw: 1_500_000, samplingMs: 5000 };
/** What else was considered, for what a home's own noise leaves of it. */
const OTHERS: readonly Setting[] = [
  { ...DEFAULT, halfSwingMw: 1_000_000 },
  { ...DEFAULT, halfSwingMw: 500_000 },
  { ...DEFAULT, stepMs: 21_000 },
  { ...DEFAULT, steps: 20 },
  { ...DEFAULT, steps: 16 },
];
const TRIALS = { short: 100, long: 2000 };
const OTHER_TRIALS = { short: 20, long: 300 };
const ANSWERS = ["listening", "flexible", "behindMeter"] as const;

/**
 * How often challenges are passed and failed, on simulated homes: `value` of `baseline`, with the rate as `ratio`. `--long`
 * takes thousands of them, and other settings.
 */
export async function challengeBench({ long }: Flags): Promise<readonly Result[]> {
  const size = long ? "long" : "short";
  const main = trialsOf(DEFAULT, TRIALS[size]);
  const others = OTHERS.flatMap((setting) => {
    const trials = trialsOf(setting, OTHER_TRIALS[size]).filter(({ device }) => device !== "held back");
    return realFigures(settingName(setting), trials);
  });
  return [...caseFigures(main), ...deviceFigures(main), ...others];
}

function trialsOf(setting: Setting, count: number): readonly Trial[] {
  return Array.from({ length: count }, (_, seed) => trialOf(seed, setting));
}

function settingName({ steps, stepMs, halfSwingMw }: Setting): string {
  return `${steps} x ${stepMs / 1000} s, +-${halfSwingMw / 1e6} kW`;
}

/** Each case but the real ones, which differ by what the device can. */
function caseFigures(trials: readonly Trial[]): readonly Result[] {
  return CASES.filter((name) => name !== "real").flatMap((name) =>
    rates(
      name,
      trials.map(({ verdicts }) => verdicts[name]),
    ),
  );
}

function deviceFigures(trials: readonly Trial[]): readonly Result[] {
  return DEVICES.flatMap((device) =>
    realFigures(
      `real, ${device}`,
      trials.filter((trial) => trial.device === device),
    ),
  );
}

/** Also how often the signed sum of the means alone, without their rises, would have shown the site's answer. */
function realFigures(name: string, trials: readonly Trial[]): readonly Result[] {
  const verdicts = trials.map(({ verdicts: { real } }) => real);
  const plain = verdicts.filter(({ site, pattern }) => {
    const means = site?.meansMw.filter((mean) => mean !== undefined) ?? [];
    if (means.length !== pattern.length) return false;
    const least = sumAbove(means, pattern);
    return isBeyondChance({ count: patternsOf(means).atLeast(() => least), of: patternCount(means.length) });
  }).length;
  return [...rates(name, verdicts), ...rate(`${name}: site by plain sums`, plain, verdicts.length)];
}

function rates(name: string, verdicts: readonly Trial["verdicts"]["real"][]): readonly Result[] {
  const all = verdicts.filter((verdict) => ANSWERS.every((question) => verdict[question].answer === "yes"));
  return [
    ...ANSWERS.flatMap((question) => {
      const yes = verdicts.filter((verdict) => verdict[question].answer === "yes");
      return rate(`${name}: ${question}`, yes.length, verdicts.length);
    }),
    ...rate(`${name}: passed`, all.length, verdicts.length),
  ];
}

function rate(name: string, count: number, of: number): readonly Result[] {
  const { low, high } = confidence(count, of);
  return [
    figure("challenge", { name, unit: "challenges" }, [count, of]),
    figure("challenge", { name: `${name}, 95 % from`, unit: "ppm" }, [Math.floor(low * 1e6)]),
    figure("challenge", { name: `${name}, 95 % to`, unit: "ppm" }, [Math.ceil(high * 1e6)]),
  ];
}
