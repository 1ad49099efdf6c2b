import { readFileSync } from "node:fs";
import { fromHex, toHex } from "../../attest/bytes.ts";
import { nativeSigner, nativeSuite } from "../../attest/native.ts";
import { Problem } from "../../attest/problem.ts";
import { createDurably } from "../../runtime/files.ts";
import { type KeyFile, loadOrCreateKey } from "../../runtime/key-file.ts";
import type { Logger } from "../../runtime/log.ts";

/** The two keys, beside its own, that a device binds itself to when it enrols (docs/evidence-format.md). */
export interface CommittedKeys {
  /** SHA-256 of the public key that the device will rotate to. */
  readonly nextKeyHash: Uint8Array;
  /** Public key that may revoke the device's. */
  readonly recoveryKey: Uint8Array;
}

export interface CommittedKeysOptions {
  /** Path of the device's key file. */
  readonly keyPath: string;
  /** The owner's key from the configuration, hexadecimal. */
  readonly recoveryKey?: string;
  readonly logger: Logger;
}

/**
 * The next key and the recovery key, made when they are first needed and the same ever after:
 *
 *     KEY.next           key file of the key to rotate to, mode 0600
 *     KEY.recovery       key file of the recovery key, mode 0600: to be taken away from the gateway
 *     KEY.recovery.pub   its public key, 64 hexadecimal digits: stays, so that no second one is made
 *
 * Where the configuration names a recovery key, the last two are neither made nor read. Throws what key files throw, and
 * `recovery-key-format`.
 */
export function committedKeys(options: CommittedKeysOptions): CommittedKeys {
  const { keyPath, recoveryKey } = options;
  const next = publicKeyOf(loadOrCreateKey(`${keyPath}.next`).key);
  return {
    nextKeyHash: nativeSuite.sha256(next),
    recoveryKey: recoveryKey === undefined ? ownRecoveryKey(options) : fromHex(recoveryKey, "recoveryKey"),
  };
}

function ownRecoveryKey({ keyPath, logger }: CommittedKeysOptions): Uint8Array {
  const publicPath = `${keyPath}.recovery.pub`;
  const known = readPublicKey(publicPath);
  if (known !== undefined) return known;
  const file = `${keyPath}.recovery`;
  // After a power cut between the two files the first one is there already.
  const recoveryKey = publicKeyOf(loadOrCreateKey(file).key);
  createDurably(publicPath, `${toHex(recoveryKey)}\n`);
  logger.warn("recovery-key-made", {
    ...{ file, recoveryKey: toHex(recoveryKey) },
    hint: "move this file away from the gateway and keep it safe: who has it can revoke this device, and without it nobody can",
  });
  return recoveryKey;
}

function readPublicKey(path: string): Uint8Array | undefined {
  const text = readIfThere(path);
  if (text === undefined) return undefined;
  const key = /^([0-9a-f]{64})\n?$/.exec(text)?.[1];
  if (key !== undefined) return fromHex(key, path);
  throw new Problem("recovery-key-format", "not a public key", {
    where: path,
    expected: "64 hexadecimal digits",
    hint: "name the recovery key in the configuration (recoveryKey), or restore the file from a backup",
  });
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    throw new Problem("key-read", "the public recovery key cannot be read", {
      where: path,
      got: cause instanceof Error ? cause.message : String(cause),
      hint: "run as the user that owns it",
      cause,
    });
  }
}

function publicKeyOf({ seed }: KeyFile): Uint8Array {
  return nativeSigner(seed).publicKey;
}
