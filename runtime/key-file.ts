import { randomBytes } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { fromHex, toHex } from "../attest/bytes.ts";
import { nativeSigner } from "../attest/native.ts";
import { Problem } from "../attest/problem.ts";
import { createDurably } from "./files.ts";

/** What a key file holds: the Ed25519 seed and, for the device's own use, the key of its salts. */
export interface KeyFile {
  /** 32 bytes, RFC 8032. */
  readonly seed: Uint8Array;
  /** 32 bytes. */
  readonly saltKey: Uint8Array;
}

/** What the key file of a device holds whose seed cannot leave a coprocessor: which key it is, and the key of its salts. */
export interface RemoteKeyFile {
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** 32 bytes. */
  readonly saltKey: Uint8Array;
}

/** Either of the two: only the one with a seed can sign by itself. */
export type DeviceKeyFile = KeyFile | RemoteKeyFile;

const FORMAT = "kilowitness key 1";
const OTHERS = 0o077;

/** Reads the key file, or creates it with a fresh key and mode 0600 when there is none. */
export function loadOrCreateKey(path: string): { readonly key: KeyFile; readonly created: boolean } {
  if (modeOf(path) !== undefined) return { key: readKey(path), created: false };
  return { key: createKey(path), created: true };
}

/** Whether there is a file at that path. Throws `key-read` where nobody can tell. */
export function hasKeyFile(path: string): boolean {
  return modeOf(path) !== undefined;
}

/** Creates a key file, 0600, never over an existing one (`key-exists`). */
export function createKey(path: string): KeyFile {
  const key = { seed: new Uint8Array(randomBytes(32)), saltKey: new Uint8Array(randomBytes(32)) };
  write(path, `${FORMAT}\nseed ${toHex(key.seed)}\nsalt ${toHex(key.saltKey)}\n`);
  return key;
}

/** As {@link createKey}, for a key that lives elsewhere. */
export function createRemoteKey(path: string, publicKey: Uint8Array): RemoteKeyFile {
  const saltKey = new Uint8Array(randomBytes(32));
  write(path, remoteText({ publicKey, saltKey }));
  return { publicKey, saltKey };
}

/** The text of a key file, with a salt key of its own, for a key that lives elsewhere. */
export function remoteKeyText(publicKey: Uint8Array): string {
  return remoteText({ publicKey, saltKey: new Uint8Array(randomBytes(32)) });
}

/**
 * Reads a key file with a seed; throws what {@link readDeviceKey} throws, and `key-remote` where the seed is elsewhere.
 */
export function readKey(path: string): KeyFile {
  const key = readDeviceKey(path);
  if ("seed" in key) return key;
  throw new Problem("key-remote", "the key of this file cannot leave its coprocessor", {
    where: path,
    expected: 'a key file with the line "seed …"',
    hint: "name another key file",
  });
}

/** The public key of a key file, wherever its seed is. Throws what {@link readDeviceKey} throws. */
export function readPublicKey(path: string): Uint8Array {
  const key = readDeviceKey(path);
  return "seed" in key ? nativeSigner(key.seed).publicKey : key.publicKey;
}

/**
 * Reads a key file; refuses one that is not there or cannot be read (`key-read`), that others may read
 * (`key-permissions`) or that is not one (`key-format`):
 *
 *     kilowitness key 1
 *     seed 64 digits           or: remote 64 digits, the public key
 *     salt 64 digits
 */
export function readDeviceKey(path: string): DeviceKeyFile {
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
  const [format, key = "", salt = "", ...more] = readText(path).trimEnd().split("\n");
  const found = /^(seed|remote) ([0-9a-f]{64})$/.exec(key);
  const saltHex = /^salt ([0-9a-f]{64})$/.exec(salt)?.[1];
  if (format !== FORMAT || found === null || saltHex === undefined || more.length > 0)
    throw new Problem("key-format", "not a key file", {
      where: path,
      expected: `the lines "${FORMAT}", "seed …" or "remote …", "salt …"`,
      hint: "restore it from a backup; a new key would be a new device",
    });
  const [, kind, hex = ""] = found;
  const saltKey = fromHex(saltHex, path);
  return kind === "seed" ? { seed: fromHex(hex, path), saltKey } : { publicKey: fromHex(hex, path), saltKey };
}

function remoteText({ publicKey, saltKey }: RemoteKeyFile): string {
  return `${FORMAT}\nremote ${toHex(publicKey)}\nsalt ${toHex(saltKey)}\n`;
}

function write(path: string, text: string): void {
  try {
    // Whole or not at all: half a key file after a power cut would stop the device for good.
    createDurably(path, text);
  } catch (cause) {
    throw createProblem(path, cause);
  }
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
