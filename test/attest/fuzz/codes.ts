import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Problem } from "../../../attest/problem.ts";

const FORMAT = join(import.meta.dirname, "../../../docs/evidence-format.md");
const named = new Set(
  [...readFileSync(FORMAT, "utf8").matchAll(/`([a-z]+(?:-[a-z]+)*)`/g)].map(([, code]) => code),
);

/**
 * The code with which `run` refuses, undefined when it does not. Throws on whatever is no Problem, or one whose code
 * the text of the format does not name.
 */
export function namedRefusalOf(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (thrown) {
    if (!(thrown instanceof Problem)) throw thrown;
    if (!named.has(thrown.code))
      throw new Error(`the format does not name "${thrown.code}"`, { cause: thrown });
    return thrown.code;
  }
}
