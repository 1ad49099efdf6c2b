import { describeProblem, Problem } from "../../attest/problem.ts";
import { type GpiosetMajor, gpiosetMajor } from "../gpio-output/gpioset.ts";
import { HeldOutput, monotonicMs } from "./held-output.ts";
import type { HolderMessage, HolderOrder, HolderQuestion, HolderSettings } from "./holder-messages.ts";

/*
 * The holding process: a program of its own that holds the lines of relays and does nothing else. Whoever started it has to
 * speak at least every `silenceMs`; it ends when that one is gone, with every output in its defined state.
 */

/** Timers of the runtime may come a little early. */
const LATER_MS = 5;

class Holder {
  readonly #settings: HolderSettings;
  readonly #outputs = new Map<string, HeldOutput>();
  #heardMs = monotonicMs();
  #isLost = false;
  #ending = false;
  #work: Promise<void> = Promise.resolve();
  #due: NodeJS.Timeout | undefined;

  constructor(settings: HolderSettings, major: GpiosetMajor) {
    this.#settings = settings;
    for (const output of settings.outputs)
      this.#outputs.set(
        output.name,
        new HeldOutput(major, output, (problem) => void this.#end("loss", problem)),
      );
  }

  async run(): Promise<void> {
    process.once("disconnect", () => void this.#end("loss"));
    process.once("SIGTERM", () => void this.#end("exit"));
    process.on("message", (order: HolderOrder) => this.#heard(order));
    this.#inTurn(async () => {
      for (const output of this.#outputs.values()) await output.begin();
      await say({ kind: "ready" });
      this.#schedule();
    });
    // Whoever would command was gone before this one could hear of it.
    if (!process.connected) await this.#end("loss");
  }

  #heard(order: HolderOrder): void {
    this.#heardMs = monotonicMs();
    if ("beat" in order && !this.#isLost) return;
    this.#inTurn(async () => {
      this.#regain();
      if ("ask" in order) await this.#answer(order);
      this.#schedule();
    });
  }

  async #answer({ ask, output, task }: HolderQuestion): Promise<void> {
    try {
      const held = this.#outputs.get(output);
      if (held === undefined) throw new Problem("relay-unknown", "there is no such output", { got: output });
      await say({ kind: "shown", ask, shown: await held.perform(task) });
    } catch (error) {
      await say({ kind: "refused", ask, ...describeProblem(error) });
      // A line that does not follow is no line to hold.
      if (describeProblem(error).code.startsWith("gpioset-")) throw error;
    }
  }

  #regain(): void {
    if (!this.#isLost) return;
    this.#isLost = false;
    for (const output of this.#outputs.values()) output.regain();
  }

  async #tick(): Promise<void> {
    const isSilent = monotonicMs() - this.#heardMs >= this.#settings.silenceMs;
    if (isSilent && !this.#isLost) {
      this.#isLost = true;
      for (const output of this.#outputs.values()) await output.lose();
    } else for (const output of this.#outputs.values()) await output.settle();
    this.#schedule();
  }

  #schedule(): void {
    clearTimeout(this.#due);
    const silenceMs = this.#heardMs + this.#settings.silenceMs - monotonicMs();
    const dues = [...this.#outputs.values()].map((output) => output.dueInMs() ?? this.#settings.silenceMs);
    const dueMs = Math.min(...dues, this.#isLost ? this.#settings.silenceMs : Math.max(0, silenceMs));
    this.#due = setTimeout(() => this.#inTurn(() => this.#tick()), dueMs + LATER_MS);
  }

  /** One at a time; what fails ends the process: lines that cannot be driven are not held. */
  #inTurn(task: () => Promise<void>): void {
    this.#work = this.#work.then(async () => {
      if (!this.#ending) await task();
    });
    this.#work.catch((error: unknown) => void this.#end("loss", error));
  }

  /** Every output in its defined state, and out: with the problem, if there is one. */
  async #end(how: "exit" | "loss", problem?: unknown): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    clearTimeout(this.#due);
    await this.#work.catch(() => undefined);
    await Promise.all([...this.#outputs.values()].map((output) => output.end(how)));
    await leave(problem);
  }
}

/** Resolves when the message is out of this process, or can go nowhere. */
function say(message: HolderMessage): Promise<void> {
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
  const settings: HolderSettings = JSON.parse(process.argv[2] ?? "{}");
  await new Holder(settings, await gpiosetMajor()).run();
}

main().catch(leave);
