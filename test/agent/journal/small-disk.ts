import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, statfsSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A file system of its own that is soon full. Only root can make one. */
export class SmallDisk {
  readonly folder: string;
  readonly #hog: string;

  private constructor(folder: string) {
    this.folder = folder;
    this.#hog = join(folder, "hog");
  }

  /** Undefined where this user may mount nothing. */
  static mount(bytes: number): SmallDisk | undefined {
    const folder = mkdtempSync(join(tmpdir(), "kw-disk-"));
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", folder], { stdio: "ignore" });
      return new SmallDisk(folder);
    } catch {
      rmSync(folder, { recursive: true });
      return undefined;
    }
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.folder);
    return bavail * bsize;
  }

  /** Somebody else takes all of it but that. */
  fill(leaveBytes = 0): void {
    const hog = openSync(this.#hog, "a");
    try {
      const block = Buffer.alloc(4096, 1);
      while (this.freeBytes > leaveBytes) writeSync(hog, block);
    } catch (cause) {
      if (!(cause instanceof Error && "code" in cause && cause.code === "ENOSPC")) throw cause;
    } finally {
      closeSync(hog);
    }
  }

  /** And gives it back. */
  free(): void {
    rmSync(this.#hog, { force: true });
  }

  clear(): void {
    for (const name of readdirSync(this.folder)) rmSync(join(this.folder, name), { recursive: true });
  }

  close(): void {
    execFileSync("umount", ["-l", this.folder]);
    rmSync(this.folder, { recursive: true });
  }
}
