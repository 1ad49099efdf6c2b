import { timingSafeEqual } from "node:crypto";
import { fromHex } from "../../attest/bytes.ts";
import { nativeSuite } from "../../attest/native.ts";
import { Problem } from "../../attest/problem.ts";
import { type PrivateFile, readPrivateFile } from "../../runtime/private-file.ts";

const RIGHTS = ["peer", "read", "operate"] as const;
/** What a token allows: to ask as other nodes do, to ask everything, to ask and to change. Each holds the ones before. */
export type Right = (typeof RIGHTS)[number];

/** Whether somebody who has the one right may do what needs the other. */
export function isEnough(has: Right, needed: Right): boolean {
  return RIGHTS.indexOf(has) >= RIGHTS.indexOf(needed);
}

interface Entry {
  readonly right: Right;
  /** SHA-256 of the token. */
  readonly digest: Uint8Array;
  /** The token itself, where the file has it. */
  readonly token: string | undefined;
}

const TOKEN_FILE: PrivateFile = {
  what: "file with tokens",
  unreadableCode: "config-tokens",
  permissionsCode: "config-tokens",
  hint: "check http.tokens in the configuration, and that the node's user may read the file",
  groupMayRead: false,
};
const LEAST_CHARACTERS = 32;
/** What may stand behind "Bearer" (RFC 6750, 2.1). */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;
const HASHED = /^sha256:([0-9a-f]{64})$/;

/** The tokens of one file. What is compared are digests, each of them, so that time tells nothing. */
export class Tokens {
  readonly #entries: readonly Entry[];

  constructor(entries: readonly Entry[]) {
    this.#entries = entries;
  }

  /** What the token allows; undefined for one that is not in the file. */
  rightOf(token: string): Right | undefined {
    const given = digestOf(token);
    let right: Right | undefined;
    for (const entry of this.#entries)
      if (timingSafeEqual(entry.digest, given) && !(right && isEnough(right, entry.right)))
        right = entry.right;
    return right;
  }

  /** A token with this right that stands in the file as it is, with no more rights than it must have; for the program beside the node. */
  plain(needed: Right): string | undefined {
    const enough = RIGHTS.filter((right) => isEnough(right, needed));
    return enough
      .flatMap((right) => this.#entries.filter((entry) => entry.right === right))
      .find(({ token }) => token !== undefined)?.token;
  }
}

/**
 * Reads a token file: a line `peer TOKEN`, `read TOKEN` or `operate TOKEN` for each, the token as it is or as `sha256:` with the
 * hexadecimal digest of it; empty lines and those that begin with # are left out. No message repeats a token. Throws
 * `config-tokens`.
 */
export function readTokens(path: string): Tokens {
  const lines = readPrivateFile(path, TOKEN_FILE).split("\n");
  const entries = lines.flatMap((line, at) => {
    const text = line.trim();
    return text === "" || text.startsWith("#") ? [] : [entryOf(text, `${path} line ${at + 1}`)];
  });
  if (entries.length > 0) return new Tokens(entries);
  throw wrong(path, "a token", { got: "none" });
}

function entryOf(line: string, where: string): Entry {
  const [, word, token = ""] = /^(peer|read|operate)\s+(\S+)$/.exec(line) ?? [];
  const right = RIGHTS.find((one) => one === word);
  if (right === undefined) throw wrong(where, "peer TOKEN, read TOKEN or operate TOKEN", {});
  const hashed = HASHED.exec(token)?.[1];
  if (hashed !== undefined) return { right, digest: fromHex(hashed, where), token: undefined };
  if (token.length < LEAST_CHARACTERS || !TOKEN.test(token))
    throw wrong(where, `${LEAST_CHARACTERS} or more of A-Z a-z 0-9 . _ ~ + / -, or sha256:DIGEST`, {
      got: `${token.length} characters`,
    });
  return { right, digest: digestOf(token), token };
}

function digestOf(token: string): Uint8Array {
  return nativeSuite.sha256(new TextEncoder().encode(token));
}

function wrong(where: string, expected: string, detail: { readonly got?: string }): Problem {
  return new Problem("config-tokens", "not what a token file holds", {
    ...{ where, expected, ...detail },
    hint: "make a token with: openssl rand -hex 32",
  });
}
