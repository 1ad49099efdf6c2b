import { setTimeout as pause } from "node:timers/promises";
import type { SimChip } from "./sim-chip.ts";

/** Shorter than anything here holds a level that is to be seen: a guard's last level stays for 50 ms. */
const EVERY_MS = 2;

/** What was measured at lines, each change once, as one word of a digit for each line. */
export class WatchedLevels {
  readonly seen: string[] = [];
  readonly #chip: SimChip;
  readonly #lines: readonly number[];
  readonly #watching: Promise<void>;
  #stopped = false;

  constructor(chip: SimChip, lines: readonly number[]) {
    this.#chip = chip;
    this.#lines = lines;
    this.#watching = this.#watch();
  }

  async stop(): Promise<readonly string[]> {
    this.#stopped = true;
    await this.#watching;
    return this.seen;
  }

  async #watch(): Promise<void> {
    while (!this.#stopped) {
      const levels = this.#lines.map((line) => this.#chip.level(line)).join("");
      if (levels !== this.seen.at(-1)) this.seen.push(levels);
      await pause(EVERY_MS);
    }
  }
}
