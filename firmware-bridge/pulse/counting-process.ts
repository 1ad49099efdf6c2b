import { Problem } from "../../attest/problem.ts";
import { AskedProcess, type AskedTimes, programBeside } from "../child/asked-process.ts";
import {
  type CounterReady,
  type CounterSettings,
  type CountInText,
  type CountQuestion,
  countFromText,
} from "./counter-messages.ts";
import type { CountingGap, PulseReading, PulseSource } from "./pulse-source.ts";

/** A card that stalls holds up an answer for seconds; a process that hangs never answers. */
const TIMES: AskedTimes = { firstRetryMs: 1000, longestRetryMs: 60_000, answerMs: 60_000 };
const MOST_TOLD = 8;

/** Counts in a process of its own, starts it again when it is lost, and says how long nobody counted. */
export class CountingProcess implements PulseSource {
  readonly #registerFile: string;
  readonly #process: AskedProcess<CountQuestion, CountInText, CounterReady>;
  /** When the count was last known, ms since 1970 UTC. */
  #knownMs: number | undefined;
  #gaps: CountingGap[] = [];
  #notes: string[] = [];

  constructor(settings: CounterSettings, times: AskedTimes = TIMES) {
    this.#registerFile = settings.registerFile;
    this.#process = new AskedProcess({
      ...{ path: programBeside(import.meta.url, "counter"), settings, times },
      // gpiomon would keep the line.
      takesAlong: true,
      problems: { lost, absent: notCounting, closed },
      onReady: (ready: CounterReady) => this.#ready(ready),
      onSilent: () => this.#note(`the counter did not answer for ${times.answerMs} ms and was ended`),
    });
  }

  /** The counting process, while there is one. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  async start(): Promise<void> {
    await this.#process.start();
  }

  async read(): Promise<PulseReading> {
    const count = countFromText(await this.#process.ask("count"));
    this.#knownMs = Date.now();
    const gaps = this.#gaps.splice(0);
    return { ...count, gaps, notes: this.#notes.splice(0) };
  }

  async stop(): Promise<void> {
    await this.#process.stop();
  }

  #ready({ savedBeforeMs, mended }: CounterReady): void {
    const fromMs = this.#knownMs ?? savedBeforeMs;
    this.#knownMs = Date.now();
    if (fromMs !== undefined) this.#gap({ fromMs, toMs: this.#knownMs });
    if (mended) this.#note(`one of the two copies of the count in ${this.#registerFile} was damaged`);
  }

  /** Nobody reads, and it flaps: then many gaps become one, which is longer than they are. */
  #gap(gap: CountingGap): void {
    const last = this.#gaps.length < MOST_TOLD ? undefined : this.#gaps.pop();
    this.#gaps.push({ fromMs: last?.fromMs ?? gap.fromMs, toMs: gap.toMs });
  }

  #note(note: string): void {
    if (this.#notes.length < MOST_TOLD) this.#notes.push(note);
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
    // What it says to do is said here.
    ...(last === undefined ? {} : { got: last.detail.got ?? last.message, cause: last }),
    hint: "counting is taken up again by itself",
  });
}

function closed(): Problem {
  return new Problem("driver-closed", "the driver was closed");
}
