import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { Problem } from "../../attest/problem.ts";
import { LastLines } from "./last-lines.ts";

/** Longer than the agent needs for its last commit, checkpoint and receipt. */
const STOP_MS = 20_000;
const READY_MS = 30_000;

/** How a child process ended. */
interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ProgramOptions {
  readonly args: readonly string[];
  /** Called for each message on the channel to the child. */
  readonly onMessage?: (message: unknown) => void;
}

/** One command of this program, run as a process of its own by the same launcher and the same Node. */
export class Program {
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #errors = new LastLines();
  readonly #ended: Promise<Ending>;
  readonly #killAtExit = (): void => this.#kill("SIGKILL");
  #stopping = false;
  /** Rejects when the process ends without having been told to. */
  readonly died: Promise<never>;

  constructor(name: string, { args, onMessage }: ProgramOptions) {
    this.#name = name;
    // The channel also ends with this process, however that ends, and tells the child.
    const stdio: StdioOptions = ["ignore", "pipe", "pipe", "ipc"];
    // A process group of its own: Ctrl-C reaches only the demo, which then stops its children in order.
    const options = { stdio, detached: true };
    this.#child = spawn(process.execPath, [...nodeFlags(), launcher(), ...args], options);
    this.#ended = this.#ending();
    this.died = this.#ended.then((ending) => this.#death(ending));
    // Raced where it matters; nobody may be racing when it comes.
    this.died.catch(() => {});
    this.#readErrors(this.#child.stderr);
    this.#child.stdout?.resume();
    if (onMessage !== undefined) this.#child.on("message", onMessage);
    process.on("exit", this.#killAtExit);
  }

  /** The first line on the child's standard output. Throws `demo-child` when it ends or stays silent. */
  async firstLine(): Promise<string> {
    const { stdout } = this.#child;
    if (stdout === null) throw new Problem("demo-child", `${this.#name} has no standard output`);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(this.#silent()), READY_MS);
      // The child keeps this process alive; when it is gone there is nothing to wait for.
      timer.unref();
    });
    const line = new Promise<string>((resolve) => createInterface({ input: stdout }).once("line", resolve));
    try {
      return await Promise.race([line, late, this.died]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Its newest line about something that went wrong, if it wrote any. */
  get lastProblem(): string | undefined {
    return this.#errors.lastProblem;
  }

  /** SIGTERM and, when that is not obeyed in time, SIGKILL. Gives the exit code; null after a signal. */
  async stop(): Promise<number | null> {
    this.#stopping = true;
    this.#kill("SIGTERM");
    const killer = setTimeout(() => this.#kill("SIGKILL"), STOP_MS);
    const { code } = await this.#ended;
    clearTimeout(killer);
    return code;
  }

  #kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  #readErrors(stream: Readable | null): void {
    if (stream === null) return;
    createInterface({ input: stream }).on("line", (line) => this.#errors.add(line));
  }

  /** Resolves when the process is gone and everything that it sent has been read. */
  #ending(): Promise<Ending> {
    return new Promise((resolve) => {
      const end = (ending: Ending): void => {
        process.off("exit", this.#killAtExit);
        resolve(ending);
      };
      this.#child.once("error", (cause) => {
        this.#errors.add(cause.message);
        end({ code: 1, signal: null });
      });
      this.#child.once("close", (code, signal) => end({ code, signal }));
    });
  }

  #death({ code, signal }: Ending): Promise<never> {
    if (this.#stopping) return new Promise(() => {});
    const how = signal === null ? `with exit code ${code}` : `by ${signal}`;
    const last = this.lastProblem;
    const got = last === undefined ? {} : { got: `at last: ${last}` };
    return Promise.reject(new Problem("demo-child", `the ${this.#name} process ended ${how}`, got));
  }

  #silent(): Problem {
    return new Problem("demo-child", `the ${this.#name} process does not say that it is ready`, {
      expected: `a line within ${READY_MS / 1000} s`,
      got: this.lastProblem ?? "nothing",
    });
  }
}

/** The plain JavaScript launcher: beside this folder in the sources, two floors up beside dist/ in what ships. */
function launcher(): string {
  const places = ["../kilowitness.js", "../../../bin/kilowitness.js"];
  const paths = places.map((place) => fileURLToPath(new URL(place, import.meta.url)));
  const found = paths.find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new Problem("demo-launcher", "the launcher is missing", {
    expected: `one of ${paths.join(", ")}`,
    hint: "install the package again",
  });
}

/** Flags that Node was started with, but for those of a debugger, whose port is taken. */
function nodeFlags(): string[] {
  return process.execArgv.filter((flag) => !flag.startsWith("--inspect"));
}
