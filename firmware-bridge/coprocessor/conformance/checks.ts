import { describeProblem, Problem } from "../../../attest/problem.ts";
import type { CheckResult } from "../../../drivers/kit/conformance.ts";
import { RefusalProblem } from "../../smp/problems.ts";

/** A reason not to run a check, which is no fault. */
export class Skipped extends Error {}

/** Runs named checks one after another; whatever one throws is its own failure. */
export class Checklist {
  readonly results: CheckResult[] = [];
  readonly #told: (result: CheckResult) => void;

  constructor(told: (result: CheckResult) => void = () => undefined) {
    this.#told = told;
  }

  /** Whether it passed. `check` gives what is wrong in words, or undefined. */
  async run(name: string, check: () => Promise<string | undefined> | string | undefined): Promise<boolean> {
    const result = await outcomeOf(name, check);
    this.results.push(result);
    this.#told(result);
    return result.outcome === "passed";
  }
}

async function outcomeOf(
  name: string,
  check: () => Promise<string | undefined> | string | undefined,
): Promise<CheckResult> {
  try {
    const detail = await check();
    return detail === undefined ? { name, outcome: "passed" } : { name, outcome: "failed", detail };
  } catch (error) {
    if (error instanceof Skipped) return { name, outcome: "skipped", detail: error.message };
    return { name, outcome: "failed", detail: describeProblem(error).message };
  }
}

/** What is wrong unless `work` is refused with that code, or with one of these numbers that no group stands beside. */
export async function refusedWith(
  code: string,
  work: () => Promise<unknown>,
  plain: readonly number[] = [],
): Promise<string | undefined> {
  try {
    await work();
  } catch (error) {
    if (error instanceof Problem && error.code === code) return undefined;
    if (error instanceof RefusalProblem && isPlain(error, plain)) return undefined;
    return `expected ${code}, got ${describeProblem(error).message}`;
  }
  return `expected ${code}, and it was done`;
}

function isPlain({ refusal: { group, rc } }: RefusalProblem, plain: readonly number[]): boolean {
  return group === undefined && rc !== undefined && plain.includes(rc);
}
