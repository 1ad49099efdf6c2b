import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fromHex, toHex } from "../../attest/bytes.ts";
import { describeProblem, Problem } from "../../attest/problem.ts";
import { lockDatabase } from "../../runtime/database-lock.ts";
import { readPublicKey, remoteKeyText } from "../../runtime/key-file.ts";
import type { AgentConfig } from "../config/config.ts";
import { readEpoch, writeEpoch } from "../journal/epoch-file.ts";
import { hasKey, type KeyFiles, parseKeyFiles, placeEnrolments, placeKeyFiles } from "./backup-beside.ts";
import { reachOf, requireConsistent } from "./backup-journal.ts";
import { openKeyFile } from "./backup-key.ts";
import { BACKUP_FILES, type OpenedBackup, readBackupFile, readBackupText } from "./backup-manifest.ts";
import { syncFolder } from "./backup-tar.ts";

/** Where a backup goes. */
export interface RestoreTo {
  readonly config: Pick<AgentConfig, "network" | "key" | "journal">;
  readonly passphrase?: string;
  /** The key of the coprocessor that signs on this gateway, as it says itself. */
  readonly remoteKey?: Uint8Array;
}

/** What was put back. */
export interface Restored {
  readonly journal: string;
  readonly deviceKey: string;
  readonly madeAtMs: number;
  /** Of the log as it was; the agent goes on in a later one. */
  readonly epoch: number;
  readonly size: number;
  /** Where the key out of the backup was put; absent where it was there. */
  readonly keyFile?: string;
}

/**
 * Puts a backup's log back, checked from end to end before it gets its name. The epoch file is set ahead of it, so that the
 * agent does not sign this log again: what it had signed since is in nobody's memory here. Throws `restore-…`,
 * `backup-…`, `database-…` or what the check finds, and has changed nothing then.
 */
export function restoreBackup(backup: OpenedBackup, to: RestoreTo): Restored {
  const { journal, network } = to.config;
  requireSameNetwork(backup, network);
  const lock = lockDatabase(journal);
  const work = workFolder(journal);
  try {
    requireEmpty(journal);
    const key = keyFor(backup, to, work);
    unpack(backup, work);
    const copy = join(work, BACKUP_FILES.journal);
    const owner = { network, deviceKey: fromHex(backup.manifest.deviceKey, "backup") };
    requireConsistent(copy, owner);
    const { epoch, size } = reachOf(copy, owner);
    placeEnrolments(backup, journal);
    place({ copy, journal, epoch, key });
    const { deviceKey, madeAtMs } = backup.manifest;
    const restored = { journal, deviceKey, madeAtMs, epoch, size };
    return key === undefined ? restored : { ...restored, keyFile: key.path };
  } finally {
    rmSync(work, { recursive: true, force: true });
    lock.release();
  }
}

function requireSameNetwork({ path, manifest }: OpenedBackup, network: string): void {
  if (manifest.network === network) return;
  throw new Problem("restore-network", "the backup is of another network", {
    where: path,
    expected: JSON.stringify(network),
    got: JSON.stringify(manifest.network),
    hint: "put `network` of the backup's agent.yaml into the configuration",
  });
}

function requireEmpty(journal: string): void {
  const there = ["", "-wal"].map((suffix) => `${journal}${suffix}`).find((path) => existsSync(path));
  if (there === undefined) return;
  throw new Problem("restore-journal-exists", "there is a log already", {
    where: there,
    hint: "a restore is for an empty gateway; keep the log that is there by renaming it with its -wal, .epoch and .frames",
  });
}

function workFolder(journal: string): string {
  try {
    return mkdtempSync(`${journal}.restore-`);
  } catch (cause) {
    throw new Problem("restore-write", "nothing can be written where the log belongs", {
      where: dirname(journal),
      got: describeProblem(cause).message,
      hint: "check that the folder exists, and run as the agent's user or as root",
      cause,
    });
  }
}

interface NewKey {
  readonly path: string;
  readonly files: KeyFiles;
}

/** The key to be written; undefined where the device's key is there already. */
function keyFor(backup: OpenedBackup, to: RestoreTo, work: string): NewKey | undefined {
  const { config, passphrase, remoteKey } = to;
  const { manifest, path } = backup;
  if (existsSync(config.key)) {
    requireDevice(readPublicKey(config.key), manifest.deviceKey, config.key);
    return undefined;
  }
  if (remoteKey !== undefined) {
    requireDevice(remoteKey, manifest.deviceKey, "the coprocessor");
    return { path: config.key, files: { "": remoteKeyText(remoteKey) } };
  }
  if (!hasKey(backup))
    throw new Problem(
      "restore-no-key",
      "this gateway has not the device's key, and the backup does not hold it",
      {
        where: config.key,
        expected: `the key file of device ${manifest.deviceKey}`,
        hint: `put it there if it can be had; else this is a new device: kilowitness replace-gateway --from ${path}`,
      },
    );
  if (passphrase === undefined)
    throw new Problem("restore-passphrase", "the backup holds the device's key under a passphrase", {
      where: path,
      hint: "name a file with it: --passphrase-file FILE",
    });
  const files = parseKeyFiles(openKeyFile(readBackupText(backup, BACKUP_FILES.key), passphrase));
  const unpacked = join(work, "device.key");
  writeFileSync(unpacked, files[""], { mode: 0o600 });
  requireDevice(readPublicKey(unpacked), manifest.deviceKey, unpacked);
  return { path: config.key, files };
}

function requireDevice(publicKey: Uint8Array, deviceKey: string, where: string): void {
  const got = toHex(publicKey);
  if (got === deviceKey) return;
  throw new Problem("restore-foreign", "the key is not the one of the device in the backup", {
    where,
    expected: deviceKey,
    got,
    hint: "a log can only go on with its own key; on a gateway with a new key: kilowitness replace-gateway --from FILE",
  });
}

/** With the epoch file as it was, which is what the journal is checked against. */
function unpack(backup: OpenedBackup, work: string): void {
  for (const name of [BACKUP_FILES.journal, BACKUP_FILES.epoch]) {
    if (!backup.entries.has(name)) continue;
    const file = openSync(join(work, name), "wx", 0o600);
    try {
      readBackupFile(backup, name, (chunk) => {
        for (let done = 0; done < chunk.length; ) done += writeSync(file, chunk, done);
      });
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  }
}

interface Placing {
  readonly copy: string;
  readonly journal: string;
  readonly epoch: number;
  readonly key: NewKey | undefined;
}

/** The journal comes last: whatever ends the program before leaves an empty gateway with a key and an epoch that is over. */
function place({ copy, journal, epoch, key }: Placing): void {
  if (key !== undefined) placeKeyFiles(key.path, key.files);
  writeEpoch(journal, Math.max(readEpoch(journal), epoch + 1));
  renameSync(copy, journal);
  syncFolder(dirname(journal));
}
