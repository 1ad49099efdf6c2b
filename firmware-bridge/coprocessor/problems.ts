import { Problem } from "../../attest/problem.ts";

/** One error of group 64: the end of the problem's code, what it means, and what to do where that is known. */
type Meaning = readonly [code: string, words: string, hint?: string];

/** The numbers in `rc` of group 64; docs/coprocessor-protocol.md. */
const REFUSALS: readonly Meaning[] = [
  ["ok", "no error"],
  ["unknown", "the coprocessor does not say what failed"],
  ["not-ready", "the front end has measured nothing yet", "ask again in a moment"],
  ["front-end", "the metering front end does not answer the coprocessor"],
  ["no-key", "the coprocessor has no key"],
  ["not-signable", "the coprocessor signs no message like this one"],
  ["too-long", "the message is longer than the coprocessor signs"],
  ["self-check", "the coprocessor made a signature that does not verify", "do not use its key again"],
  ["locked", "the coprocessor has locked its key", "look whether somebody opened it"],
];

const GROUP_REFUSAL = /^group 64, rc (\d+)$/;

/**
 * What a conversation failed with, as what it means here: a refusal of group 64 becomes `coprocessor-…`, everything else
 * stays what it is.
 */
export function coprocessorProblem(error: unknown): unknown {
  if (!(error instanceof Problem) || error.code !== "smp-refused") return error;
  // The numbers of the refusal stand in the detail and nowhere else.
  const [, rc] = GROUP_REFUSAL.exec(error.detail.got ?? "") ?? [];
  const meaning = rc === undefined ? undefined : REFUSALS[Number(rc)];
  if (meaning === undefined) return error;
  const [code, what, hint] = meaning;
  const { where, got } = error.detail;
  return new Problem(`coprocessor-${code}`, what, {
    ...(where === undefined ? {} : { where }),
    ...(got === undefined ? {} : { got }),
    ...(hint === undefined ? {} : { hint }),
    cause: error,
  });
}

/** `coprocessor-answer`: a field is missing or of another kind than docs/coprocessor-protocol.md has it. */
export function answerFault(where: string, expected: string, got: string): Problem {
  return new Problem("coprocessor-answer", "the answer is not as the protocol has it", {
    where,
    expected,
    got,
  });
}
