import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const LAUNCHER = fileURLToPath(new URL("../../bin/kilowitness.js", import.meta.url));

/** A started program of ours: what it printed, and ways to wait for it and to end it. */
export class Program {
  readonly child: ChildProcess;
  stdout = "";
  stderr = "";
  readonly #exit: Promise<number | undefined>;

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.child = spawn(process.execPath, [LAUNCHER, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    this.child.stdout?.on("data", (chunk: Buffer) => {
      this.stdout += chunk.toString();
    });
    this.child.stderr?.on("data", (chunk: Buffer) => {
      this.stderr += chunk.toString();
    });
    this.#exit = new Promise((resolve) => {
      this.child.on("close", (code) => resolve(code ?? undefined));
    });
  }

  /** Exit status once it has ended; undefined when a signal ended it. */
  async exited(): Promise<number | undefined> {
    return this.#exit;
  }

  async kill(signal: NodeJS.Signals): Promise<number | undefined> {
    this.child.kill(signal);
    return this.#exit;
  }

  /** The first JSON line on standard output or error whose `event` is this, within the deadline. */
  async event(name: string, withinMs = 60_000): Promise<Readonly<Record<string, unknown>>> {
    return eventually(`event ${name}; it printed:\n${this.stderr}`, withinMs, () =>
      jsonLines(`${this.stdout}\n${this.stderr}`).find((line) => line["event"] === name),
    );
  }
}

/** Runs a command to its end. */
export async function run(
  args: readonly string[],
): Promise<{ code: number | undefined; stdout: string; stderr: string }> {
  const program = new Program(args);
  const code = await program.exited();
  return { code, stdout: program.stdout, stderr: program.stderr };
}

/** All lines of text that are JSON objects. */
export function jsonLines(text: string): Readonly<Record<string, unknown>>[] {
  return text.split("\n").flatMap((line) => {
    if (!line.startsWith("{")) return [];
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? [value as Readonly<Record<string, unknown>>] : [];
  });
}

/** The first defined answer of `ask`, asked every 50 ms until the deadline. */
export async function eventually<T>(
  what: string,
  withinMs: number,
  ask: () => T | undefined | Promise<T | undefined>,
): Promise<T> {
  const end = performance.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > end) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
