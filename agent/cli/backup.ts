import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { Command } from "commander";
import { toHex } from "../../attest/bytes.ts";
import { describeProblem, Problem } from "../../attest/problem.ts";
import { runCommand } from "../../runtime/command.ts";
import { databaseFault } from "../../runtime/database-fault.ts";
import { readDeviceKey, readPublicKey } from "../../runtime/key-file.ts";
import { VERSION } from "../../runtime/version.ts";
import { type AgentConfig, loadAgentConfig } from "../config/config.ts";
import { copyEnrolments, keyFilesText } from "./backup-beside.ts";
import { copyJournal, type JournalOwner, reachOf, requireConsistent } from "./backup-journal.ts";
import { readPassphrase, sealKeyFile } from "./backup-key.ts";
import { BACKUP_FILES, BACKUP_FOLDER, BACKUP_FORMAT, type BackupManifest } from "./backup-manifest.ts";
import { readChunks, syncFolder, TarWriter } from "./backup-tar.ts";
import { backupReadme, type MadeBackup, madeWords } from "./backup-words.ts";

interface BackupOptions {
  readonly config: string;
  readonly out: string;
  readonly withKey?: boolean;
  readonly passphraseFile?: string;
  readonly check: boolean;
  readonly json?: boolean;
}

const HELP = `
A copy of the log as it stands now, of the epoch file and of the configuration; the agent goes on meanwhile. Raw frames and
files that the configuration names (passwords, certificates, own profiles) are not in it.

The device's key is not in it unless --with-key is given: two gateways with one key accuse each other. The key of a coprocessor
never is; --with-key then takes what belongs to it, and the log goes on where the coprocessor is. Without the key the
backup still holds every signature and receipt up to now, and a new gateway can name the old one (kilowitness replace-gateway).

After a restore the agent asks its nodes before it signs, and goes on in a new epoch; readings since the backup that no node
received are gone. docs/backup.md says more.

FILE appears when it is whole. It needs as much room again beside it while it is made.

Exit status: 0 written, 1 not written, or the log is damaged and was written as it is, 2 the configuration is wrong.`;

/** `kilowitness backup --config FILE --out FILE.tar`: a copy of the log while the agent runs. */
export function backupCommand(): Command {
  return new Command("backup")
    .description("copy the log, the epoch file and the configuration into one file while the agent runs")
    .requiredOption("--config <file>", "configuration of the agent")
    .requiredOption("--out <file>", "archive to write, .tar; must not exist")
    .option("--with-key", "also the device's key, encrypted with a passphrase; needs --passphrase-file")
    .option("--passphrase-file <file>", "file whose first line is the passphrase, mode 0600")
    .option("--no-check", "do not check the copy from end to end")
    .option("--json", "print one JSON object")
    .addHelpText("after", HELP)
    .action((options: BackupOptions) => runCommand("backup", () => backup(options)));
}

async function backup(options: BackupOptions): Promise<void> {
  const config = loadAgentConfig(options.config);
  const passphrase = passphraseOf(options);
  const out = resolve(options.out);
  if (existsSync(out)) throw writeProblem(out, "it exists already");
  const work = workFolder(out);
  const abandon = (): never => {
    rmSync(work, { recursive: true, force: true });
    process.exit(1);
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, abandon);
  try {
    const made = await make(config, { out, work, check: options.check, ...passphrase });
    const facts = { file: out, bytes: statSync(out).size, ...made };
    process.stdout.write(`${options.json === true ? JSON.stringify(facts) : madeWords(facts).join("\n")}\n`);
    if (made.damaged !== undefined) process.exitCode = 1;
  } finally {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.removeListener(signal, abandon);
    rmSync(work, { recursive: true, force: true });
  }
}

function passphraseOf({ withKey, passphraseFile }: BackupOptions): { readonly passphrase?: string } {
  if ((withKey === true) === (passphraseFile !== undefined))
    return passphraseFile === undefined ? {} : { passphrase: readPassphrase(passphraseFile) };
  throw new Problem("backup-passphrase", "--with-key and --passphrase-file go together", {
    hint: "a key is never written in the clear; without both, the backup holds no key",
  });
}

