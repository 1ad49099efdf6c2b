import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { AgentStatus } from "../../../agent/status.ts";

export const LAUNCHER: string = fileURLToPath(new URL("../../../bin/kilowitness.js", import.meta.url));

export interface RunningOptions {
  /** What the program is started by, such as a tracer and its options. */
  readonly under?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Whether it tells this process what it accepts; default true. The node does not. */
  readonly tells?: boolean;
}

/** How a process ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export type Line = Readonly<Record<string, unknown>>;

interface Waiter {
  check(): boolean;
  fail(why: string): void;
}

/** A program of ours as a process of its own, and what it says: states to wait for instead of times. */
export class Running {
  readonly child: ChildProcess;
  /** Everything that it printed as JSON lines, in order. */
  readonly lines: Line[] = [];
  /** Readings that it said it accepted. */
  accepted = 0;
  status: AgentStatus | undefined;
  text = "";
  ending: Ending | undefined;
  readonly ended: Promise<Ending>;
  readonly #waiters = new Set<Waiter>();

  constructor(args: readonly string[], options: RunningOptions = {}) {
    const command = [...(options.under ?? []), process.execPath, LAUNCHER, ...args];
    this.child = spawn(command[0] ?? "", command.slice(1), {
      stdio: options.tells === false ? ["ignore", "pipe", "pipe"] : ["ignore", "pipe", "pipe", "ipc"],
      env: { ...process.env, ...options.env },
    });
    this.#listen(this.child.stdout);
    this.#listen(this.child.stderr);
    this.child.on("message", (message) => this.#told(message as Line));
    this.ended = new Promise((resolve) => {
      this.child.on("close", (code, signal) => {
        this.ending = { code, signal };
        resolve(this.ending);
        this.#look();
      });
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Its process is gone when this resolves. */
  async kill(signal: NodeJS.Signals): Promise<Ending> {
    this.child.kill(signal);
    return this.ended;
  }

  /** The first line with that event among all, or among those from the `from`th on. */
  event(
    name: string,
    { from = 0, withinMs = 30_000 }: { readonly from?: number; readonly withinMs?: number } = {},
  ): Promise<Line> {
    return this.until(`event ${name}`, withinMs, () =>
      this.lines.slice(from).find((line) => line["event"] === name),
    );
  }

  /** Until the first reading is sealed. */
  accepting(): Promise<true> {
    return this.until("a reading that is sealed", 60_000, () => (this.accepted > 0 ? true : undefined));
  }

  /** Whether its first node has answered, and still is there. */
  get connected(): boolean {
    return this.status?.nodes[0]?.connected === true;
  }

  /** The first defined answer, asked whenever the program says something. Rejects when it ends, or after the deadline. */
  until<T>(what: string, withinMs: number, ask: () => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(deadline);
        this.#waiters.delete(waiter);
      };
      const waiter: Waiter = {
        check: () => {
          const answer = ask();
          if (answer === undefined) return false;
          done();
          resolve(answer);
          return true;
        },
        fail: (why) => {
          done();
          reject(new Error(`${why}, and not ${what}; it printed:\n${this.text.slice(-4000)}`));
        },
      };
      const deadline = setTimeout(() => waiter.fail(`${withinMs} ms have passed`), withinMs);
      this.#waiters.add(waiter);
      this.#look();
    });
  }

  #listen(stream: NodeJS.ReadableStream | null): void {
    let rest = "";
    stream?.on("data", (chunk: Buffer) => {
      this.text += chunk.toString();
      const lines = (rest + chunk.toString()).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line.startsWith("{")) this.lines.push(JSON.parse(line) as Line);
      this.#look();
    });
  }

  #told(message: Line): void {
    if (message["event"] === "accepted") this.accepted += 1;
    if (message["event"] === "status") this.status = message as unknown as AgentStatus;
    this.#look();
  }

  #look(): void {
    for (const waiter of [...this.#waiters]) {
      if (!waiter.check() && this.ending !== undefined)
        waiter.fail(`the program ended with ${this.ending.code ?? this.ending.signal}`);
    }
  }
}
