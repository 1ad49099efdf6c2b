import { readFileSync, statSync } from "node:fs";
import { describeProblem, Problem } from "../attest/problem.ts";

/** How a file with a secret is spoken of, and who may read it beside its owner. */
export interface PrivateFile {
  /** Such as "file with tokens". */
  readonly what: string;
  readonly unreadableCode: string;
  readonly permissionsCode: string;
  /** What to do where it cannot be read. */
  readonly hint: string;
  /** /etc/kilowitness is root's, and the service is in its group. */
  readonly groupMayRead: boolean;
}

/**
 * The text of a file that others must not be able to read. No message repeats what is in it. Throws a Problem with one of
 * the two codes.
 */
export function readPrivateFile(path: string, file: PrivateFile): string {
  try {
    const mode = statSync(path).mode & 0o777;
    if ((mode & (file.groupMayRead ? 0o007 : 0o077)) !== 0) throw openToOthers(path, file, mode);
    return readFileSync(path, "utf8");
  } catch (cause) {
    if (cause instanceof Problem) throw cause;
    throw new Problem(file.unreadableCode, `${file.what} cannot be read`, {
      where: path,
      got: describeProblem(cause).message,
      hint: file.hint,
      cause,
    });
  }
}

function openToOthers(
  path: string,
  { what, permissionsCode, groupMayRead }: PrivateFile,
  mode: number,
): Problem {
  return new Problem(permissionsCode, `${what} can be read by others`, {
    where: path,
    expected: groupMayRead ? "mode 0600 or 0640" : "mode 0600",
    got: `0${mode.toString(8)}`,
    hint: `run: chmod ${groupMayRead ? "o=" : "600"} ${path}`,
  });
}
