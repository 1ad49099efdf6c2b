import { describeProblem } from "../../attest/problem.ts";
import type { Indicated } from "./indicated.ts";
import type { Lamp } from "./led.ts";
import { isLit, type Pattern, patternOf, patternsOf, untilChangeMs } from "./patterns.ts";

/** How often it is asked anew what is to be shown, where no lamp changes sooner. */
const ASK_MS = 500;
/** A lamp that cannot be switched is tried again after so long. */
const RETRY_MS = 60_000;

export interface IndicatorOptions {
  /** One lamp, or three: reading, sealed, acknowledged. */
  readonly lamps: readonly [Lamp] | readonly [Lamp, Lamp, Lamp];
  /** What is to be shown now; it is asked for often. */
  readonly now: () => Indicated;
  /** Said once for each time that the lamps fail. */
  readonly onProblem: (problem: { readonly code: string; readonly message: string }) => void;
}

/** Shows patterns on lamps. It runs in the agent's own process: when that hangs, the lamps stand still, and say so. */
export class Indicator {
  readonly #options: IndicatorOptions;
  readonly #lit: (boolean | undefined)[] = [];
  #shown = "";
  #beganMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #work: Promise<void> = Promise.resolve();
  #started = false;
  #stopped = false;

  constructor(options: IndicatorOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#started || this.#stopped) return;
    this.#started = true;
    this.#step();
  }

  /** The lamps go dark. Never throws, may be called twice. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#work;
    await Promise.allSettled(this.#options.lamps.map((lamp) => lamp.set(false)));
  }

  #step(): void {
    this.#work = this.#show().then(
      (nextMs) => this.#later(nextMs),
      (error: unknown) => {
        this.#lit.length = 0;
        this.#options.onProblem(describeProblem(error));
        this.#later(RETRY_MS);
      },
    );
  }

  #later(ms: number): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => this.#step(), ms);
  }

  /** Sets what has changed; with how long nothing does. */
  async #show(): Promise<number> {
    const patterns = this.#patterns();
    const atMs = performance.now() - this.#beganMs;
    for (const [at, lamp] of this.#options.lamps.entries()) {
      const lit = isLit(patterns[at] ?? [], atMs);
      if (this.#lit[at] === lit) continue;
      await lamp.set(lit);
      this.#lit[at] = lit;
    }
    return Math.min(ASK_MS, ...patterns.map((pattern) => untilChangeMs(pattern, atMs) ?? ASK_MS));
  }

  /** A new pattern begins at its beginning, so that flashes can be counted. */
  #patterns(): readonly Pattern[] {
    const now = this.#options.now();
    const words = `${now.stage} ${now.fault ?? ""}`;
    if (words !== this.#shown) this.#beganMs = performance.now();
    this.#shown = words;
    return this.#options.lamps.length === 1 ? [patternOf(now)] : patternsOf(now);
  }
}
