import { readFileSync } from "node:fs";

/** What a process holds in memory now, in MiB; 0 where the system does not say (only Linux does). */
export function rssMib(pid: number): number {
  try {
    const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return Math.round(Number(kib ?? 0) / 1024);
  } catch {
    return 0;
  }
}

/** Looks at a process's memory while something is done to it. */
export class MemoryWatch {
  readonly before: number;
  most: number;
  readonly #pid: number;
  readonly #timer: NodeJS.Timeout;

  constructor(pid: number) {
    this.#pid = pid;
    this.before = rssMib(pid);
    this.most = this.before;
    this.#timer = setInterval(() => this.#look(), 100);
  }

  /** What was found; it is not looked at any more. */
  end(): { readonly before: number; readonly most: number; readonly after: number } {
    clearInterval(this.#timer);
    this.#look();
    return { before: this.before, most: this.most, after: rssMib(this.#pid) };
  }

  #look(): void {
    this.most = Math.max(this.most, rssMib(this.#pid));
  }
}
