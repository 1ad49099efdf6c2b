import { describeProblem, Problem } from "../../attest/problem.ts";
import { AskedByParent, type EndOfWork, runAsked } from "../child/asked-by-parent.ts";
import type { Asked, ToChild } from "../child/child-messages.ts";
import { type GpiosetMajor, gpiosetMajor } from "../gpio/gpioset.ts";
import { HeldOutput, monotonicMs } from "./held-output.ts";
import type { HolderQuestion, HolderSettings } from "./holder-messages.ts";
import type { RelayShown } from "./relay.ts";

/*
 * The holding process: a program of its own that holds the lines of relays and does nothing else. Whoever started it has to
 * speak at least every `silenceMs`; it ends when that one is gone, with every output in its defined state.
 */

/** Timers of the runtime may come a little early. */
const LATER_MS = 5;

class Holder {
  readonly #settings: HolderSettings;
  readonly #outputs = new Map<string, HeldOutput>();
  readonly #parent: AskedByParent<RelayShown, null>;
  #heardMs = monotonicMs();
  #isLost = false;
  #due: NodeJS.Timeout | undefined;

  constructor(settings: HolderSettings, major: GpiosetMajor) {
    this.#settings = settings;
    this.#parent = new AskedByParent((how, work) => this.#end(how, work));
    for (const output of settings.outputs)
      this.#outputs.set(
        output.name,
        new HeldOutput(major, output, (problem) => void this.#parent.end("loss", problem)),
      );
  }

  run(): void {
    this.#parent.begin();
    process.on("message", (told: ToChild<HolderQuestion>) => this.#heard(told));
    this.#parent.inTurn(async () => {
      for (const output of this.#outputs.values()) await output.begin();
      await this.#parent.say({ kind: "ready", ready: null });
      this.#schedule();
    });
  }

  #heard(told: ToChild<HolderQuestion>): void {
    this.#heardMs = monotonicMs();
    if ("beat" in told && !this.#isLost) return;
    this.#parent.inTurn(async () => {
      this.#regain();
      if ("ask" in told) await this.#answer(told);
      this.#schedule();
    });
  }

  async #answer({ ask, question: { output, task } }: Asked<HolderQuestion>): Promise<void> {
    try {
      const held = this.#outputs.get(output);
      if (held === undefined) throw new Problem("relay-unknown", "there is no such output", { got: output });
      await this.#parent.say({ kind: "answer", ask, answer: await held.perform(task) });
    } catch (error) {
      await this.#parent.say({ kind: "refused", ask, ...describeProblem(error) });
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
    this.#due = setTimeout(() => this.#parent.inTurn(() => this.#tick()), dueMs + LATER_MS);
  }

  /** Every output in its defined state. */
  async #end(how: EndOfWork, work: Promise<void>): Promise<void> {
    clearTimeout(this.#due);
    await work;
    await Promise.all([...this.#outputs.values()].map((output) => output.end(how)));
  }
}

runAsked(async (settings: HolderSettings) => {
  new Holder(settings, await gpiosetMajor()).run();
});
