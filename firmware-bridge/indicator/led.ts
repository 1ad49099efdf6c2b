import { access, constants, readdir, readFile, writeFile } from "node:fs/promises";
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
  readonly #root: string;
  readonly #folder: string;
  readonly #name: string;
  #brightest: string | undefined;

  constructor(name: string, root: string = LEDS) {
    this.#name = name;
    this.#root = root;
    this.#folder = join(root, name);
  }

  async set(lit: boolean): Promise<void> {
    try {
      this.#brightest ??= await this.#take();
      await writeFile(join(this.#folder, "brightness"), lit ? this.#brightest : "0");
    } catch (cause) {
      throw await lampProblem(this.#root, this.#name, cause);
    }
  }

  async #take(): Promise<string> {
    await writeFile(join(this.#folder, "trigger"), "none");
    return (await readFile(join(this.#folder, "max_brightness"), "utf8")).trim();
  }
}

/** Whether a lamp could be switched by who asks: it is left as it is. @throws Problem `indicator-led` */
export async function lookAtLed(name: string, root: string = LEDS): Promise<void> {
  try {
    for (const file of ["trigger", "brightness"]) await access(join(root, name, file), constants.W_OK);
  } catch (cause) {
    throw await lampProblem(root, name, cause);
  }
}

async function lampProblem(root: string, name: string, cause: unknown): Promise<Problem> {
  const { code, message } = describeProblem(cause);
  if (code !== "ENOENT")
    return new Problem("indicator-led", "the lamp cannot be switched", {
      ...{ where: name, got: message, cause },
      hint: "the user has to be allowed to write its brightness and its trigger (docs/indicator.md)",
    });
  // Of a machine without LED class there is no folder.
  const names = await readdir(root).catch(() => []);
  return new Problem("indicator-led", "there is no such lamp", {
    where: name,
    expected: names.length === 0 ? `a lamp in ${root}, where none is` : `one of ${names.join(", ")}`,
    hint: "docs/indicator.md says how a pin is made a lamp",
    cause,
  });
}
