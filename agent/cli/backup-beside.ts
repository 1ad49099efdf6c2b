import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { createDurably, makeFolder, replaceDurably } from "../../runtime/files.ts";
import { enrolmentPath } from "../identity/enrolment-record.ts";
import { BACKUP_FILES, type OpenedBackup, readBackupText } from "./backup-manifest.ts";

/** What belongs to a key, by what its name has behind the key's: the key to rotate to, the recovery key's public half. */
const SUFFIXES = ["", ".next", ".recovery.pub"] as const;

/** The texts of a device's key files by their suffixes, the key's own among them. The recovery key is none of them. */
export interface KeyFiles {
  readonly "": string;
  readonly ".next"?: string;
  readonly ".recovery.pub"?: string;
}

const keyFilesSchema: z.ZodType<KeyFiles> = z.strictObject({
  "": z.string(),
  ".next": z.string().exactOptional(),
  ".recovery.pub": z.string().exactOptional(),
});

/** What is to be encrypted. Throws what the file system throws. */
export function keyFilesText(keyPath: string): string {
  const there = SUFFIXES.filter((suffix) => suffix === "" || existsSync(`${keyPath}${suffix}`));
  return JSON.stringify(
    Object.fromEntries(there.map((suffix) => [suffix, readFileSync(`${keyPath}${suffix}`, "utf8")])),
  );
}

/** The way back from {@link keyFilesText}; throws for anything else. */
export function parseKeyFiles(text: string): KeyFiles {
  return keyFilesSchema.parse(JSON.parse(text));
}

/** Writes the files, mode 0600; the key itself last, and never over one that is there. */
export function placeKeyFiles(keyPath: string, files: KeyFiles): void {
  for (const suffix of [".next", ".recovery.pub"] as const) {
    const text = files[suffix];
    if (text !== undefined) replaceDurably(`${keyPath}${suffix}`, text);
  }
  createDurably(keyPath, files[""]);
}

const RECORDS = "enrolments/";

/** Copies the records of the device's enrolments into `work`; returns their names in the backup. */
export function copyEnrolments(journal: string, work: string): string[] {
  const folder = dirname(enrolmentPath(journal, new Uint8Array(32)));
  if (!existsSync(folder)) return [];
  mkdirSync(join(work, RECORDS));
  const names = readdirSync(folder).filter((name) => /^[0-9a-f]{64}$/.test(name));
  return names.map((name) => {
    copyFileSync(join(folder, name), join(work, RECORDS, name));
    return `${RECORDS}${name}`;
  });
}

/** Puts the records of a backup back where there are none. */
export function placeEnrolments(backup: OpenedBackup, journal: string): void {
  const folder = dirname(enrolmentPath(journal, new Uint8Array(32)));
  for (const name of Object.keys(backup.manifest.files)) {
    if (!/^enrolments\/[0-9a-f]{64}$/.test(name)) continue;
    makeFolder(folder, 0o700);
    const file = join(folder, basename(name));
    if (!existsSync(file)) replaceDurably(file, readBackupText(backup, name));
  }
}

/** Whether the backup holds the device's key. */
export function hasKey({ entries }: OpenedBackup): boolean {
  return entries.has(BACKUP_FILES.key);
}
