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
  readonly #over: () => string | undefined;
  #isOver = false;

  /**
   * @param told each result as soon as it is there
   * @param over why no further check can be made, in words: once one has failed of it, that is said in the place of all others
   */
  constructor(
    told: (result: CheckResult) => void = () => undefined,
    over: () => string | undefined = () => undefined,
  ) {
    this.#told = told;
    this.#over = over;
  }

  /** Whether it passed. */
  async run(name: string, check: () => Promise<Fault> | Fault): Promise<boolean> {
    if (this.#isOver) return false;
    const detail = this.#over();
    // What ended it has to fail somewhere.
    this.#isOver = detail !== undefined && this.results.at(-1)?.outcome === "failed";
    if (detail === undefined || !this.#isOver) return this.#add(await outcomeOf(name, check));
    return this.#add({ name: "everything else", outcome: "skipped", detail });
  }

  #add(result: CheckResult): boolean {
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
