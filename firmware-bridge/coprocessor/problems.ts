import { Problem } from "../../attest/problem.ts";
import { GROUP } from "../smp/message.ts";
import { RefusalProblem } from "../smp/problems.ts";

/** One error of group 64: the end of the problem's code, what it means, and what to do. */
type Meaning = readonly [code: string, words: string, hint: string];

/** The numbers in `rc` of group 64; docs/coprocessor-protocol.md. */
const REFUSALS: readonly Meaning[] = [
  ["ok", "no error", "nothing"],
  ["unknown", "the coprocessor does not say what failed", "reset it; if it stays, look at its own log"],
  ["not-ready", "the front end has measured nothing yet", "ask again in a moment"],
  [
    "front-end",
    "the metering front end does not answer the coprocessor",
    "check its supply and its wires to the coprocessor",
  ],
  [
    "no-key",
    "the coprocessor has no key",
    "take a coprocessor whose maker gave it one, or a key of the gateway's own",
  ],
  [
    "not-signable",
    "the coprocessor signs no message like this one",
    "its firmware may be older than this program: update it",
  ],
  [
    "too-long",
    "the message is longer than the coprocessor signs",
    "its firmware may be older than this program: update it",
  ],
  ["self-check", "the coprocessor made a signature that does not verify", "do not use its key again"],
  ["locked", "the coprocessor has locked its key", "look whether somebody opened it"],
];

const ANSWER = "coprocessor-answer";
const FOR_WRITER = "the firmware has another idea of the protocol: whoever writes it needs this line";

/**
 * What a conversation failed with, as what it means here: a refusal of group 64 becomes `coprocessor-…`, everything else
 * stays what it is.
 */
export function coprocessorProblem(error: unknown): unknown {
  if (!(error instanceof RefusalProblem)) return error;
  const { group, rc } = error.refusal;
  if (isOfVersion1(error)) return versionFault(error);
  const meaning = group === GROUP.application && rc !== undefined ? REFUSALS[rc] : undefined;
  if (meaning === undefined) return error;
  const [code, what, hint] = meaning;
  const { hint: _, ...detail } = error.detail;
  return new Problem(`coprocessor-${code}`, what, { ...detail, hint, cause: error });
}

/** What errors of group 64 are called in version 1. */
const VERSION_1: ReadonlySet<number> = new Set([1, 3, 5, 6, 11]);

/** An error in the form of version 1 upon a request of version 2, which only SMP itself answers so. */
function isOfVersion1({ code, refusal: { group, rc, asked } }: RefusalProblem): boolean {
  if (code === ANSWER || asked?.group !== GROUP.application || asked.version !== 2) return false;
  return group === undefined && rc !== undefined && VERSION_1.has(rc);
}

function versionFault(error: RefusalProblem): RefusalProblem {
  const { refusal, detail } = error;
  return new RefusalProblem(ANSWER, "an error of group 64 in the form of version 1", {
    ...{ ...detail, refusal, hint: FOR_WRITER, cause: error },
    expected: '{"err": {"group": 64, "rc": N}} to a request of version 2',
    got: `{"rc": ${refusal.rc}}`,
  });
}

/** `coprocessor-answer`: a field is missing or of another kind than docs/coprocessor-protocol.md has it. */
export function answerFault(where: string, expected: string, got: string): Problem {
  return new Problem(ANSWER, "the answer is not as the protocol has it", {
    where,
    expected,
    got,
    hint: FOR_WRITER,
  });
}
