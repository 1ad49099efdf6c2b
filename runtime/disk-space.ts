import { statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";

/** Bytes of a file; undefined where there is none. Throws what the file system says of a folder that is closed. */
export function fileBytes(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}

/** Bytes of a database on disk: its file, and its write-ahead log. What is not there counts as nothing. */
export function fileSizes(path: string): { readonly file: number; readonly wal: number } {
  return { file: fileBytes(path) ?? 0, wal: fileBytes(`${path}-wal`) ?? 0 };
}

/** Bytes that an unprivileged user may still write beside a file; undefined where that cannot be asked. */
export function freeBytesBeside(path: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(dirname(path));
    return bavail * bsize;
  } catch {
    // Not every file system says so, and the folder may be gone.
    return undefined;
  }
}
