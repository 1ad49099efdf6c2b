import type { EnergyCount } from "./energy.ts";
import type { Findings } from "./witness.ts";

/** How one fault is run. */
export interface FaultRun {
  readonly cycles: number;
  readonly seed: number;
  /** An empty folder that is gone afterwards. */
  readonly folder: string;
  /** Told after each cycle how far it is. */
  readonly said: (cycles: number, findings: Findings) => void;
}

/** A fault that can be run by its name. */
export interface Fault {
  readonly name: string;
  /** Cycles unless the command line says otherwise. */
  readonly cycles: number;
  /** What is done in one cycle, for the help. */
  readonly does: string;
  run(run: FaultRun): Promise<FaultOutcome>;
}

/** What came of it. */
export interface FaultOutcome {
  readonly cycles: number;
  /** Leaves that a receipt covers. */
  readonly acknowledged: number;
  readonly lost: number;
  readonly forks: number;
  /** Gaps that the log states; energy in them is in no claim. */
  readonly gaps: number;
  readonly fsckRuns: number;
  readonly unsound: number;
  readonly figures?: Readonly<Record<string, number | string>>;
  /** Whatever else is not as it has to be. */
  readonly problems: readonly string[];
  /** Parts that this machine cannot run, and why. */
  readonly notRun?: readonly string[];
}

/** The outcome of a witness and a count. */
export function outcomeOf(
  cycles: number,
  findings: Findings,
  count: EnergyCount,
  figures: Readonly<Record<string, number | string>> = {},
): FaultOutcome {
  const { acknowledged, lost, forks, fsckRuns, unsound, problems } = findings;
  return {
    ...{ cycles, acknowledged, lost, forks, gaps: count.gaps, fsckRuns, unsound },
    figures: {
      ...{ readings: count.readings, closes: count.closes },
      provenWh: Math.floor((count.provenMwh.import + count.provenMwh.export) / 1000),
      shownWh: Math.floor((count.shownMwh.import + count.shownMwh.export) / 1000),
      ...figures,
    },
    problems: [...problems, ...count.problems],
  };
}

/** Whether every bar is met: nothing lost, no fork, every file sound, nothing else wrong. Gaps are no fault where stated. */
export function isMet({ lost, forks, unsound, problems }: FaultOutcome): boolean {
  return lost === 0 && forks === 0 && unsound === 0 && problems.length === 0;
}

/** One line for people, and one more for each problem. */
export function outcomeWords(name: string, outcome: FaultOutcome, seconds: number): readonly string[] {
  const { cycles, acknowledged, lost, forks, gaps, fsckRuns, unsound, figures = {} } = outcome;
  const facts = { cycles, acknowledged, lost, forks, gaps, ...figures };
  const counted = Object.entries(facts).map(([key, value]) => `${key} ${value}`);
  const verdict = isMet(outcome) ? "ok" : "MISSED";
  return [
    `${name}: ${verdict}: ${counted.join(", ")}, fsck ${fsckRuns - unsound} of ${fsckRuns} sound, ${seconds.toFixed(0)} s`,
    ...(outcome.notRun ?? []).map((why) => `  not run: ${why}`),
    ...outcome.problems.map((problem) => `  ${problem}`),
  ];
}
