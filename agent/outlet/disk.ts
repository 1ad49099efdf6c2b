import { readFileSync } from "node:fs";
import { fileSizes, freeBytesBeside } from "../../runtime/disk-space.ts";

/** The journal on its card. */
export interface JournalFiles {
  /** The database with its write-ahead log. */
  readonly bytes: number;
  /** What this user may still write on the file system that holds it. */
  readonly freeBytes?: number;
}

/** Sizes of a database and of the file system under it; what cannot be asked is left out or counts as nothing. */
export function journalFiles(path: string): JournalFiles {
  const { file, wal } = fileSizes(path);
  const freeBytes = freeBytesBeside(path);
  return { bytes: file + wal, ...(freeBytes === undefined ? {} : { freeBytes }) };
}

/** How much was written, over how long. */
export interface Written {
  readonly bytes: number;
  readonly overMs: number;
}

const DAY_MS = 86_400_000;
const EVERY_MS = 600_000;

/**
 * What this process had the kernel write to disks in the last 24 h, or since it started: every byte of it counts, the
 * write-ahead log and its folding-in too, because every byte wears the card. (`write_bytes` of proc(5), `/proc/pid/io`.)
 */
export class DiskWrites {
  readonly #read: () => number | undefined;
  readonly #now: () => number;
  readonly #samples: { readonly atMs: number; readonly bytes: number }[] = [];

  constructor(read: () => number | undefined = writeBytes, now: () => number = () => performance.now()) {
    this.#read = read;
    this.#now = now;
    this.sample();
  }

  /** To be called now and then; keeps one sample for ten minutes. */
  sample(): void {
    const atMs = this.#now();
    const last = this.#samples.at(-1);
    if (last !== undefined && atMs - last.atMs < EVERY_MS) return;
    const bytes = this.#read();
    if (bytes === undefined) return;
    this.#samples.push({ atMs, bytes });
    // The oldest one that is left is the last one from before the day.
    while ((this.#samples[1]?.atMs ?? atMs) <= atMs - DAY_MS) this.#samples.shift();
  }

  /** Undefined where the kernel does not say. */
  written(): Written | undefined {
    const [first] = this.#samples;
    const bytes = this.#read();
    if (first === undefined || bytes === undefined) return undefined;
    return { bytes: bytes - first.bytes, overMs: this.#now() - first.atMs };
  }
}

function writeBytes(): number | undefined {
  try {
    const found = /^write_bytes: (\d+)$/m.exec(readFileSync("/proc/self/io", "utf8"))?.[1];
    return found === undefined ? undefined : Number(found);
  } catch {
    // Not Linux, or a kernel that does not count.
    return undefined;
  }
}
