import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Problem } from "../../attest/problem.ts";
import { type CounterMessage, type CounterSettings, countFromText } from "./counter-messages.ts";
import type { CountingGap, PulseCount, PulseReading, PulseSource } from "./pulse-source.ts";

/** Shortest and longest pause before a lost counter is started again, and how long an answer may take. */
export interface CountingTimes {
  readonly firstRetryMs: number;
  readonly longestRetryMs: number;
  readonly answerMs: number;
}

/** A card that stalls holds up an answer for seconds; a process that hangs never answers. */
const TIMES: CountingTimes = { firstRetryMs: 1000, longestRetryMs: 60_000, answerMs: 60_000 };
const STOP_MS = 5000;
const MOST_WORDS = 500;
const MOST_TOLD = 8;
/** A counter needs next to no heap; left to itself V8 would take what a server may need. */
const SMALL = ["--max-old-space-size=32", "--max-semi-space-size=1"];

/** Beside this file: as source here, compiled in what ships. */
const PROGRAM = new URL(import.meta.url.endsWith(".ts") ? "./counter.ts" : "./counter.js", import.meta.url);

interface Question {
  readonly resolve: (count: PulseCount) => void;
  readonly reject: (problem: Problem) => void;
  readonly deadline: NodeJS.Timeout;
}

/** Counts in a process of its own, starts it again when it is lost, and says how long nobody counted. */
export class CountingProcess implements PulseSource {
  readonly #settings: CounterSettings;
  readonly #times: CountingTimes;
  readonly #questions = new Map<number, Question>();
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #asked = 0;
  #retry: NodeJS.Timeout | undefined;
  #failures = 0;
  #stopped = false;
  #lastProblem: Problem | undefined;
  /** When the count was last known, ms since 1970 UTC. */
  #knownMs: number | undefined;
  #gaps: CountingGap[] = [];
  #notes: string[] = [];

  constructor(settings: CounterSettings, times: CountingTimes = TIMES) {
    this.#settings = settings;
    this.#times = times;
  }

  /** The counting process, while there is one. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async start(): Promise<void> {
    if (this.#stopped) throw stopped();
    await this.#launch();
  }

  async read(): Promise<PulseReading> {
    if (this.#stopped) throw stopped();
    const count = await this.#ask();
    this.#knownMs = Date.now();
    const gaps = this.#gaps.splice(0);
    return { ...count, gaps, notes: this.#notes.splice(0) };
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#retry);
    const child = this.#child;
    if (child === undefined) return await this.#ended;
    child.kill("SIGTERM");
    const deadline = setTimeout(() => killGroup(child), STOP_MS);
    await this.#ended;
    clearTimeout(deadline);
  }

  /** Resolves when it counts, rejects when it has ended before. */
  #launch(): Promise<void> {
    const child = spawn(
      process.execPath,
      [...SMALL, fileURLToPath(PROGRAM), JSON.stringify(this.#settings)],
      // A process group of its own: what it has started ends with it, whichever way it ends.
      { stdio: ["ignore", "ignore", "pipe", "ipc"], detached: true },
    );
    this.#child = child;
    let words = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      words = `${words}${text}`.slice(-MOST_WORDS);
    });
    let failure: Problem | undefined;
    return new Promise((resolve, reject) => {
      child.on("message", (message: CounterMessage) => {
        if (message.kind === "failed") failure = new Problem(message.code, message.message);
        else if (message.kind === "count") this.#answered(message.ask, countFromText(message.count));
        else {
          this.#ready(message);
          resolve();
        }
      });
      this.#ended = new Promise((over) => {
        const end = (how: string): void => {
          killGroup(child);
          const why = failure ?? lost(words.trim() === "" ? how : `${how}: ${words.trim()}`);
          const problem = this.#stopped ? stopped() : why;
          this.#lost(child, problem);
          reject(problem);
          over();
        };
        child.once("error", (error) => end(error.message));
        child.once("close", (code, signal) => end(`ended with ${signal ?? `code ${code}`}`));
      });
    });
  }

  #ready({ savedBeforeMs, mended }: CounterMessage & { readonly kind: "ready" }): void {
    this.#lastProblem = undefined;
    const fromMs = this.#knownMs ?? savedBeforeMs;
    this.#knownMs = Date.now();
    if (fromMs !== undefined) this.#gap({ fromMs, toMs: this.#knownMs });
    if (mended)
      this.#note(`one of the two copies of the count in ${this.#settings.registerFile} was damaged`);
  }

  /** Nobody reads, and it flaps: then many gaps become one, which is longer than they are. */
  #gap(gap: CountingGap): void {
    const last = this.#gaps.length < MOST_TOLD ? undefined : this.#gaps.pop();
    this.#gaps.push({ fromMs: last?.fromMs ?? gap.fromMs, toMs: gap.toMs });
  }

  #note(note: string): void {
    if (this.#notes.length < MOST_TOLD) this.#notes.push(note);
  }

  #lost(child: ChildProcess, problem: Problem): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    this.#lastProblem = problem;
    for (const ask of [...this.#questions.keys()]) this.#take(ask)?.reject(problem);
    // Before it has counted for the first time, start() says why not.
    if (this.#stopped || this.#knownMs === undefined) return;
    const { firstRetryMs, longestRetryMs } = this.#times;
    const pauseMs = Math.min(longestRetryMs, firstRetryMs * 2 ** Math.min(this.#failures, 30));
    this.#failures += 1;
    this.#retry = setTimeout(() => {
      this.#launch().catch(() => undefined);
    }, pauseMs);
  }

  #ask(): Promise<PulseCount> {
    const child = this.#child;
    if (child === undefined || !child.connected) return Promise.reject(notCounting(this.#lastProblem));
    this.#asked += 1;
    const ask = this.#asked;
    return new Promise((resolve, reject) => {
      const deadline = setTimeout(() => this.#silent(child), this.#times.answerMs);
      this.#questions.set(ask, { resolve, reject, deadline });
      child.send({ ask }, () => undefined);
    });
  }

  #answered(ask: number, count: PulseCount): void {
    this.#failures = 0;
    this.#take(ask)?.resolve(count);
  }

  #take(ask: number): Question | undefined {
    const question = this.#questions.get(ask);
    clearTimeout(question?.deadline);
    this.#questions.delete(ask);
    return question;
  }

  /** Its end rejects the question. */
  #silent(child: ChildProcess): void {
    this.#note(`the counter did not answer for ${this.#times.answerMs} ms and was ended`);
    killGroup(child);
  }
}

/** A counter that was killed leaves gpiomon behind, which would keep the line. */
function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nobody of the group is left.
  }
}

function lost(how: string): Problem {
  return new Problem("pulse-counter-lost", "the counting process has ended", {
    got: how,
    hint: "it is started again by itself; what flowed meanwhile is unknown",
  });
}

function notCounting(last: Problem | undefined): Problem {
  return new Problem("pulse-not-counting", "nobody counts at present", {
    ...(last === undefined ? {} : { got: last.message, cause: last }),
    hint: "counting is taken up again by itself",
  });
}

function stopped(): Problem {
  return new Problem("driver-closed", "the driver was closed");
}
