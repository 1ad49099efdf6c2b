import { z } from "zod";
import { Problem } from "../../attest/problem.ts";
import { parseConfig } from "../../runtime/config-file.ts";
import { type PrivateFile, readPrivateFile } from "../../runtime/private-file.ts";

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

const SECRET: PrivateFile = {
  what: "file with a secret",
  unreadableCode: "secret-read",
  permissionsCode: "secret-permissions",
  hint: "check the path in the configuration, and that the service's user may read the file",
  groupMayRead: true,
};
const LEAST_TOKEN_CHARACTERS = 16;
const credentialsSchema = z.strictObject({
  username: z.string().min(1).describe("the user that the broker knows"),
  password: z
    .string()
    .min(1)
    .describe("the user's password, in quotes where it has other signs than letters"),
});

/**
 * The name and password of a file with the lines `username: …` and `password: …`. No message repeats what is in it.
 *
 * @throws Problem `secret-read`, `secret-permissions` or `secret-format`
 */
export function readCredentials(path: string): Credentials {
  const text = readPrivateFile(path, SECRET);
  try {
    return parseConfig(text, path, credentialsSchema);
  } catch {
    // The reason could show a part of the password.
    throw badFormat(path, "the lines username: NAME and password: PASSWORD, the password in quotes");
  }
}

/** The one line of a token file. Throws as {@link readCredentials}. */
export function readToken(path: string): string {
  const token = readPrivateFile(path, SECRET).trim();
  // RFC 6750, 2.1: what can stand behind "Bearer".
  if (/^[A-Za-z0-9._~+/-]+=*$/.test(token) && token.length >= LEAST_TOKEN_CHARACTERS) return token;
  throw badFormat(path, `one line of ${LEAST_TOKEN_CHARACTERS} or more of A-Z a-z 0-9 . _ ~ + / -`);
}

function badFormat(path: string, expected: string): Problem {
  return new Problem("secret-format", "not what such a file holds", {
    where: path,
    expected,
    hint: "write the file anew",
  });
}
