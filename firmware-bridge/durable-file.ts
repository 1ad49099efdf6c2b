import { open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

const PRIVATE = 0o600;

/** Resolves when the file is on disk with these bytes, mode 0600; a power cut leaves it, or what was there before. */
export async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.new`;
  await rm(temporary, { force: true });
  const file = await open(temporary, "wx", PRIVATE);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  const folder = await open(dirname(path), "r");
  await folder.sync().finally(() => folder.close());
}
