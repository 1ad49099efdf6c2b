import { createHash } from "node:crypto";
import { z } from "zod";
import { Problem } from "../../attest/problem.ts";
import { listTar, readChunks, type TarEntry } from "./backup-tar.ts";

/** All files of a backup are in this folder of the archive. */
export const BACKUP_FOLDER = "kilowitness-backup";
/** Names of the files within. */
export const BACKUP_FILES: Readonly<
  Record<"manifest" | "readme" | "config" | "journal" | "epoch" | "key", string>
> = {
  manifest: "manifest.json",
  readme: "README.txt",
  config: "agent.yaml",
  journal: "journal.sqlite",
  epoch: "journal.sqlite.epoch",
  key: "device.key.encrypted",
};
export const BACKUP_FORMAT = "kilowitness backup 1";

/** What a backup says of itself. */
export interface BackupManifest {
  readonly format: typeof BACKUP_FORMAT;
  /** Of the program that made it. */
  readonly version: string;
  readonly madeAtMs: number;
  readonly network: string;
  readonly deviceKey: string;
  /** Of the newest log. */
  readonly epoch: number;
  readonly logId: string;
  readonly size: number;
  readonly signedSize: number;
  /** By name: those that follow in the archive. */
  readonly files: Readonly<Record<string, { readonly bytes: number; readonly sha256: string }>>;
}

const hex32 = z.string().regex(/^[0-9a-f]{64}$/);
const whole = z.int().min(0);

const manifestSchema: z.ZodType<BackupManifest> = z.strictObject({
  format: z.literal(BACKUP_FORMAT),
  version: z.string(),
  madeAtMs: whole,
  network: z.string().min(1),
  deviceKey: hex32,
  epoch: z.int().min(1),
  logId: hex32,
  size: whole,
  signedSize: whole,
  files: z.record(z.string(), z.strictObject({ bytes: whole, sha256: hex32 })),
});

/** A backup whose files are those that it names. */
export interface OpenedBackup {
  readonly path: string;
  readonly manifest: BackupManifest;
  readonly entries: ReadonlyMap<string, TarEntry>;
}

/** Reads what a backup says of itself, and looks at nothing else. Throws `backup-read` or `backup-format`. */
export function openBackup(path: string): OpenedBackup {
  const entries = new Map(entriesOf(path).map((entry) => [entry.name, entry]));
  const manifest = manifestOf(textIn({ path, entries }, BACKUP_FILES.manifest), path);
  for (const [name, { bytes }] of Object.entries(manifest.files))
    if (entries.get(name)?.bytes !== bytes) throw damaged(path, `${name} is missing or cut`);
  return { path, manifest, entries };
}

/** Hands out a file of the backup, and throws `backup-format` behind it when it is not the one that was packed. */
export function readBackupFile(backup: OpenedBackup, name: string, take: (chunk: Uint8Array) => void): void {
  const entry = backup.entries.get(name);
  const hash = createHash("sha256");
  if (entry !== undefined)
    readChunks(
      backup.path,
      (chunk) => {
        hash.update(chunk);
        take(chunk);
      },
      entry,
    );
  if (hash.digest("hex") !== backup.manifest.files[name]?.sha256)
    throw damaged(backup.path, `${name} is not what was packed`);
}

/** A small file of the backup as text. */
export function readBackupText(backup: OpenedBackup, name: string): string {
  const chunks: Buffer[] = [];
  readBackupFile(backup, name, (chunk) => void chunks.push(Buffer.from(chunk)));
  return Buffer.concat(chunks).toString("utf8");
}

function entriesOf(path: string): readonly TarEntry[] {
  try {
    return listTar(path, BACKUP_FOLDER);
  } catch (cause) {
    if (cause instanceof Problem) throw cause;
    throw new Problem("backup-read", "the backup cannot be read", {
      where: path,
      got: cause instanceof Error ? cause.message : String(cause),
      hint: "check the path, and that this user may read it",
      cause,
    });
  }
}

const MOST_MANIFEST_BYTES = 64 * 1024;

function textIn({ path, entries }: Pick<OpenedBackup, "path" | "entries">, name: string): string {
  const entry = entries.get(name);
  if (entry === undefined || entry.bytes > MOST_MANIFEST_BYTES) throw damaged(path, `${name} is missing`);
  const chunks: Buffer[] = [];
  readChunks(path, (chunk) => void chunks.push(Buffer.from(chunk)), entry);
  return Buffer.concat(chunks).toString("utf8");
}

function manifestOf(text: string, path: string): BackupManifest {
  try {
    return manifestSchema.parse(JSON.parse(text));
  } catch {
    throw damaged(path, "its manifest is of another version or damaged");
  }
}

function damaged(path: string, got: string): Problem {
  return new Problem("backup-format", "not a whole backup", {
    where: path,
    got,
    hint: "take another copy of it; a backup of a later version wants that version",
  });
}
