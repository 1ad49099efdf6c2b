import { type ChildProcess, spawn } from "node:child_process";
import { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { describeProblem, Problem } from "../../attest/problem.ts";
import type { FromChild, ToChild } from "./child-messages.ts";
import { endText, lastWords, withWords } from "./last-words.ts";

/** Shortest and longest pause before a lost process is started again, and how long an answer may take. */
export interface AskedTimes {
  readonly firstRetryMs: number;
  readonly longestRetryMs: number;
  readonly answerMs: number;
}

export interface AskedProgram<Ready> {
  /** As {@link programBeside} names it. */
  readonly path: string;
  /** What it is told when it begins, as JSON in its only argument. */
  readonly settings: unknown;
  readonly times: AskedTimes;
  /** What it has started is killed when it ends, whichever way that is; otherwise that ends in its own way. */
  readonly takesAlong: boolean;
  readonly problems: AskedProblems;
  /** Each time that it has begun. */
  readonly onReady?: (ready: Ready) => void;
  /** It has not answered for `answerMs`, and is killed. */
  readonly onSilent?: () => void;
}

/** The words of its trade. */
export interface AskedProblems {
  /** It has ended by itself. */
  lost(how: string): Problem;
  /** It is asked while there is none; with why the last one ended. */
  absent(last: Problem | undefined): Problem;
  closed(): Problem;
}

const STOP_MS = 5000;
const MOST_DOUBLINGS = 30;
/** It needs next to no heap; left to itself V8 would take what a server may need. */
const SMALL = ["--max-old-space-size=32", "--max-semi-space-size=1"];

interface Question<Answer> {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (problem: Problem) => void;
  readonly deadline: NodeJS.Timeout;
}

/** The program of that name beside a module (`import.meta.url`): as source here, compiled in what ships. */
export function programBeside(module: string, name: string): string {
  return fileURLToPath(new URL(`./${name}.${module.endsWith(".ts") ? "ts" : "js"}`, module));
}

/** A process of its own that does one thing and is asked about it; it is started again, with growing pauses, when it is lost. */
export class AskedProcess<Asking, Answer, Ready = unknown> {
  readonly #program: AskedProgram<Ready>;
  readonly #questions = new Map<number, Question<Answer>>();
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #asked = 0;
  #retry: NodeJS.Timeout | undefined;
  #failures = 0;
  #begun = false;
  #stopped = false;
  /** Whether this process waits for that one. */
  #isAwaited = true;
  #lastProblem: Problem | undefined;
  /** One that is killed for its silence. */
  #silentChild: ChildProcess | undefined;

  constructor(program: AskedProgram<Ready>) {
    this.#program = program;
  }

  /** While there is one. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resolves when it is ready. @throws Problem its own, `lost` or `closed` */
  async start(): Promise<void> {
    if (this.#stopped) throw this.#program.problems.closed();
    await this.#launch();
  }

  /** As {@link start}, and again and again where it fails: {@link ask} says why meanwhile. */
  keep(): void {
    if (this.#stopped) return;
    this.#begun = true;
    this.#launch().catch(() => undefined);
  }

  /** @throws Problem `absent`, `lost`, `closed`, and what the process refuses */
  ask(question: Asking): Promise<Answer> {
    const child = this.#child;
    const { problems, times } = this.#program;
    if (this.#stopped) return Promise.reject(problems.closed());
    if (child === undefined || !child.connected) return Promise.reject(problems.absent(this.#lastProblem));
    this.#asked += 1;
    const ask = this.#asked;
    return new Promise((resolve, reject) => {
      const deadline = setTimeout(() => this.#silent(child), times.answerMs);
      this.#questions.set(ask, { resolve, reject, deadline });
      this.#send({ ask, question });
    });
  }

  /** From here on this process may end although there is one, or would be again; that one then sees nobody. */
  unref(): void {
    this.#await(false);
  }

  /** As it is from the beginning. */
  ref(): void {
    this.#await(true);
  }

  /** Says that somebody is there. */
  beat(): void {
    this.#send({ beat: true });
  }

  /** Never throws, may be called twice. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#retry);
    const child = this.#child;
    child?.kill("SIGTERM");
    const deadline = setTimeout(() => this.#kill(child), STOP_MS);
    await this.#ended;
    clearTimeout(deadline);
  }

  /** Resolves when it is ready, rejects when it has ended before. */
  #launch(): Promise<void> {
    const { problems } = this.#program;
    const child = this.#spawned();
    if (child instanceof Problem) return Promise.reject(child);
    this.#child = child;
    if (!this.#isAwaited) this.#await(false);
    const words = lastWords(child.stderr);
    let failure: Problem | undefined;
    return new Promise((resolve, reject) => {
      child.on("message", (message: FromChild<Answer, Ready>) => {
        if (message.kind === "failed") failure = new Problem(message.code, message.message);
        else if (message.kind === "ready") {
          this.#ready(message.ready);
          resolve();
        } else this.#answered(message);
      });
      this.#ended = new Promise((over) => {
        const end = (how: string): void => {
          const problem = this.#stopped
            ? problems.closed()
            : (failure ?? problems.lost(withWords(this.#howEnded(child, how), words())));
          this.#lost(child, problem);
          reject(problem);
          over();
        };
        child.once("error", (error) => end(error.message));
        // Behind "close" all that it has said has been read.
        child.once("close", (code, signal) => end(endText(code, signal)));
      });
    });
  }

  /** A process, or why there is none: without memory, or with too much to tell it, there is not even one that fails. */
  #spawned(): ChildProcess | Problem {
    const { path, settings, problems } = this.#program;
    try {
      return spawn(
        process.execPath,
        [...SMALL, path, JSON.stringify(settings)],
        // A process group of its own: what ends this one by its group ends neither it nor what it has started.
        { stdio: ["ignore", "ignore", "pipe", "ipc"], detached: true },
      );
    } catch (error) {
      const problem = problems.lost(describeProblem(error).message);
      this.#lastProblem = problem;
      this.#again();
      return problem;
    }
  }

  #await(isAwaited: boolean): void {
    this.#isAwaited = isAwaited;
    const how = isAwaited ? "ref" : "unref";
    const child = this.#child;
    this.#retry?.[how]();
    child?.[how]();
    child?.channel?.[how]();
    if (child?.stderr instanceof Socket) child.stderr[how]();
  }

  #ready(ready: Ready): void {
    this.#begun = true;
    this.#lastProblem = undefined;
    this.#program.onReady?.(ready);
  }

  #lost(child: ChildProcess, problem: Problem): void {
    if (this.#program.takesAlong) killGroup(child);
    if (this.#child !== child) return;
    this.#child = undefined;
    this.#lastProblem = problem;
    for (const ask of [...this.#questions.keys()]) this.#take(ask)?.reject(problem);
    this.#again();
  }

  /** Before it was ready for the first time, start() says why not. */
  #again(): void {
    if (this.#stopped || !this.#begun) return;
    const { firstRetryMs, longestRetryMs } = this.#program.times;
    const pauseMs = Math.min(longestRetryMs, firstRetryMs * 2 ** Math.min(this.#failures, MOST_DOUBLINGS));
    this.#failures += 1;
    this.#retry = setTimeout(() => {
      this.#launch().catch(() => undefined);
    }, pauseMs);
    if (!this.#isAwaited) this.#retry.unref();
  }

  #send(message: ToChild<Asking>): void {
    if (this.#child?.connected === true) this.#child.send(message, () => undefined);
  }

  #answered(message: FromChild<Answer, Ready> & { readonly kind: "answer" | "refused" }): void {
    const question = this.#take(message.ask);
    if (message.kind === "refused") question?.reject(new Problem(message.code, message.message));
    else {
      this.#failures = 0;
      question?.resolve(message.answer);
    }
  }

  #take(ask: number): Question<Answer> | undefined {
    const question = this.#questions.get(ask);
    clearTimeout(question?.deadline);
    this.#questions.delete(ask);
    return question;
  }

  /** A signal says nothing where it was sent from here. */
  #howEnded(child: ChildProcess, how: string): string {
    if (this.#silentChild !== child) return how;
    return `did not answer for ${this.#program.times.answerMs} ms, and was killed`;
  }

  /** Its end rejects the question. */
  #silent(child: ChildProcess): void {
    this.#silentChild = child;
    this.#program.onSilent?.();
    this.#kill(child);
  }

  #kill(child: ChildProcess | undefined): void {
    if (child === undefined) return;
    if (this.#program.takesAlong) killGroup(child);
    else child.kill("SIGKILL");
  }
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nobody of the group is left.
  }
}