/** On the target's own file system, so that the finished file only has to be named. */
function workFolder(out: string): string {
  try {
    return mkdtempSync(`${out}.new-`);
  } catch (cause) {
    throw writeProblem(out, describeProblem(cause).message, cause);
  }
}

interface Making {
  readonly out: string;
  readonly work: string;
  readonly check: boolean;
  readonly passphrase?: string;
}

async function make(config: AgentConfig, { out, work, check, passphrase }: Making): Promise<MadeBackup> {
  const publicKey = readPublicKey(config.key);
  const owner = { network: config.network, deviceKey: publicKey };
  const journal = join(work, BACKUP_FILES.journal);
  const madeAtMs = Date.now();
  try {
    await copyJournal(config.journal, journal);
    copyFileSync(config.path, join(work, BACKUP_FILES.config));
    const records = copyEnrolments(config.journal, work);
    if (passphrase !== undefined) {
      const sealed = sealKeyFile(keyFilesText(config.key), passphrase, toHex(publicKey));
      writeFileSync(join(work, BACKUP_FILES.key), sealed, { mode: 0o600 });
    }
    const damaged = check ? faultOf(journal, owner) : undefined;
    const about = {
      ...reachOf(journal, owner),
      network: config.network,
      deviceKey: toHex(publicKey),
      madeAtMs,
    };
    const manifest = {
      format: BACKUP_FORMAT,
      version: VERSION,
      ...about,
      files: filesIn(work, records),
    } as const;
    pack(work, manifest, out);
    const made = { manifest, withKey: passphrase !== undefined, checked: check, ...whereKey(config.key) };
    return damaged === undefined ? made : { ...made, damaged };
  } catch (cause) {
    throw isRoom(cause) ? writeProblem(out, describeProblem(cause).message, cause) : cause;
  }
}

function whereKey(path: string): Pick<MadeBackup, "keyElsewhere"> {
  return "seed" in readDeviceKey(path) ? {} : { keyElsewhere: true };
}

/** A log that is damaged is worth a copy all the same. */
function faultOf(journal: string, owner: JournalOwner): string | undefined {
  try {
    requireConsistent(journal, owner);
    return undefined;
  } catch (cause) {
    if (isRoom(cause)) throw cause;
    const { code, message } = describeProblem(cause);
    return `${message} (${code})`;
  }
}

function filesIn(work: string, records: readonly string[]): BackupManifest["files"] {
  const { config, journal, epoch, key } = BACKUP_FILES;
  const present = [config, epoch, key, ...records, journal].filter((name) => existsSync(join(work, name)));
  return Object.fromEntries(present.map((name) => [name, digestOf(join(work, name))]));
}

function digestOf(path: string): { readonly bytes: number; readonly sha256: string } {
  const hash = createHash("sha256");
  readChunks(path, (chunk) => void hash.update(chunk));
  return { bytes: statSync(path).size, sha256: hash.digest("hex") };
}

/** The archive gets its name when it is whole and durable, and never that of another file. */
function pack(work: string, manifest: BackupManifest, out: string): void {
  const archive = join(work, "archive.tar");
  const tar = new TarWriter(archive, BACKUP_FOLDER, manifest.madeAtMs);
  try {
    tar.addText(BACKUP_FILES.manifest, `${JSON.stringify(manifest, undefined, 2)}\n`);
    tar.addText(BACKUP_FILES.readme, backupReadme(manifest));
    for (const name of Object.keys(manifest.files)) tar.addFile(name, join(work, name));
    tar.end();
  } finally {
    tar.close();
  }
  // Not a hard link, which a stick with FAT does not have.
  if (existsSync(out)) throw writeProblem(out, "it exists already");
  renameSync(archive, out);
  syncFolder(dirname(out));
}

/** Whether the target, and not the journal, is what failed. */
function isRoom(cause: unknown): boolean {
  if (cause instanceof Problem) return false;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  return (
    databaseFault(cause) === "full" ||
    ["ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EACCES", "EEXIST", "EPERM", "EIO"].includes(code)
  );
}

function writeProblem(out: string, got: string, cause?: unknown): Problem {
  return new Problem("backup-write", "the backup cannot be written", {
    where: out,
    got,
    hint: "name a new file in a folder with room for twice the journal that this user may write; nothing was left there",
    ...(cause === undefined ? {} : { cause }),
  });
}
