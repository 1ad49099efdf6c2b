import { describeProblem, Problem } from "../../attest/problem.ts";
import {
  type CounterMessage,
  type CounterSettings,
  type CountQuestion,
  countToText,
} from "./counter-messages.ts";
import type { EdgeSource } from "./edge-source.ts";
import { GpiomonSource, gpiomonMajor } from "./gpiomon.ts";
import { type Edge, PulseFilter } from "./pulse-filter.ts";
import type { PulseCount } from "./pulse-source.ts";
import { RecentTimes } from "./recent-times.ts";
import { RegisterFile } from "./register-file.ts";
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

class Counter {
  readonly #settings: CounterSettings;
  readonly #register: RegisterFile;
  readonly #filter: PulseFilter;
  readonly #times = new RecentTimes();
  readonly #source: EdgeSource;
  #count: number;
  #work: Promise<void> = Promise.resolve();
  #ending = false;

  constructor(settings: CounterSettings, register: RegisterFile, source: EdgeSource) {
    this.#settings = settings;
    this.#register = register;
    this.#source = source;
    this.#count = register.count;
    this.#filter = new PulseFilter({
      minPulseNs: BigInt(settings.minPulseMs) * NS_PER_MS,
      minGapNs: BigInt(settings.minGapMs) * NS_PER_MS,
    });
  }

  async run(): Promise<void> {
    await this.#source.start({
      onEdge: (edge) => this.#edge(edge),
      onEnd: (problem) => void this.#end(problem),
    });
    // Whoever asks was gone before the first edge could come.
    if (!process.connected) return await this.#end();
    process.once("disconnect", () => void this.#end());
    process.once("SIGTERM", () => void this.#end());
    process.on("message", (question: CountQuestion) => this.#inTurn(() => this.#answer(question)));
    setInterval(() => this.#inTurn(() => this.#saveSeldom()), SAVE_EVERY_MS);
    const { savedBeforeMs, mended } = this.#register;
    const known = savedBeforeMs === undefined ? {} : { savedBeforeMs };
    await say({ kind: "ready", through: this.#settings.through, ...known, mended });
  }

  #edge(edge: Edge): void {
    const beganNs = this.#filter.push(edge);
    if (beganNs === undefined) return;
    this.#count += 1;
    this.#times.add(beganNs);
  }

  /** One save at a time; what fails ends the process: a count that cannot be kept is none. */
  #inTurn(task: () => Promise<void>): void {
    this.#work = this.#work.then(async () => {
      if (!this.#ending) await task();
    });
    this.#work.catch((error: unknown) => void this.#end(error));
  }

  async #answer({ ask }: CountQuestion): Promise<void> {
    const count = this.#now();
    if (count.count !== this.#register.count) await this.#register.save(count.count, Date.now());
    await say({ kind: "count", ask, count: countToText(count) });
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

  /** The last edges, the last save, and out: with the problem, if there is one. */
  async #end(problem?: unknown): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    await this.#source.stop();
    await this.#work.catch(() => undefined);
    const failure = await this.#register.save(this.#count, Date.now()).catch((error: unknown) => error);
    await leave(problem ?? failure ?? undefined);
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

/** Resolves when the message is out of this process, or can go nowhere. */
function say(message: CounterMessage): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) resolve();
    else process.send(message, () => resolve());
  });
}

async function leave(problem: unknown): Promise<never> {
  if (problem !== undefined) await say({ kind: "failed", ...describeProblem(problem) });
  process.exit(problem === undefined ? 0 : 1);
}

async function main(): Promise<void> {
  const settings: CounterSettings = JSON.parse(process.argv[2] ?? "{}");
  const source = await sourceFor(settings);
  const register = await RegisterFile.open(settings.registerFile, settings.basis, Date.now());
  await new Counter(settings, register, source).run();
}

main().catch(leave);
