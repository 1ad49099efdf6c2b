import { readFileSync, statSync } from "node:fs";
import { basename } from "node:path";
import { z } from "zod";
import { describeProblem, Problem } from "../../attest/problem.ts";
import type { TelegramKeys } from "./decoder.ts";

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
  if (looksLikeKey(path)) throw keyInstead();
  const text = readText(path).trim();
  if (/^[0-9a-fA-F]{32}$/.test(text)) return new Uint8Array(Buffer.from(text, "hex"));
  throw new Problem("key-file-content", "the file is no key", {
    where: path,
    expected: `${KEY_DIGITS} hexadecimal digits and nothing else`,
    got: /^[0-9a-fA-F]*$/.test(text) ? `${text.length} of them` : "other characters",
  });
}

/** Files of the keys of an encrypted meter, as drivers and commands are told them. */
export interface KeyFiles {
  readonly keyFile?: string | undefined;
  readonly authenticationKeyFile?: string | undefined;
}

/** Names of {@link KeyFiles}, for `files` of a driver. */
export const KEY_FILES: readonly (keyof KeyFiles)[] = ["keyFile", "authenticationKeyFile"];

/** Both options of {@link KeyFiles}, for a driver's own strict schema. */
export function keyFileOptions(described: Readonly<Record<keyof KeyFiles, string>>): KeyFileShape {
  const path = z.string().min(1).optional();
  return {
    keyFile: path.describe(described.keyFile),
    authenticationKeyFile: path.describe(described.authenticationKeyFile),
  };
}

type KeyFileShape = Readonly<Record<keyof KeyFiles, z.ZodOptional<z.ZodString>>>;

/** The keys that are in these files. Throws what {@link readKeyFile} throws. */
export function readKeyFiles({ keyFile, authenticationKeyFile }: KeyFiles): TelegramKeys {
  return {
    ...(keyFile === undefined ? {} : { key: readKeyFile(keyFile) }),
    ...(authenticationKeyFile === undefined ? {} : { authenticationKey: readKeyFile(authenticationKeyFile) }),
  };
}

/** A key that was written where a path belongs would stand in every message about that path. */
function looksLikeKey(path: string): boolean {
  return /^(?:0x)?[0-9a-f]{32}$/i.test(basename(path).replaceAll(/[\s:-]/g, ""));
}

function keyInstead(): Problem {
  return new Problem("key-file", "this is a key, and not the path of a file", {
    expected: `the path of a file that holds the ${KEY_DIGITS} digits, under another name`,
    hint: "write the digits into a file of mode 0600, and its path here",
  });
}

function readText(path: string): string {
  try {
    const { mode, size } = statSync(path);
    requireOwnersOnly(path, mode);
    if (size <= MAX_FILE_BYTES) return readFileSync(path, "latin1").slice(0, MAX_FILE_BYTES);
  } catch (error) {
    if (error instanceof Problem) throw error;
    const { code, message } = describeProblem(error);
    const hint =
      code === "ENOENT"
        ? "write the meter's key there, or correct the path; a relative one is seen from the configuration's folder"
        : "the service's user must be able to read it, and nobody else: chmod 0400";
    throw new Problem("key-file", "the key cannot be read", {
      where: path,
      got: message,
      hint,
      cause: error,
    });
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
