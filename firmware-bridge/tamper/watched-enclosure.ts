import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { describeProblem, Problem } from "../../attest/problem.ts";
import { endGuarded, endsWithParent, spawnGuarded } from "../child/guarded.ts";
import { endText, lastWords } from "../child/last-words.ts";
import { type GpiomonMajor, gpiomonArguments, gpiomonEdge } from "../gpio/gpiomon.ts";
import { type InputLine, LINE_HINT, lineName } from "../gpio/line.ts";
import { isActive, knownMajor } from "./input-level.ts";
import type { TamperEvent, TamperInput, TamperListener, TamperState } from "./tamper.ts";
import { type TamperChange, TamperFilter, type TamperFilterSettings } from "./tamper-filter.ts";

export interface EnclosureSettings {
  readonly input: string;
  /** Active is opened. A contact that a closed lid keeps closed, to ground, makes a cut wire an opening. */
  readonly line: InputLine;
  readonly openedMs: number;
  readonly closedMs: number;
  /** How often somebody looks, whatever the edges say. */
  readonly lookSeconds: number;
  readonly retryMs: number;
}

/** What an installer need not think about. */
export const USUAL_ENCLOSURE: Omit<EnclosureSettings, "input" | "line"> = {
  ...{ openedMs: 50, closedMs: 10_000, lookSeconds: 60, retryMs: 10_000 },
};

const NS_PER_MS = 1_000_000n;
/** With this, `timeout` (coreutils) says that the time was up. */
const TIME_IS_UP = 124;
/** A program that ignores its end is left to its guard: the agent's own end must not wait for it. */
const LONGEST_END_MS = 5000;

/**
 * Watches a contact with gpiomon, which has the kernel's own time of each edge and keeps what happens while this process is busy.
 * gpiomon tells no level and never ends, so it is started under `timeout`, and between two of them gpioget looks: what was
 * missed is found then. A guard ends it when this process is gone, so that nobody keeps the line who was left behind.
 */
export class WatchedEnclosure implements TamperInput {
  readonly #settings: EnclosureSettings;
  readonly #times: TamperFilterSettings;
  #listener: TamperListener | undefined;
  #filter: TamperFilter | undefined;
  #lookedNs = 0n;
  /** Since when nobody watches, if that is so. */
  #unwatchedNs: bigint | undefined;
  #program: ChildProcessWithoutNullStreams | undefined;
  #due: NodeJS.Timeout | undefined;
  #wake: () => void = () => undefined;
  #stopped = false;
  #work: Promise<void> = Promise.resolve();

  constructor(settings: EnclosureSettings) {
    this.#settings = settings;
    const { openedMs, closedMs } = settings;
    this.#times = { openedNs: BigInt(openedMs) * NS_PER_MS, closedNs: BigInt(closedMs) * NS_PER_MS };
  }

