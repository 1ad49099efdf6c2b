import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Problem } from "../../attest/problem.ts";
import type { HolderMessage, HolderOrder, HolderSettings, HolderTask } from "./holder-messages.ts";
import type { Relay, RelayShown } from "./relay.ts";

/** Pauses before a lost holder is started again, and how long an answer and an end may take. */
export interface HolderTimes {
  readonly firstRetryMs: number;
  readonly longestRetryMs: number;
  readonly answerMs: number;
}

const TIMES: HolderTimes = { firstRetryMs: 1000, longestRetryMs: 60_000, answerMs: 15_000 };
/** So many words within the time of silence: one that is late does no harm. */
const BEATS = 4;
const STOP_MS = 5000;
const MOST_WORDS = 500;
/** It needs next to no heap; left to itself V8 would take what a server may need. */
const SMALL = ["--max-old-space-size=32", "--max-semi-space-size=1"];

/** Beside this file: as source here, compiled in what ships. */
const PROGRAM = new URL(import.meta.url.endsWith(".ts") ? "./holder.ts" : "./holder.js", import.meta.url);

interface Question {
  readonly resolve: (shown: RelayShown) => void;
  readonly reject: (problem: Problem) => void;
  readonly deadline: NodeJS.Timeout;
}

/** Holds the lines of relays in a process of its own, tells it that this one lives, and starts it again when it is lost. */
export class RelayHolder {
  readonly #settings: HolderSettings;
  readonly #times: HolderTimes;
  readonly #questions = new Map<number, Question>();
  readonly #beats: NodeJS.Timeout;
  #child: ChildProcess | undefined;
  #ended: Promise<void> = Promise.resolve();
  #asked = 0;
  #retry: NodeJS.Timeout | undefined;
  #failures = 0;
  #begun = false;
  #stopped = false;
  #lastProblem: Problem | undefined;

  constructor(settings: HolderSettings, times: HolderTimes = TIMES) {
    this.#settings = settings;
    this.#times = times;
    this.#beats = setInterval(() => this.#send({ beat: true }), Math.ceil(settings.silenceMs / BEATS));
    this.#beats.unref();
  }

  /** The holding process, while there is one. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resolves when every line is held in its position of the start. @throws Problem `gpioset-…`, `relay-holder-lost` */
  async start(): Promise<void> {
    if (this.#stopped) throw stopped();
    await this.#launch();
    this.#begun = true;
  }

  /** As {@link start}, and again and again where it fails: commands say why meanwhile. */
  keep(): void {
    if (this.#stopped) return;
    this.#begun = true;
    this.#launch().catch(() => undefined);
  }

  /** @throws Problem `relay-unknown` */
  relay(name: string): Relay {
    const settings = this.#settings.outputs.find((output) => output.name === name);
    if (settings === undefined) throw new Problem("relay-unknown", "there is no such output", { got: name });
    return {
      states: settings.states,
      set: (position, leaseMs) => this.#ask(name, { kind: "set", position, leaseMs }),
      release: () => this.#ask(name, { kind: "release" }),
      shown: () => this.#ask(name, { kind: "show" }),
    };
  }

  /** Every output goes to its `onExit`. Never throws, may be called twice. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#retry);
    clearInterval(this.#beats);
    const child = this.#child;
    child?.kill("SIGTERM");
    const deadline = setTimeout(() => child?.kill("SIGKILL"), STOP_MS);
    await this.#ended;
    clearTimeout(deadline);
  }

  /** Resolves when it holds the lines, rejects when it has ended before. */
  #launch(): Promise<void> {
    const child = spawn(
      process.execPath,
      [...SMALL, fileURLToPath(PROGRAM), JSON.stringify(this.#settings)],
      // A process group of its own: what ends this one by its group does not end the guards of the lines.
      { stdio: ["ignore", "ignore", "pipe", "ipc"], detached: true },
    );
    this.#child = child;
    let words = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      words = `${words}${text}`.slice(-MOST_WORDS);
    });
    let failure: Problem | undefined;
    return new Promise((resolve, reject) => {
      child.on("message", (message: HolderMessage) => {
        if (message.kind === "failed") failure = new Problem(message.code, message.message);
        else if (message.kind === "ready") resolve();
        else this.#answered(message);
      });
      this.#ended = new Promise((over) => {
        const end = (how: string): void => {
          const why = failure ?? lost(words.trim() === "" ? how : `${how}: ${words.trim()}`);
          this.#lost(child, this.#stopped ? stopped() : why);
          reject(why);
          over();
        };
        child.once("error", (error) => end(error.message));
        // Not "close": the guards of the lines, which outlive it, have nothing to say here.
        child.once("exit", (code, signal) => end(`ended with ${signal ?? `code ${code}`}`));
      });
    });
  }

  #lost(child: ChildProcess, problem: Problem): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    this.#lastProblem = problem;
    for (const ask of [...this.#questions.keys()]) this.#take(ask)?.reject(problem);
    // Before it has held the lines for the first time, start() says why not.
    if (this.#stopped || !this.#begun) return;
    const { firstRetryMs, longestRetryMs } = this.#times;
    const pauseMs = Math.min(longestRetryMs, firstRetryMs * 2 ** Math.min(this.#failures, 30));
    this.#failures += 1;
    this.#retry = setTimeout(() => {
      this.#launch().catch(() => undefined);
    }, pauseMs);
  }

  #ask(output: string, task: HolderTask): Promise<RelayShown> {
    const child = this.#child;
    if (this.#stopped) return Promise.reject(stopped());
    if (child === undefined || !child.connected) return Promise.reject(notHeld(this.#lastProblem));
    this.#asked += 1;
    const ask = this.#asked;
    return new Promise((resolve, reject) => {
      // Its end rejects the question, and has the guards set the defined state.
      const deadline = setTimeout(() => child.kill("SIGKILL"), this.#times.answerMs);
      this.#questions.set(ask, { resolve, reject, deadline });
      this.#send({ ask, output, task });
    });
  }

  #send(order: HolderOrder): void {
    if (this.#child?.connected === true) this.#child.send(order, () => undefined);
  }

  #answered(message: HolderMessage & { readonly kind: "shown" | "refused" }): void {
    const question = this.#take(message.ask);
    if (message.kind === "refused") question?.reject(new Problem(message.code, message.message));
    else {
      this.#failures = 0;
      question?.resolve(message.shown);
    }
  }

  #take(ask: number): Question | undefined {
    const question = this.#questions.get(ask);
    clearTimeout(question?.deadline);
    this.#questions.delete(ask);
    return question;
  }
}

function lost(how: string): Problem {
  return new Problem("relay-holder-lost", "the process that holds the lines has ended", {
    got: how,
    hint: "the outputs went to their state of a loss; it is started again by itself",
  });
}

function notHeld(last: Problem | undefined): Problem {
  return new Problem("relay-not-held", "nobody holds the lines at present", {
    ...(last === undefined ? {} : { got: last.message, cause: last }),
    hint: "the process that does is started again by itself",
  });
}

function stopped(): Problem {
  return new Problem("relay-closed", "the relay was closed");
}
