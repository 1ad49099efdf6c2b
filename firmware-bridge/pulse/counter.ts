import { Problem } from "../../attest/problem.ts";
import { AskedByParent, runAsked } from "../child/asked-by-parent.ts";
import type { Asked, ToChild } from "../child/child-messages.ts";
import { gpiomonMajor } from "../gpio/gpiomon.ts";
import type { Edge } from "../gpio/line.ts";
import {
  type CounterReady,
  type CounterSettings,
  type CountInText,
  type CountQuestion,
  countToText,
} from "./counter-messages.ts";
import type { EdgeSource } from "./edge-source.ts";
import { GpiomonSource } from "./gpiomon-source.ts";
import { PulseFilter } from "./pulse-filter.ts";
import type { PulseCount } from "./pulse-source.ts";
import { RecentTimes } from "./recent-times.ts";
import { RegisterFile } from "./register-file.ts";
import { lockRegister } from "./register-lock.ts";
import { OnoffSource } from "./sysfs.ts";

/*
 * The counting process: a program of its own that counts the pulses of one line and does nothing else. It speaks only when it
 * is asked, and ends when whoever asks is gone.
 */

const NS_PER_MS = 1_000_000n;
/** Nobody asks, or the agent is held up: then as much is lost at the most when the power goes. */
const SAVE_EVERY_MS = 60_000;
/** Without pulses only how long the count is known, so seldom: 24 writes a day. */
const SAVE_UNCHANGED_MS = 3_600_000;

interface CounterParts {
  readonly register: RegisterFile;
  readonly source: EdgeSource;
  readonly parent: AskedByParent<CountInText, CounterReady>;
}

class Counter {
  readonly #settings: CounterSettings;
  readonly #register: RegisterFile;
  readonly #filter: PulseFilter;
  readonly #times = new RecentTimes();
  readonly #source: EdgeSource;
  readonly #parent: AskedByParent<CountInText, CounterReady>;
  #count: number;
  #isCounting = false;

  constructor(settings: CounterSettings, { register, source, parent }: CounterParts) {
    this.#settings = settings;
    this.#register = register;
    this.#source = source;
    this.#parent = parent;
    this.#count = register.count;
    this.#filter = new PulseFilter({
      minPulseNs: BigInt(settings.minPulseMs) * NS_PER_MS,
      minGapNs: BigInt(settings.minGapMs) * NS_PER_MS,
    });
  }

  async begin(): Promise<void> {
    await this.#source.start({
      onEdge: (edge) => this.#edge(edge),
      onEnd: (problem) => void this.#parent.end("loss", problem),
    });
    if (this.#parent.isEnding) return;
    this.#isCounting = true;
    setInterval(() => this.#parent.inTurn(() => this.#saveSeldom()), SAVE_EVERY_MS);
    const { savedBeforeMs, mended } = this.#register;
    const known = savedBeforeMs === undefined ? {} : { savedBeforeMs };
    await this.#parent.say({ kind: "ready", ready: { through: this.#settings.through, ...known, mended } });
  }

  #edge(edge: Edge): void {
    const beganNs = this.#filter.push(edge);
    if (beganNs === undefined) return;
    this.#count += 1;
    this.#times.add(beganNs);
  }

  /** One save at a time; a count that cannot be kept is none, and ends the process. */
  async answer({ ask }: Asked<CountQuestion>): Promise<void> {
    const count = this.#now();
    if (count.count !== this.#register.count) await this.#register.save(count.count, Date.now());
    await this.#parent.say({ kind: "answer", ask, answer: countToText(count) });
  }

  async #saveSeldom(): Promise<void> {
    const nowMs = Date.now();
    const isChanged = this.#count !== this.#register.count;
    if (isChanged || Math.abs(nowMs - this.#register.savedAtMs) >= SAVE_UNCHANGED_MS)
      await this.#register.save(this.#count, nowMs);
  }

  #now(): PulseCount {
    const recent = this.#times.recent();
    const { tooShort, repeated } = this.#filter;
    const count = { count: this.#count, atNs: process.hrtime.bigint(), tooShort, repeated };
    return recent === undefined ? count : { ...count, recent };
  }

  /** Resolves behind the last edge. */
  async stop(): Promise<void> {
    await this.#source.stop();
  }

  /** The last save; who has not begun to count has nothing to say. */
  async saveLast(): Promise<void> {
    if (this.#isCounting) await this.#register.save(this.#count, Date.now());
  }
}

async function sourceFor(settings: CounterSettings): Promise<EdgeSource> {
  if (settings.through === "onoff") return new OnoffSource(settings, settings.sysfsRoot);
  const major = await gpiomonMajor();
  if (major !== undefined) return new GpiomonSource(major, settings);
  if (settings.through === "auto") return new OnoffSource(settings, settings.sysfsRoot);
  throw new Problem("pulse-gpiomon-missing", "there is no gpiomon", {
    hint: "Debian: apt install gpiod",
  });
}

/** It begins as it goes on, in turn: so it also ends while it begins. */
async function count(settings: CounterSettings): Promise<void> {
  let counter: Counter | undefined;
  const parent = new AskedByParent<CountInText, CounterReady>(async (_how, work) => {
    await counter?.stop();
    await work;
    await counter?.saveLast();
  });
  parent.begin();
  process.on("message", (told: ToChild<CountQuestion>) => {
    if ("ask" in told) parent.inTurn(async () => await counter?.answer(told));
  });
  parent.inTurn(async () => {
    const source = await sourceFor(settings);
    // Before the file is read: whoever counted before may be about to save.
    await lockRegister(settings.registerFile);
    const register = await RegisterFile.open(settings.registerFile, settings.basis, Date.now());
    if (parent.isEnding) return;
    counter = new Counter(settings, { register, source, parent });
    await counter.begin();
  });
}

runAsked(count);
