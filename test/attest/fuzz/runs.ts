import fc from "fast-check";
import { expect } from "vitest";

/** How many cases of each property: KILOWITNESS_FUZZ_RUNS, for a long run; as many as the caller says without it. */
const ASKED = Number(process.env["KILOWITNESS_FUZZ_RUNS"] ?? 0);
/** Repeats a run that failed: KILOWITNESS_FUZZ_SEED, as the report of the failure names it. */
const SEED = process.env["KILOWITNESS_FUZZ_SEED"];

/** Whether this is a long run, in which sampled checks are exhaustive. */
export const isLong: boolean = ASKED > 0;
/** Nothing is said about speed; a long run takes as long as it takes. */
export const PATIENCE_MS: number = isLong ? 6 * 3_600_000 : 60_000;

/** Integers that say which mutations are made; they shrink towards the simplest. */
export type Choices = readonly (readonly [how: number, where: number, what: number])[];

const number = fc.noBias(fc.nat());
const choice = fc.tuple(number, number, number);
/** One to three mutations, one more often than not. */
export const choices: fc.Arbitrary<Choices> = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(choice) },
  { weight: 1, arbitrary: fc.array(choice, { minLength: 2, maxLength: 3 }) },
);

/** What came of one case: the code of its refusal, or undefined where the object was taken. */
export type Outcome = string | undefined;

/** Runs a property and prints how many cases there were, how many were taken, and with which codes the rest ended. */
export function fuzz<T>(
  name: string,
  { cases, of }: { readonly cases: number; readonly of: fc.Arbitrary<T> },
  run: (drawn: T) => Outcome,
): void {
  const codes = new Map<Outcome, number>();
  let ran = 0;
  const start = Date.now();
  const property = fc.property(of, (drawn) => {
    const outcome = run(drawn);
    ran += 1;
    codes.set(outcome, (codes.get(outcome) ?? 0) + 1);
  });
  const seed = SEED === undefined ? {} : { seed: Number(SEED) };
  fc.assert(property, { numRuns: isLong ? ASKED : cases, ...seed });
  report(name, { ran, seconds: (Date.now() - start) / 1000, codes });
  expect(ran).toBeGreaterThan(0);
}

function report(
  name: string,
  { ran, seconds, codes }: { ran: number; seconds: number; codes: ReadonlyMap<Outcome, number> },
): void {
  const taken = codes.get(undefined) ?? 0;
  const refused = [...codes].filter(([code]) => code !== undefined).sort(([, a], [, b]) => b - a);
  const words = refused.map(([code, count]) => `${code} ${count}`).join(", ");
  const details = isLong ? `; ${words}` : ` with ${refused.length} codes`;
  console.log(
    `fuzz: ${name}: ${ran} cases in ${seconds.toFixed(1)} s, ${taken} taken, ${ran - taken} refused${details}`,
  );
}
