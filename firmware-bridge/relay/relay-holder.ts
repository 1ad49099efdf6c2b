import { Problem } from "../../attest/problem.ts";
import { AskedProcess, type AskedTimes, programBeside } from "../child/asked-process.ts";
import type { HolderQuestion, HolderSettings } from "./holder-messages.ts";
import type { Relay, RelayShown } from "./relay.ts";

const TIMES: AskedTimes = { firstRetryMs: 1000, longestRetryMs: 60_000, answerMs: 15_000 };
/** So many words within the time of silence: one that is late does no harm. */
const BEATS = 4;

/** Holds the lines of relays in a process of its own, tells it that this one lives, and starts it again when it is lost. */
export class RelayHolder {
  readonly #settings: HolderSettings;
  readonly #process: AskedProcess<HolderQuestion, RelayShown>;
  readonly #beats: NodeJS.Timeout;

  constructor(settings: HolderSettings, times: AskedTimes = TIMES) {
    this.#settings = settings;
    this.#process = new AskedProcess({
      ...{ path: programBeside(import.meta.url, "holder"), settings, times },
      // The guards of the lines outlive it: they set the state of a loss.
      takesAlong: false,
      problems: { lost, absent: notHeld, closed },
    });
    this.#beats = setInterval(() => this.#process.beat(), Math.ceil(settings.silenceMs / BEATS));
    this.#beats.unref();
  }

  /** The holding process, while there is one. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Resolves when every line is held in its position of the start. @throws Problem `gpioset-…`, `relay-holder-lost`, `relay-closed` */
  async start(): Promise<void> {
    await this.#process.start();
  }

  /** As {@link start}, and again and again where it fails: commands say why meanwhile. */
  keep(): void {
    this.#process.keep();
  }

  /** @throws Problem `relay-unknown` */
  relay(name: string): Relay {
    const settings = this.#settings.outputs.find((output) => output.name === name);
    if (settings === undefined) throw new Problem("relay-unknown", "there is no such output", { got: name });
    return {
      states: settings.states,
      set: (position, leaseMs) =>
        this.#process.ask({ output: name, task: { kind: "set", position, leaseMs } }),
      release: () => this.#process.ask({ output: name, task: { kind: "release" } }),
      shown: () => this.#process.ask({ output: name, task: { kind: "show" } }),
    };
  }

  /** The process of this program may end while the lines are held, which is a loss. */
  unref(): void {
    this.#process.unref();
  }

  ref(): void {
    this.#process.ref();
  }

  /** Every output goes to its `onExit`. Never throws, may be called twice. */
  async stop(): Promise<void> {
    clearInterval(this.#beats);
    await this.#process.stop();
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
    // What it says to do is said here.
    ...(last === undefined ? {} : { got: last.detail.got ?? last.message, cause: last }),
    hint: "the process that does is started again by itself",
  });
}

function closed(): Problem {
  return new Problem("relay-closed", "the relay was closed");
}
