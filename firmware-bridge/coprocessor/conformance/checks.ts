import { describeProblem, Problem } from "../../../attest/problem.ts";
import { type Checklist, type Fault, Skipped } from "../../../drivers/kit/checklist.ts";
import { RefusalProblem } from "../../smp/problems.ts";

/** What is wrong unless `work` is refused with that code, or with one of these numbers that no group stands beside. */
export async function refusedWith(
  code: string,
  work: () => Promise<unknown>,
  plain: readonly number[] = [],
): Promise<Fault> {
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

/** Says of the checks below a wrong one that they were not made. */
export async function notTried(list: Checklist, what: string, first: string): Promise<void> {
  await list.run(what, () => {
    throw new Skipped(`not tried: ${first} comes first`);
  });
}
