import { readFileSync, statSync } from "node:fs";
import { normaliseEnrolmentCode } from "../../attest/enrolment-code.ts";
import { Problem } from "../../attest/problem.ts";

/** The group may read it: /etc/kilowitness is root's, and the service is in its group. */
const OTHERS = 0o007;

/**
 * The one-time code in a file, in its one form. No message repeats what is in it.
 *
 * @throws Problem `enrolment-code-file` when it cannot be read or others can, `enrolment-code-format`
 */
export function readCodeFile(path: string): string {
  try {
    return normaliseEnrolmentCode(readPrivate(path));
  } catch (cause) {
    if (!(cause instanceof Problem) || cause.code !== "enrolment-code-format") throw cause;
    const { expected, got, hint } = cause.detail;
    throw new Problem(cause.code, "the file does not hold an enrolment code", {
      where: path,
      ...(expected === undefined ? {} : { expected }),
      ...(got === undefined ? {} : { got }),
      ...(hint === undefined ? {} : { hint }),
    });
  }
}

function readPrivate(path: string): string {
  try {
    const mode = statSync(path).mode & 0o777;
    if ((mode & OTHERS) === 0) return readFileSync(path, "utf8");
    throw new Problem("enrolment-code-file", "the file with the enrolment code can be read by others", {
      where: path,
      expected: "mode 0600 or 0640",
      got: `0${mode.toString(8)}`,
      hint: `run: chmod o= ${path}`,
    });
  } catch (cause) {
    if (cause instanceof Problem) throw cause;
    throw new Problem("enrolment-code-file", "the file with the enrolment code cannot be read", {
      where: path,
      got: cause instanceof Error ? cause.message : String(cause),
      hint: "correct enrolmentCodeFile of this node in the configuration, or take it out to wait for the operator's approval",
      cause,
    });
  }
}
