import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { describeProblem, Problem } from "../../attest/problem.ts";
import { endGuarded, spawnGuarded } from "../child/guarded.ts";
import { endText, lastWords, withWords } from "../child/last-words.ts";
import { type GpiomonMajor, gpiomonArguments, gpiomonEdge } from "../gpio/gpiomon.ts";
import { quietStart } from "../gpio/libgpiod.ts";
import { type Edge, type InputLine, LINE_HINT, lineName } from "../gpio/line.ts";
import type { EdgeListener, EdgeSource } from "./edge-source.ts";

const NS_PER_S = 1_000_000_000n;
const MOST_WORDS = 500;
/** Longer than any line takes, on a machine that has just been switched on as well: a program that hangs watches nothing. */
const LONGEST_START_MS = 10_000;
/** A program that ignores its end is left to its guard; what was counted must not wait for it. */
const LONGEST_END_MS = 5000;

/** Edges from gpiomon, which waits at the character device and has the kernel's own time of each. */
export class GpiomonSource implements EdgeSource {
  readonly #major: GpiomonMajor;
  readonly #input: InputLine;
  readonly #longestStartMs: number;
  #program: ChildProcessWithoutNullStreams | undefined;
  #ended: Promise<void> = Promise.resolve();
  #words: () => string = () => "";
  #failure: Problem | undefined;
  #stopping = false;

  constructor(major: GpiomonMajor, input: InputLine, longestStartMs: number = LONGEST_START_MS) {
    this.#major = major;
    this.#input = input;
    this.#longestStartMs = longestStartMs;
  }

  async start(listener: EdgeListener): Promise<void> {
    const program = spawnGuarded(["gpiomon", ...gpiomonArguments(this.#major, this.#input)]);
    this.#program = program;
    this.#words = lastWords(program.stderr);
    const lines = createInterface({ input: program.stdout });
    const printed = new Promise<void>((resolve) => {
      lines.once("close", resolve);
    });
    const over = this.#over(program, printed);
    this.#ended = over.then(() => undefined);
    const begun = new Promise<void>((resolve) => {
      if (this.#major === 1) void quietStart(["gpiomon", "--version"]).then(resolve);
      lines.on("line", (text) => this.#line(text, resolve, listener));
    });
    const late = new AbortController();
    const failed = await Promise.race([begun, over, this.#late(late.signal)]);
    late.abort();
    if (failed !== undefined) {
      this.#end();
      throw failed;
    }
    void over.then((problem) => {
      if (!this.#stopping) listener.onEnd(problem);
    });
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#end();
    await Promise.race([this.#ended, pause(LONGEST_END_MS, undefined, { ref: false })]);
  }

  /** Resolves with the reason when the program has ended. */
  #over(program: ChildProcessWithoutNullStreams, printed: Promise<void>): Promise<Problem> {
    return new Promise((resolve) => {
      program.once("error", (cause) => resolve(this.#endProblem(describeProblem(cause).message)));
      // Behind "close" all output has been read, and readline may still hold the last of it.
      program.once("close", (code, signal) => {
        void printed.then(() => resolve(this.#endProblem(endText(code, signal))));
      });
    });
  }

  async #late(signal: AbortSignal): Promise<Problem> {
    await pause(this.#longestStartMs, undefined, { signal }).catch(() => undefined);
    return new Problem("pulse-gpiomon-silent", "gpiomon does not say that it watches the line", {
      where: lineName(this.#input),
      got: withWords(`nothing for ${this.#longestStartMs} ms`, this.#words()),
      hint: "run gpiomon at this line by hand; where it hangs as well, restart the machine",
    });
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
    this.#end();
  }

  #end(): void {
    if (this.#program !== undefined) endGuarded(this.#program);
  }

  #endProblem(how: string): Problem {
    if (this.#failure !== undefined) return this.#failure;
    return new Problem("pulse-gpiomon-ended", "gpiomon does not watch the line", {
      where: lineName(this.#input),
      got: withWords(how, this.#words()),
      hint: LINE_HINT,
    });
  }
}

function outputProblem(text: string): Problem {
  return new Problem("pulse-gpiomon-output", "gpiomon prints something else than edges", {
    got: JSON.stringify(text.slice(0, MOST_WORDS)),
    hint: "have gpiomon be the one of Debian's package gpiod, version 1.6 or 2; a wrapper must print nothing of its own",
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
