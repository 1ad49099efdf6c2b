import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";

const PRIVATE = 0o600;

/** Writes a small file, 0600, so that a power cut leaves it whole or as it was before. */
export function replaceDurably(path: string, text: string): void {
  renameSync(writeBeside(path, text), path);
  syncFolder(dirname(path));
}

/** As {@link replaceDurably}, but never over an existing file: throws `EEXIST`. */
export function createDurably(path: string, text: string): void {
  const temporary = writeBeside(path, text);
  try {
    linkSync(temporary, path);
  } finally {
    rmSync(temporary, { force: true });
  }
  syncFolder(dirname(path));
}

function writeBeside(path: string, text: string): string {
  const temporary = `${path}.new`;
  rmSync(temporary, { force: true });
  const file = openSync(temporary, "wx", PRIVATE);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return temporary;
}

/**
 * Makes a folder and those above it; one that is there stays as it is. Throws what the system says.
 *
 * Not `mkdirSync` with `recursive`: where a folder takes no new ones and calls them not found, as /proc does, that never ends.
 */
export function makeFolder(path: string, mode?: number): void {
  if (existsSync(path) && statSync(path).isDirectory()) return;
  const above = dirname(path);
  if (above !== path && !existsSync(above)) makeFolder(above, mode);
  mkdirSync(path, mode);
}

/** A new name is durable only when the folder that holds it is. */
function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
