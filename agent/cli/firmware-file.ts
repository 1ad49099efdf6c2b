import { readFileSync, statSync } from "node:fs";
import { describeProblem, Problem } from "../../attest/problem.ts";

/** How messages speak of a file. */
export interface FileWords {
  readonly code: string;
  /** "the image". */
  readonly what: string;
  readonly hint: string;
}

/**
 * All bytes of a file of at most `mostBytes`. Nothing of a larger one is read, and nothing of a pipe or of a device: one may
 * never begin, and the other never end.
 *
 * @throws Problem of that code; where there is no file its cause has the code ENOENT
 */
export function readFileOf(path: string, mostBytes: number, { code, what, hint }: FileWords): Uint8Array {
  try {
    const found = statSync(path);
    if (!found.isFile() && !found.isDirectory())
      throw new Problem(code, `${what} is no file`, {
        ...{ where: path, expected: "a regular file", got: "a pipe, a socket or a device" },
        hint: "give it as a file",
      });
    if (found.size > mostBytes)
      throw new Problem(code, `${what} is too large`, {
        ...{ where: path, expected: `at most ${mostBytes} bytes`, got: String(found.size), hint },
      });
    return new Uint8Array(readFileSync(path));
  } catch (cause) {
    if (cause instanceof Problem) throw cause;
    const got = describeProblem(cause).message;
    throw new Problem(code, `${what} cannot be read`, { where: path, got, hint, cause });
  }
}
