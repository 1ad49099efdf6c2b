import { normaliseEnrolmentCode } from "../../attest/enrolment-code.ts";
import { Problem } from "../../attest/problem.ts";
import { type PrivateFile, readPrivateFile } from "../../runtime/private-file.ts";

const CODE_FILE: PrivateFile = {
  what: "the file with the enrolment code",
  unreadableCode: "enrolment-code-file",
  permissionsCode: "enrolment-code-file",
  hint: "correct enrolmentCodeFile of this node in the configuration, or take it out to wait for the operator's approval",
  groupMayRead: true,
};

/**
 * The one-time code in a file, in its one form. No message repeats what is in it.
 *
 * @throws Problem `enrolment-code-file` when it cannot be read or others can, `enrolment-code-format`
 */
export function readCodeFile(path: string): string {
  try {
    return normaliseEnrolmentCode(readPrivateFile(path, CODE_FILE));
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
