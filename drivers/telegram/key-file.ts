import { readFileSync, statSync } from "node:fs";
import { describeProblem, Problem } from "../../attest/problem.ts";

const KEY_DIGITS = 32;
/** The digits with blanks and line ends around them. */
const MAX_FILE_BYTES = 128;
/** Its group may read it, as a service's configuration is often kept. */
const NOT_OTHERS = 0o027;

/**
 * A meter's key, 16 bytes, out of a file of 32 hexadecimal digits; blanks and line ends around them do not count. What
 * stands in the file is in no message.
 *
 * @throws Problem `key-file` for a file that cannot be read, `key-file-permissions` for one that is open to
 *   others, `key-file-content` for one that is no key
 */
export function readKeyFile(path: string): Uint8Array {
  const text = readText(path).trim();
  if (/^[0-9a-fA-F]{32}$/.test(text)) return new Uint8Array(Buffer.from(text, "hex"));
  throw new Problem("key-file-content", "the file is no key", {
    where: path,
    expected: `${KEY_DIGITS} hexadecimal digits and nothing else`,
    got: /^[0-9a-fA-F]*$/.test(text) ? `${text.length} of them` : "other characters",
  });
}

function readText(path: string): string {
  try {
    const { mode, size } = statSync(path);
    requireOwnersOnly(path, mode);
    if (size <= MAX_FILE_BYTES) return readFileSync(path, "latin1").slice(0, MAX_FILE_BYTES);
  } catch (error) {
    if (error instanceof Problem) throw error;
    const { message } = describeProblem(error);
    throw new Problem("key-file", "the key cannot be read", { where: path, got: message, cause: error });
  }
  throw new Problem("key-file-content", "the file is too long for a key", {
    where: path,
    expected: `${KEY_DIGITS} hexadecimal digits and nothing else`,
  });
}

function requireOwnersOnly(path: string, mode: number): void {
  if ((mode & NOT_OTHERS) === 0) return;
  throw new Problem("key-file-permissions", "the file of a secret key is open to others", {
    where: path,
    expected: "mode 0600, or 0640",
    got: (mode & 0o777).toString(8).padStart(4, "0"),
    hint: `run: chmod 600 ${path}`,
  });
}
