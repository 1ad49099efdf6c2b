import { type ChildProcessWithoutNullStreams, execFile, spawn } from "node:child_process";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { Problem } from "../../attest/problem.ts";
import { endsWithParent } from "../child/guarded.ts";
import { lastWords } from "../child/last-words.ts";
import { type GpiosetMajor, holdCommand, touchCommand } from "./gpioset.ts";
import { type GuardWord, guardScript } from "./guard-script.ts";
import { quietStart } from "./libgpiod.ts";
import { LINE_HINT, lineName, type OutputLine } from "./line.ts";

/** Longer than any line takes; a program that hangs holds nothing that could be relied on. */
const LONGEST_START_MS = 5000;
/** A guard that has not let go of the line by then never will. */
const LONGEST_END_MS = 5000;
/** Of a program that sets a level and ends. */
const TOUCH = { timeout: LONGEST_START_MS, killSignal: "SIGKILL" } as const;
/** The line that says it is one of the first words. */
const MOST_WORDS = 500;

export interface HeldLineEnd {
  readonly atExit: boolean;
  readonly atLoss: boolean;
  /** The line is held no more, though nobody has asked for it. */
  readonly onLost: (problem: Problem) => void;
}

interface Guard {
  readonly process: ChildProcessWithoutNullStreams;
  /** With the reason, when gpioset has ended. */
  readonly unheld: Promise<Problem>;
  readonly over: Promise<void>;
  isWanted: boolean;
}

/**
 * One line that is held at a level by gpioset, under a guard that sets the defined level when this process is gone.
 * A change lets go of the line and takes it anew: of two levels the line shows the one or the other meanwhile.
 */
export class HeldLine {
  readonly #major: GpiosetMajor;
  readonly #output: OutputLine;
  readonly #end: HeldLineEnd;
  #guard: Guard | undefined;
  #active: boolean | undefined;

  constructor(major: GpiosetMajor, output: OutputLine, end: HeldLineEnd) {
    this.#major = major;
    this.#output = output;
    this.#end = end;
  }

  /** The level that is held; undefined where none is. */
  get active(): boolean | undefined {
    return this.#active;
  }

  /** Resolves when gpioset holds the level. @throws Problem `gpioset-ended` */
  async set(active: boolean): Promise<void> {
    if (this.#active === active) return;
    await this.#leave("release");
    const guard = this.#start(active);
    this.#guard = guard;
    const late = new AbortController();
    const failed = await Promise.race([this.#held(guard), guard.unheld, this.#late(late.signal)]);
    late.abort();
    if (failed !== undefined) {
      await this.#leave("loss");
      throw failed;
    }
    this.#active = active;
    void guard.unheld.then((problem) => {
      if (!guard.isWanted) return;
      this.#active = undefined;
      this.#end.onLost(problem);
    });
  }

  /** Sets the level of a regular end, and lets go of the line. May be called twice. */
  async exit(): Promise<void> {
    await this.#leave("exit");
  }

  /** The same with the level of a loss: what the guard does of itself when this process is gone. */
  async lose(): Promise<void> {
    await this.#leave("loss");
  }

  async #leave(word: GuardWord | "loss"): Promise<void> {
    const guard = this.#guard;
    if (guard === undefined) return;
    this.#guard = undefined;
    this.#active = undefined;
    guard.isWanted = false;
    guard.process.stdin.end(`${word}\n`);
    const late = setTimeout(() => guard.process.kill("SIGKILL"), LONGEST_END_MS);
    await guard.over;
    clearTimeout(late);
    // It hung, or somebody has killed it: what it would have done is done here.
    if (guard.process.signalCode !== null && word !== "release") await this.#touch(word);
  }

  /** Never throws: what is left to do then is the wiring's. */
  async #touch(word: "exit" | "loss"): Promise<void> {
    const { atExit, atLoss } = this.#end;
    const [program = "", ...words] = touchCommand(
      this.#major,
      this.#output,
      word === "exit" ? atExit : atLoss,
    );
    await promisify(execFile)(program, words, TOUCH).catch(() => undefined);
  }

  #start(active: boolean): Guard {
    const script = guardScript({
      hold: holdCommand(this.#major, this.#output, active),
      atExit: touchCommand(this.#major, this.#output, this.#end.atExit),
      atLoss: touchCommand(this.#major, this.#output, this.#end.atLoss),
    });
    const child = spawn("/bin/sh", ["-c", script], { stdio: "pipe" });
    const words = lastWords(child.stderr);
    // A guard that is gone cannot be told anything; its end is seen elsewhere.
    child.stdin.on("error", () => undefined);
    const unheld = new Promise<Problem>((resolve) => {
      child.once("error", (error) => resolve(this.#ended(error.message)));
      // gpioset is the only one who still has this end of the pipe open.
      child.stdout.once("close", () => setImmediate(() => resolve(this.#ended(words()))));
    });
    const over = new Promise<void>((resolve) => {
      child.once("error", () => resolve());
      child.once("close", () => resolve());
    });
    return { process: child, unheld, over, isWanted: true };
  }

  #held({ process: child }: Guard): Promise<undefined> {
    return new Promise((resolve) => {
      if (this.#major === 1)
        void quietStart(endsWithParent(["gpioset", "--version"])).then(() => resolve(undefined));
      let text = "";
      child.stdout.setEncoding("utf8").on("data", (more: string) => {
        text = `${text}${more}`.slice(0, MOST_WORDS);
        if (text.startsWith("Setting line")) resolve(undefined);
      });
    });
  }

  async #late(signal: AbortSignal): Promise<Problem> {
    await pause(LONGEST_START_MS, undefined, { signal }).catch(() => undefined);
    return this.#ended(`nothing for ${LONGEST_START_MS} ms`);
  }

  #ended(words: string): Problem {
    return new Problem("gpioset-ended", "gpioset does not hold the line", {
      where: lineName(this.#output),
      got: words === "" ? "it has ended without a word" : words,
      hint: LINE_HINT,
    });
  }
}
