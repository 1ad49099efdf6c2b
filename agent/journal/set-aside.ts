import { existsSync, renameSync } from "node:fs";

/** The write-ahead log and its index belong to their database, and would damage another one. */
const SUFFIXES = ["-wal", "-shm"] as const;

/**
 * Renames a damaged database with all that belongs to it, never over another one and never deleting anything. Returns
 * the new name, which ends in the date. Throws what the file system throws.
 */
export function setAside(path: string, nowMs: number): string {
  const movedTo = freeName(path, nowMs);
  renameSync(path, movedTo);
  for (const suffix of SUFFIXES) moveIfThere(path + suffix, movedTo + suffix);
  return movedTo;
}

/**
 * Whoever was stopped while setting a database aside may have left its write-ahead log behind, which SQLite would delete
 * before it begins a new file.
 */
export function setStrayAside(path: string, nowMs: number): void {
  if (existsSync(path)) return;
  const movedTo = freeName(path, nowMs);
  for (const suffix of SUFFIXES) moveIfThere(path + suffix, movedTo + suffix);
}

function freeName(path: string, nowMs: number): string {
  const date = new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, "");
  const name = `${path}.damaged-${date}`;
  const taken = (candidate: string): boolean =>
    ["", ...SUFFIXES].some((suffix) => existsSync(candidate + suffix));
  let free = name;
  for (let number = 2; taken(free); number++) free = `${name}-${number}`;
  return free;
}

function moveIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "ENOENT")) throw cause;
  }
}
