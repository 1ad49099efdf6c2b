import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { describeProblem, Problem } from "../../attest/problem.ts";
import type { EdgeListener, EdgeSource, InputLine } from "./edge-source.ts";
import type { Edge } from "./pulse-filter.ts";

/** Their command lines have nothing in common but the name. */
export type GpiomonMajor = 1 | 2;

const NS_PER_S = 1_000_000_000n;
/** Version 1 does not say that it watches; what it cannot do it says at once. */
const QUIET_START_MS = 300;
const MOST_WORDS = 500;

/**
 * Which gpiomon there is; undefined where there is none. Version 1 prints `gpiomon (libgpiod) v1.6.3`, version 2
 * `gpiomon v2.2.4 (libgpiod v2.2.4)`.
 *
 * @throws Problem `pulse-gpiomon-version`
 */
export async function gpiomonMajor(): Promise<GpiomonMajor | undefined> {
  try {
    const { stdout } = await promisify(execFile)("gpiomon", ["--version"]);
    const major = /\bv(\d+)\./.exec(stdout)?.[1];
    if (major === "1") return 1;
    if (major === "2") return 2;
    throw new Problem("pulse-gpiomon-version", "this version of gpiomon is not known", {
      expected: "version 1 or 2",
      got: JSON.stringify(stdout.slice(0, MOST_WORDS)),
    });
  } catch (cause) {
    if (cause instanceof Problem) throw cause;
    const { code, message } = describeProblem(cause);
    if (code === "ENOENT") return undefined;
    throw new Problem("pulse-gpiomon-version", "gpiomon cannot be run", { got: message, cause });
  }
}

/**
 * The command line that prints every edge of the line as {@link gpiomonEdge} reads it. Options of version 1 as of gpiomon
 * 1.6.3 (Debian 12, `--help`), of version 2 as of libgpiod v2.2.4, tools/gpiomon.c.
 */
export function gpiomonArguments(major: GpiomonMajor, input: InputLine): string[] {
  const { chip, line, activeLow, bias } = input;
  const low = activeLow ? ["--active-low"] : [];
  // Version 1 calls it "disable", and version 2 has no word for leaving it.
  const word = major === 1 && bias === "disabled" ? "disable" : bias;
  const options = bias === "as-is" ? low : [`--bias=${word}`, ...low];
  if (major === 1) return [...options, "--line-buffered", "--format=%e %s %n", chip, String(line)];
  const own = ["--banner", "--edges=both", "--event-clock=monotonic", "--format=%e %S"];
  return [...options, ...own, `--chip=${chip}`, String(line)];
}

/** The edge of one printed line, if it is one. */
export function gpiomonEdge(major: GpiomonMajor, text: string): Edge | undefined {
  // Version 1 prints nanoseconds without leading zeros: 5.000000042 s is "5 42".
  const form = major === 1 ? /^([01]) (\d+) (\d{1,9})$/ : /^([12]) (\d+)\.(\d{9})$/;
  const fields = form.exec(text);
  if (fields === null) return undefined;
  const [, kind, seconds = "", nanoseconds = ""] = fields;
  // Rising is 1 in both; falling is 0 in version 1 and 2 in version 2.
  return { active: kind === "1", timeNs: BigInt(seconds) * NS_PER_S + BigInt(nanoseconds) };
}

/** Edges from gpiomon, which waits at the character device and has the kernel's own time of each. */
export class GpiomonSource implements EdgeSource {
  readonly #major: GpiomonMajor;
  readonly #input: InputLine;
  #program: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #words = "";
  #failure: Problem | undefined;
  #stopping = false;

  constructor(major: GpiomonMajor, input: InputLine) {
    this.#major = major;
    this.#input = input;
  }

  async start(listener: EdgeListener): Promise<void> {
    const program = spawn("gpiomon", gpiomonArguments(this.#major, this.#input), {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#program = program;
    program.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#words = `${this.#words}${text}`.slice(-MOST_WORDS);
    });
    const lines = createInterface({ input: program.stdout });
    const printed = new Promise<void>((resolve) => {
      lines.once("close", resolve);
    });
    const over = new Promise<Problem>((resolve) => {
      program.once("error", (cause) => resolve(this.#endProblem(describeProblem(cause).message)));
      // Behind "close" all output has been read, and readline may still hold the last of it.
      program.once("close", (code, signal) => {
        void printed.then(() => resolve(this.#endProblem(`ended with ${signal ?? `code ${code}`}`)));
      });
    });
    this.#ended = over.then(() => undefined);
    const begun = new Promise<void>((resolve) => {
      if (this.#major === 1) setTimeout(resolve, QUIET_START_MS);
      lines.on("line", (text) => this.#line(text, resolve, listener));
    });
    const failed = await Promise.race([begun, over]);
    if (failed !== undefined) throw failed;
    void over.then((problem) => {
      if (!this.#stopping) listener.onEnd(problem);
    });
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#program?.kill("SIGTERM");
    await this.#ended;
  }

  #line(text: string, begun: () => void, listener: EdgeListener): void {
    if (text.startsWith("Monitoring line")) {
      begun();
      return;
    }
    const edge = gpiomonEdge(this.#major, text);
    const failure = edge === undefined ? outputProblem(text) : clockProblem(edge);
    if (failure !== undefined) this.#fail(failure);
    else if (edge !== undefined && this.#failure === undefined) listener.onEdge(edge);
  }

  #fail(problem: Problem): void {
    this.#failure ??= problem;
    this.#program?.kill("SIGTERM");
  }

  #endProblem(how: string): Problem {
    if (this.#failure !== undefined) return this.#failure;
    const { chip, line } = this.#input;
    const words = this.#words.trim();
    return new Problem("pulse-gpiomon-ended", "gpiomon does not watch the line", {
      where: `${chip} line ${line}`,
      got: words === "" ? how : `${how}: ${words}`,
      hint: "check chip and line with gpioinfo, the group of /dev/gpiochip*, and that no other program has the line",
    });
  }
}

function outputProblem(text: string): Problem {
  return new Problem("pulse-gpiomon-output", "gpiomon prints something else than edges", {
    got: JSON.stringify(text.slice(0, MOST_WORDS)),
  });
}

/**
 * Older kernels stamp edges with the wall clock, which can be set ("gpio: Switch timestamps to ktime_get_ns()"): then no
 * width of a pulse is sure. Such a time is half a century ahead of a clock that counts from the start of the machine.
 */
function clockProblem({ timeNs }: Edge): Problem | undefined {
  const nowNs = process.hrtime.bigint();
  if (timeNs <= nowNs + NS_PER_S) return undefined;
  return new Problem("pulse-kernel-clock", "the kernel's times of the edges are not of the monotonic clock", {
    expected: `at most ${nowNs} ns`,
    got: `${timeNs} ns`,
    hint: "use a newer kernel, or through: onoff",
  });
}
