import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { join } from "node:path";
import { Problem } from "../../../attest/problem.ts";

/** Written while there is room, the smaller ones last. */
const PIECES = [1024 ** 2, 64 * 1024, 4096];

/** An ext4 file system of its own in a file, soon full. */
export class SmallDisk {
  readonly folder: string;
  readonly #image: string;
  readonly #hog: string;

  private constructor(folder: string, image: string) {
    this.folder = folder;
    this.#image = image;
    this.#hog = join(folder, "hog");
  }

  /** Makes and mounts it in `folder`. Throws `disk-mount` with the plain reason where this user or machine cannot. */
  static mount(folder: string, mebibytes: number): SmallDisk {
    const image = `${folder}.ext4`;
    mkdirSync(folder, { recursive: true });
    command("dd", ["if=/dev/zero", `of=${image}`, "bs=1M", `count=${mebibytes}`]);
    // No blocks kept back for root, who is the one that fills it.
    command("mkfs.ext4", ["-q", "-F", "-m", "0", image]);
    command("mount", ["-o", "loop", image, folder]);
    return new SmallDisk(folder, image);
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.folder);
    return bavail * bsize;
  }

  /** Somebody else takes all that is left. */
  fill(): void {
    const hog = openSync(this.#hog, "a");
    try {
      for (const bytes of PIECES) fillWith(hog, Buffer.alloc(bytes, 1));
    } finally {
      closeSync(hog);
    }
  }

  /** And gives it back. */
  free(): void {
    rmSync(this.#hog, { force: true });
  }

  close(): void {
    command("umount", ["-l", this.folder]);
    rmSync(this.#image, { force: true });
  }
}

function fillWith(file: number, piece: Buffer): void {
  try {
    for (;;) writeSync(file, piece);
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "ENOSPC")) throw cause;
  }
}

function command(name: string, args: readonly string[]): void {
  const { error, status, stderr } = spawnSync(name, args, { encoding: "utf8" });
  if (error === undefined && status === 0) return;
  throw new Problem("disk-mount", `a small ext4 file system cannot be made here: ${name} failed`, {
    got: error?.message ?? stderr.trim(),
    hint: "run as root, where loop devices may be mounted",
  });
}
