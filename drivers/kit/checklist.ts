import { describeProblem } from "../../attest/problem.ts";

/** One named check. `detail` says what is wrong, or why it was skipped. */
export interface CheckResult {
  readonly name: string;
  readonly outcome: "passed" | "failed" | "skipped";
  readonly detail?: string;
}

/** What is wrong in words, or undefined. */
export type Fault = string | undefined;

/** A reason not to run a check, which is no fault. */
export class Skipped extends Error {}

/** Runs named checks one after another; whatever one throws is its own failure. */
export class Checklist {
  readonly results: CheckResult[] = [];
  readonly #told: (result: CheckResult) => void;

  /** @param told each result as soon as it is there */
  constructor(told: (result: CheckResult) => void = () => undefined) {
    this.#told = told;
  }

  /** Whether it passed. */
  async run(name: string, check: () => Promise<Fault> | Fault): Promise<boolean> {
    const result = await outcomeOf(name, check);
    this.results.push(result);
    this.#told(result);
    return result.outcome === "passed";
  }
}

async function outcomeOf(name: string, check: () => Promise<Fault> | Fault): Promise<CheckResult> {
  try {
    const detail = await check();
    return detail === undefined ? { name, outcome: "passed" } : { name, outcome: "failed", detail };
  } catch (error) {
    const detail = describeProblem(error).message;
    return { name, outcome: error instanceof Skipped ? "skipped" : "failed", detail };
  }
}
