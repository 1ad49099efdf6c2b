import { Problem } from "../../attest/problem.ts";

/** The code with which `run` is refused; undefined when it is not. What is no Problem is thrown on. */
export function refusalOf(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (thrown) {
    if (thrown instanceof Problem) return thrown.code;
    throw thrown;
  }
}

/** The Problem with which `run` is refused. */
export function problemOf(run: () => unknown): Problem {
  try {
    run();
  } catch (thrown) {
    if (thrown instanceof Problem) return thrown;
    throw thrown;
  }
  throw new Error("nothing was refused");
}

/** What `run` returns, or the code and words with which it is refused. */
export function outcomeOf(run: () => unknown): unknown {
  try {
    return { returned: run() };
  } catch (thrown) {
    if (thrown instanceof Problem) return { code: thrown.code, message: thrown.message };
    throw thrown;
  }
}

/** Every copy of `bytes` in which one bit is another one. */
export function* flippedBits(bytes: Uint8Array): Generator<Uint8Array> {
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = bytes.slice();
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    yield flipped;
  }
}
