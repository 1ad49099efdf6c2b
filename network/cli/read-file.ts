import { readFileSync } from "node:fs";
import { Problem } from "../../attest/problem.ts";

/** The bytes of a file, or of standard input for "-". Throws `proof-read` when there are none, or too many. */
export function readBounded(file: string, most: number, what: string): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(readFileSync(file === "-" ? 0 : file));
  } catch (cause) {
    throw new Problem("proof-read", `${what} cannot be read`, {
      where: file,
      got: cause instanceof Error ? cause.message : String(cause),
      hint: "check the path",
      cause,
    });
  }
  if (bytes.length > 0 && bytes.length <= most) return bytes;
  throw new Problem("proof-read", `not a ${what} file`, {
    where: file,
    expected: `1 to ${most} bytes`,
    got: String(bytes.length),
  });
}
