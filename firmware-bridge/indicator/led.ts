import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describeProblem, Problem } from "../../attest/problem.ts";

const LEDS = "/sys/class/leds";

/** A lamp that is lit or dark. */
export interface Lamp {
  /** @throws Problem `indicator-led` */
  set(lit: boolean): Promise<void>;
}

/**
 * A lamp of the kernel's LED class, by its name in /sys/class/leds (kernel: Documentation/leds/leds-class.rst). It
 * costs a write of two bytes a change, and no process. Whatever trigger it had is taken from it.
 */
export class Led implements Lamp {
  readonly #folder: string;
  readonly #name: string;
  #brightest: string | undefined;

  constructor(name: string, root: string = LEDS) {
    this.#name = name;
    this.#folder = join(root, name);
  }

  async set(lit: boolean): Promise<void> {
    try {
      this.#brightest ??= await this.#take();
      await writeFile(join(this.#folder, "brightness"), lit ? this.#brightest : "0");
    } catch (cause) {
      throw new Problem("indicator-led", "the lamp cannot be switched", {
        where: this.#name,
        got: describeProblem(cause).message,
        hint: "ls /sys/class/leds shows the names; the user has to be allowed to write brightness and trigger",
        cause,
      });
    }
  }

  async #take(): Promise<string> {
    await writeFile(join(this.#folder, "trigger"), "none");
    return (await readFile(join(this.#folder, "max_brightness"), "utf8")).trim();
  }
}