  start(listener: TamperListener): void {
    if (this.#listener !== undefined || this.#stopped) return;
    this.#listener = listener;
    this.#work = this.#watch(listener);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#due);
    if (this.#program !== undefined) endGuarded(this.#program);
    this.#wake();
    await Promise.race([this.#work, sleep(LONGEST_END_MS, undefined, { ref: false })]);
  }

  async #watch(listener: TamperListener): Promise<void> {
    while (!this.#stopped) {
      try {
        const major = await knownMajor();
        this.#looked(await isActive(major, this.#settings.line), listener);
        if (!this.#stopped) await this.#edges(major, listener);
      } catch (error) {
        if (this.#stopped) return;
        this.#unwatchedNs ??= process.hrtime.bigint();
        listener.onProblem(problemOf(error));
        await this.#pause();
      }
    }
  }

  #looked(active: boolean, listener: TamperListener): void {
    const nowNs = process.hrtime.bigint();
    const state = stateOf(active);
    const before = this.#filter;
    const unwatchedNs = this.#unwatchedNs;
    if (before === undefined || unwatchedNs !== undefined) {
      const gap = unwatchedNs === undefined ? {} : { unwatchedMs: msBetween(unwatchedNs, nowNs) };
      this.#tell(listener, { state, how: "watching", ...gap });
      this.#filter = new TamperFilter(this.#times, { state, sinceNs: nowNs });
    } else if (isNews(before, state)) {
      this.#tell(listener, { state, how: "found", agoMs: msBetween(this.#lookedNs, nowNs) });
      this.#filter = new TamperFilter(this.#times, { state, sinceNs: nowNs });
    } else {
      this.#changed(before.push({ state, sinceNs: nowNs }), listener);
      this.#schedule(listener);
    }
    this.#unwatchedNs = undefined;
    this.#lookedNs = nowNs;
  }

  /** Resolves when it is time to look again, rejects when nobody watches any more. */
  #edges(major: GpiomonMajor, listener: TamperListener): Promise<void> {
    const { line, lookSeconds } = this.#settings;
    // Whichever of them is killed, nobody is left behind who has the line, and whom nobody would end.
    const gpiomon = endsWithParent(["gpiomon", ...gpiomonArguments(major, line)]);
    const program = spawnGuarded(endsWithParent(["timeout", String(lookSeconds), ...gpiomon]));
    this.#program = program;
    const said = lastWords(program.stderr);
    const lines = createInterface({ input: program.stdout });
    lines.on("line", (text) => this.#line(major, text, listener));
    return new Promise((resolve, reject) => {
      program.once("error", reject);
      program.once("close", (code, signal) => {
        if (code === TIME_IS_UP || this.#stopped) resolve();
        else reject(unwatched(line, said() === "" ? endText(code, signal) : said()));
      });
    });
  }

  #line(major: GpiomonMajor, text: string, listener: TamperListener): void {
    const edge = gpiomonEdge(major, text);
    if (edge === undefined || this.#filter === undefined) return;
    const nowNs = process.hrtime.bigint();
    // Kernels before 5.7 stamp with the wall clock, which is half a century ahead: then it is now.
    const sinceNs = edge.timeNs > nowNs ? nowNs : edge.timeNs;
    this.#changed(this.#filter.push({ state: stateOf(edge.active), sinceNs }), listener);
    this.#schedule(listener);
  }

  #settle(listener: TamperListener): void {
    this.#changed(this.#filter?.settle(process.hrtime.bigint()), listener);
    this.#schedule(listener);
  }

  #schedule(listener: TamperListener): void {
    clearTimeout(this.#due);
    const dueNs = this.#filter?.dueNs();
    if (dueNs === undefined || this.#stopped) return;
    const inMs = msBetween(process.hrtime.bigint(), dueNs) + 1;
    this.#due = setTimeout(() => this.#settle(listener), inMs);
  }

  #changed(change: TamperChange | undefined, listener: TamperListener): void {
    if (change === undefined) return;
    const { state, sinceNs } = change;
    this.#tell(listener, { state, how: "edge", agoMs: msBetween(sinceNs, process.hrtime.bigint()) });
  }

  #tell(listener: TamperListener, event: Omit<TamperEvent, "input">): void {
    if (!this.#stopped) listener.onTamper({ input: this.#settings.input, ...event });
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.#settings.retryMs);
      this.#wake = (): void => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Neither what is believed, nor a level whose edge was seen and that has to last a little. */
function isNews(filter: TamperFilter, state: TamperState): boolean {
  return state !== filter.state && filter.dueNs() === undefined;
}

function stateOf(active: boolean): TamperState {
  return active ? "opened" : "closed";
}

function msBetween(fromNs: bigint, toNs: bigint): number {
  return toNs <= fromNs ? 0 : Number((toNs - fromNs) / NS_PER_MS);
}

function unwatched(line: InputLine, got: string): Problem {
  return new Problem("tamper-unwatched", "nobody watches the enclosure", {
    ...{ where: lineName(line), got, hint: LINE_HINT },
  });
}

function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem("tamper-unwatched", "nobody watches the enclosure", {
    got: describeProblem(error).message,
    hint: "it is tried again by itself; where that does not help, look whether gpiomon, timeout and sh can be run",
    cause: error,
  });
}
