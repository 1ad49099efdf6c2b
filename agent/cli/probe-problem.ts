import { describeProblem, Problem } from "../../attest/problem.ts";

/** What went wrong, in one line. */
export function problemText(problem: unknown): string {
  const { code, message } = describeProblem(problem);
  return `${message} (${code})`;
}

/** What went wrong, for a program. */
export function problemJson(problem: unknown): object {
  const hint = problem instanceof Problem ? problem.detail.hint : undefined;
  return { ...describeProblem(problem), ...(hint === undefined ? {} : { hint }) };
}
