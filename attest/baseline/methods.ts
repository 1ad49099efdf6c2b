import { Problem } from "../problem.ts";

/**
 * Baseline methods: our own definitions, named and versioned. A name's meaning never changes; what would change it is a
 * new version. See docs/flexibility.md.
 */

export type MethodName =
  | "nom/1"
  | "h10/1"
  | "h10-sda20/1"
  | "h5of10-sda20/1"
  | "h4of5-saa/1"
  | "mid8of10/1"
  | "before-after/1";

/** Which of the candidate days count, by their energy in the event's hours; of two equal ones the later ranks higher. */
export type Choice =
  | { readonly rank: "nearest" }
  | { readonly rank: "highest"; readonly days: number }
  | { readonly rank: "middle"; readonly droppedEachSide: number };

/** How the event's own day moves the baseline: by the ratio to it, or by the mean difference, before the start. */
export interface AdjustmentRule {
  readonly kind: "ratio" | "shift";
  readonly lengthMs: number;
  /** From the window's end to the event's start, at least. */
  readonly gapMs: number;
}

export interface HistoryMethod {
  readonly kind: "history";
  readonly weekdayCandidates: number;
  /** For Saturdays, Sundays and holidays. */
  readonly otherCandidates: number;
  readonly nearestDaysBack: number;
  readonly lookBackDays: number;
  readonly choice: Choice;
  readonly adjustment?: AdjustmentRule;
}

/** The profile that was nominated a day ahead. */
export interface NominatedMethod {
  readonly kind: "nominated";
}

/** The mean before the event. Telemetry: it pays for what any change of load does by itself, and settles nothing. */
export interface TelemetryMethod {
  readonly kind: "telemetry";
  readonly lengthMs: number;
}

export type Method = HistoryMethod | NominatedMethod | TelemetryMethod;

const HOUR_MS = 3_600_000;

const LAST_TEN: HistoryMethod = {
  kind: "history",
  weekdayCandidates: 10,
  otherCandidates: 4,
  nearestDaysBack: 1,
  lookBackDays: 45,
  choice: { rank: "nearest" },
};

/** The days that any method's past error and a nomination's percentiles are taken from: those of `h10/1`. */
export const PAST_DAYS: HistoryMethod = LAST_TEN;

const METHODS: Readonly<Record<MethodName, Method>> = {
  "nom/1": { kind: "nominated" },
  "h10/1": LAST_TEN,
  "h10-sda20/1": {
    ...LAST_TEN,
    adjustment: { kind: "ratio", lengthMs: 3 * HOUR_MS, gapMs: HOUR_MS },
  },
  "h5of10-sda20/1": {
    ...LAST_TEN,
    nearestDaysBack: 2,
    choice: { rank: "highest", days: 5 },
    adjustment: { kind: "ratio", lengthMs: 2 * HOUR_MS, gapMs: 2 * HOUR_MS },
  },
  "h4of5-saa/1": {
    ...LAST_TEN,
    ...{ weekdayCandidates: 5, otherCandidates: 5 },
    choice: { rank: "highest", days: 4 },
    adjustment: { kind: "shift", lengthMs: 3 * HOUR_MS, gapMs: HOUR_MS },
  },
  "mid8of10/1": {
    ...LAST_TEN,
    ...{ otherCandidates: 10, lookBackDays: 60 },
    choice: { rank: "middle", droppedEachSide: 1 },
  },
  "before-after/1": { kind: "telemetry", lengthMs: HOUR_MS },
};

export const METHOD_NAMES: readonly string[] = Object.keys(METHODS);

/** Throws Problem `baseline-method` for a name that is not known. */
export function methodNamed(name: string): Method {
  const found = Object.entries(METHODS).find(([known]) => known === name);
  if (found !== undefined) return found[1];
  throw new Problem("baseline-method", "no such baseline method", {
    expected: METHOD_NAMES.join(", "),
    got: JSON.stringify(name),
  });
}
