import { existsSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const LIBRARY = "libfaketimeMT.so.1";

/** Where libfaketime lies; undefined where it is not installed. */
export function faketimeLibrary(): string | undefined {
  const folders = ["/usr/lib", "/usr/lib64", "/usr/local/lib"].flatMap((root) =>
    existsSync(root) ? [root, ...readdirSync(root).map((name) => join(root, name))] : [],
  );
  return folders.map((folder) => join(folder, "faketime", LIBRARY)).find((path) => existsSync(path));
}

/** The wall clock of one program, which the harness sets while it runs; its monotonic clock goes on as it is. */
export class FakedClock {
  readonly env: Readonly<Record<string, string>>;
  readonly #file: string;

  constructor(folder: string, library: string) {
    this.#file = join(folder, "clock-offset");
    this.set(0);
    this.env = {
      ...{ LD_PRELOAD: library, FAKETIME_TIMESTAMP_FILE: this.#file, FAKETIME_NO_CACHE: "1" },
      ...{ DONT_FAKE_MONOTONIC: "1", NO_FAKE_STAT: "1" },
    };
  }

  /** So many seconds ahead of the machine's clock, or behind it. */
  set(seconds: number): void {
    writeFileSync(`${this.#file}.new`, seconds < 0 ? `${seconds}` : `+${seconds}`);
    renameSync(`${this.#file}.new`, this.#file);
  }
}
