import { randomBytes } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { fromHex, toHex } from "../attest/bytes.ts";
import { Problem } from "../attest/problem.ts";
import { createDurably } from "./files.ts";

/** What a key file holds: the Ed25519 seed and, for the device's own use, the key of its salts. */
export interface KeyFile {
  /** 32 bytes, RFC 8032. */
  readonly seed: Uint8Array;
  /** 32 bytes. */
  readonly saltKey: Uint8Array;
}

const FORMAT = "kilowitness key 1";
const OTHERS = 0o077;

/** Reads the key file, or creates it with a fresh key and mode 0600 when there is none. */
export function loadOrCreateKey(path: string): { readonly key: KeyFile; readonly created: boolean } {
  if (modeOf(path) !== undefined) return { key: readKey(path), created: false };
  return { key: createKey(path), created: true };
}

/** Creates a key file, 0600, never over an existing one (`key-exists`). */
export function createKey(path: string): KeyFile {
  const key = { seed: new Uint8Array(randomBytes(32)), saltKey: new Uint8Array(randomBytes(32)) };
  const text = `${FORMAT}\nseed ${toHex(key.seed)}\nsalt ${toHex(key.saltKey)}\n`;
  try {
    // Whole or not at all: half a key file after a power cut would stop the device for good.
    createDurably(path, text);
  } catch (cause) {
    throw createProblem(path, cause);
  }
  return key;
}

/**
 * Reads a key file; refuses one that is not there or cannot be read (`key-read`), that others may read
 * (`key-permissions`) or that is not one (`key-format`).
 */
export function readKey(path: string): KeyFile {
  const mode = modeOf(path);
  if (mode === undefined) {
    throw new Problem("key-read", "there is no key file", {
      where: path,
      hint: "check `key` in the configuration; the agent makes the file at its first start",
    });
  }
  if ((mode & OTHERS) !== 0) {
    throw new Problem("key-permissions", "key file can be read by others", {
      where: path,
      expected: "mode 0600",
      got: `0${mode.toString(8)}`,
      hint: `run: chmod 600 ${path}`,
    });
  }
  const lines = readText(path).trimEnd().split("\n");
  const seed = /^seed ([0-9a-f]{64})$/.exec(lines[1] ?? "")?.[1];
  const salt = /^salt ([0-9a-f]{64})$/.exec(lines[2] ?? "")?.[1];
  if (lines[0] !== FORMAT || seed === undefined || salt === undefined || lines.length !== 3) {
    throw new Problem("key-format", "not a key file", {
      where: path,
      expected: `the lines "${FORMAT}", "seed …", "salt …"`,
      hint: "restore it from a backup; a new key would be a new device",
    });
  }
  return { seed: fromHex(seed, path), saltKey: fromHex(salt, path) };
}

/** Permission bits of the file; undefined when there is none. */
function modeOf(path: string): number | undefined {
  try {
    const mode = statSync(path, { throwIfNoEntry: false })?.mode;
    return mode === undefined ? undefined : mode & 0o777;
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function unreadable(path: string, cause: unknown): Problem {
  return new Problem("key-read", "key file cannot be read", {
    where: path,
    got: cause instanceof Error ? cause.message : String(cause),
    hint: "run as the user that owns it",
    cause,
  });
}

function createProblem(path: string, cause: unknown): Problem {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  if (code === "EEXIST") {
    return new Problem("key-exists", "key file exists already", {
      where: path,
      hint: "choose another path, or delete it knowingly",
    });
  }
  return new Problem("key-write", "key file cannot be written", {
    where: path,
    got: cause instanceof Error ? cause.message : String(cause),
    hint: "check that the folder exists and is writable by this user",
    cause,
  });
}
