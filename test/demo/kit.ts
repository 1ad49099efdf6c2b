import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";

const LAUNCHER = join(import.meta.dirname, "../../bin/kilowitness.js");

/** The folder of captures beside the project; its absence skips what needs it. */
export const CORPORA: string = join(import.meta.dirname, "../../../shared/corpora");

interface Energy {
  readonly openingMwh: number;
  readonly closingMwh: number;
  readonly wh: number;
}

/** The last line of `demo --json`, as far as the tests look at it. */
export interface Result {
  readonly sealed: number;
  readonly receipted: number;
  readonly lost: number;
  readonly proof: string;
  readonly proofBytes: number;
  readonly trust: readonly [string, string];
  readonly verdict: string;
  readonly served: number;
  readonly accepted: number;
  readonly stored: number;
  readonly unserved: number;
  readonly channels: readonly {
    readonly name: string;
    readonly file?: string | undefined;
    readonly make: string;
    readonly sealed: number;
    readonly importMwh?: number | undefined;
    readonly exportMwh?: number | undefined;
    readonly tariffSum: boolean;
  }[];
  readonly proofs: readonly {
    readonly channel: string;
    readonly path: string;
    readonly verdict: string;
    readonly import?: Energy | undefined;
    readonly export?: Energy | undefined;
  }[];
}

const proofSchema = z.object({
  channel: z.string(),
  path: z.string(),
  verdict: z.string(),
  import: z.object({ openingMwh: z.int(), closingMwh: z.int(), wh: z.int() }).optional(),
  export: z.object({ openingMwh: z.int(), closingMwh: z.int(), wh: z.int() }).optional(),
});

const resultSchema: z.ZodType<Result> = z.object({
  sealed: z.int(),
  receipted: z.int(),
  lost: z.int(),
  proof: z.string(),
  proofBytes: z.int(),
  trust: z.tuple([z.string(), z.string()]),
  verdict: z.string(),
  served: z.int(),
  accepted: z.int(),
  stored: z.int(),
  unserved: z.int(),
  channels: z.array(
    z.object({
      name: z.string(),
      file: z.string().optional(),
      make: z.string(),
      sealed: z.int(),
      importMwh: z.int().optional(),
      exportMwh: z.int().optional(),
      tariffSum: z.boolean(),
    }),
  ),
  proofs: z.array(proofSchema),
});

/** A demo as a process of its own, in a folder of its own that also holds its temporary files. */
export class DemoProcess {
  readonly folder: string = mkdtempSync(join(tmpdir(), "kilowitness-test-"));
  readonly child: ChildProcess;
  stdout = "";
  stderr = "";
  readonly #ended: Promise<number | null>;

  constructor(...args: readonly string[]) {
    this.child = spawn(process.execPath, [LAUNCHER, "demo", ...args], {
      cwd: this.folder,
      env: { ...process.env, TMPDIR: this.folder },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.child.stdout?.on("data", (bytes: Buffer) => {
      this.stdout += bytes.toString();
    });
    this.child.stderr?.on("data", (bytes: Buffer) => {
      this.stderr += bytes.toString();
    });
    this.#ended = new Promise((resolve) => this.child.once("close", (code) => resolve(code)));
  }

  /** Its exit code; null after a signal. */
  ended(): Promise<number | null> {
    return this.#ended;
  }

  /** Resolves when standard output holds `text`; rejects when the process ends before. */
  async said(text: string): Promise<void> {
    let over = false;
    void this.#ended.then(() => {
      over = true;
    });
    while (!this.stdout.includes(text)) {
      if (over) throw new Error(`ended without ${JSON.stringify(text)}: ${this.stdout}${this.stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** The last line of standard output, as a result. */
  result(): Result {
    return resultSchema.parse(JSON.parse(this.stdout.trimEnd().split("\n").at(-1) ?? ""));
  }

  /** Processes whose command line names this demo's folder: its node and its agent. */
  children(command: "node" | "agent"): number[] {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .filter((pid) => {
        const args = commandLine(pid);
        return args.includes(command) && args.some((arg) => arg.startsWith(this.folder));
      })
      .map(Number);
  }

  /** What is left in its folder, but for proofs. */
  leftFiles(): string[] {
    return readdirSync(this.folder).filter((name) => !name.endsWith(".kwp"));
  }

  /** Ends it when it still runs, and removes its folder. */
  async dispose(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.#ended;
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Whether processes can be looked at here. */
export const HAS_PROC: boolean = existsSync("/proc/self/cmdline");

function commandLine(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    // It ended between the listing and the look.
    return [];
  }
}
