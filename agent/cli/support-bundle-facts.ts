import { existsSync, readFileSync, statfsSync } from "node:fs";
import { arch, cpus, freemem, loadavg, release, totalmem, uptime } from "node:os";
import { dirname } from "node:path";
import { toHex } from "../../attest/bytes.ts";
import type { ChannelManifest } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { VERSION } from "../../runtime/version.ts";
import { Journal } from "../journal/journal.ts";
import { journalFiles } from "../outlet/disk.ts";

/** The machine: what a question "does it also happen to others?" is decided by. */
export function systemFacts(journal: string | undefined): object {
  return {
    kilowitness: VERSION,
    node: process.version,
    ...{ kernel: release(), architecture: arch(), cpus: cpus().length, model: model(), system: systemName() },
    ...{ uptimeSeconds: Math.floor(uptime()), loadAverage: loadavg() },
    memory: { totalBytes: totalmem(), freeBytes: freemem() },
    disk: journal === undefined ? undefined : disk(dirname(journal)),
    time: {
      now: new Date().toISOString(),
      timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
      // By systemd-timesyncd; other programs leave no such file.
      timesyncd: existsSync("/run/systemd/timesync/synchronized"),
    },
    user: { id: process.getuid?.(), groups: process.getgroups?.() },
  };
}

function model(): string | undefined {
  return firstLine("/proc/device-tree/model")?.replaceAll("\u0000", "");
}

function systemName(): string | undefined {
  const text = textOf("/etc/os-release") ?? "";
  return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(text)?.[1];
}

function firstLine(path: string): string | undefined {
  return textOf(path)?.split("\n", 1)[0];
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // Not on every machine.
    return undefined;
  }
}

function disk(folder: string): object {
  try {
    const { bavail, blocks, bsize, ffree } = statfsSync(folder);
    return { totalBytes: blocks * bsize, freeBytes: bavail * bsize, freeFiles: ffree };
  } catch (cause) {
    return { problem: String(cause) };
  }
}

/** The journal in numbers, and whose readings are in it; opened as a reader, while the agent may be writing. */
export function journalFacts(path: string): JournalFacts {
  const files = journalFiles(path);
  const journal = new Journal(path, "reader");
  try {
    return {
      ...files,
      epochs: journal.atOnce(() => journal.epochs().map((epoch) => epochFacts(journal, epoch))),
    };
  } finally {
    journal.close();
  }
}

export interface JournalFacts {
  readonly bytes: number;
  readonly freeBytes?: number;
  readonly epochs: readonly EpochFacts[];
}

interface EpochFacts {
  readonly epoch: number;
  readonly leaves: number;
  readonly signedLeaves: number;
  /** By the node's key, how far it has receipted. */
  readonly receiptedLeaves: Readonly<Record<string, number>>;
  readonly channels: readonly Pick<
    ChannelManifest,
    "name" | "role" | "make" | "model" | "serial" | "driver"
  >[];
}

function epochFacts(journal: Journal, epoch: number): EpochFacts {
  const manifests = journal
    .channelManifestSeqs(epoch)
    .flatMap((seq) => journal.leaves(epoch, seq, seq + 1).map((bytes) => decodeLeaf(bytes)))
    .filter((leaf) => leaf.kind === "channelManifest");
  return {
    epoch,
    leaves: journal.size(epoch),
    signedLeaves: journal.lastCheckpoint(epoch)?.size ?? 0,
    receiptedLeaves: Object.fromEntries(
      journal.receiptNodes().map((key) => [toHex(key), journal.receiptedSize(epoch, key)]),
    ),
    channels: manifests.map(({ name, role, make, model: type, serial, driver }) => ({
      ...{ name, role, make, model: type, serial, driver },
    })),
  };
}
