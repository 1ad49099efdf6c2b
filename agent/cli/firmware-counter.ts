import { describeProblem, Problem } from "../../attest/problem.ts";
import { replaceDurably } from "../../runtime/files.ts";
import { readFileOf } from "./firmware-file.ts";

const CODE = "firmware-counter-file";
const HINT = "check that this user may read and write the file and its folder";
const MAX_COUNTER = 0xffff_ffff;
/** What is longer is another file. */
const MAX_FILE_BYTES = 4_096;

/**
 * The greatest security counter of an image that was confirmed on this device; undefined before the first.
 *
 * @throws Problem `firmware-counter-file` where there is a file and it cannot be read or holds anything else
 */
export function readCounter(path: string): number | undefined {
  const text = readText(path);
  if (text === undefined) return undefined;
  const counter = /^\d{1,10}\n?$/.test(text) ? Number(text) : Number.NaN;
  if (counter <= MAX_COUNTER) return counter;
  throw new Problem(CODE, "not a file with a security counter", {
    where: path,
    expected: `one whole number up to ${MAX_COUNTER}`,
    got: JSON.stringify(text.slice(0, 40)),
    hint: "write the greatest counter into it that was ever installed; without it older images would be let in",
  });
}

/**
 * Keeps a counter, never a lower one. Whole or as before when the power goes.
 *
 * @throws Problem `firmware-counter-file`
 */
export function raiseCounter(path: string, counter: number): void {
  const before = readCounter(path);
  if (before !== undefined && before >= counter) return;
  try {
    replaceDurably(path, `${counter}\n`);
  } catch (cause) {
    throw new Problem(CODE, "the security counter cannot be written", {
      where: path,
      got: describeProblem(cause).message,
      hint: HINT,
      cause,
    });
  }
}

function readText(path: string): string | undefined {
  try {
    const words = { code: CODE, what: "the file of the security counter", hint: HINT };
    return Buffer.from(readFileOf(path, MAX_FILE_BYTES, words)).toString("utf8");
  } catch (error) {
    if (error instanceof Problem && describeProblem(error.cause).code === "ENOENT") return undefined;
    throw error;
  }
}
