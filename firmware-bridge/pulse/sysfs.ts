import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { basename, join } from "node:path";
import type { Gpio } from "onoff";
import { describeProblem, Problem } from "../../attest/problem.ts";
import { type InputLine, lineName } from "../gpio/line.ts";
import type { EdgeListener, EdgeSource } from "./edge-source.ts";

interface Chip {
  /** Of its folder, `gpiochip512`: the number is the base, not that of /dev/gpiochip0. */
  readonly folder: string;
  readonly label: string;
  readonly base: number;
  readonly lines: number;
}

/**
 * The system-wide number of a line, which sysfs wants. Where a chip's numbers begin differs from kernel to kernel (0, 512,
 * 569, 571 on the same board), so it is read each time. A chip is known by its label, or by the name of its character
 * device, which lies beside the chip's own folder (kernel: drivers/gpio/gpiolib-sysfs.c, gpiochip_sysfs_register).
 *
 * @throws Problem `pulse-sysfs-gone`, `pulse-chip-unknown`, `pulse-line-range`
 */
export function systemNumber({ chip, line }: Pick<InputLine, "chip" | "line">, root: string): number {
  const chips = chipsIn(root);
  const wanted = basename(chip);
  const found = chips.filter(
    (candidate) => candidate.label === chip || isDevice(join(root, candidate.folder), wanted),
  );
  const [only] = found;
  if (only === undefined || found.length > 1) throw unknownChip(chip, chips);
  if (line < only.lines) return only.base + line;
  throw new Problem("pulse-line-range", "the chip has no such line", {
    where: only.label,
    expected: `0 to ${only.lines - 1}`,
    got: String(line),
    hint: "line is the offset on the chip, from 0; the numbers of /sys/class/gpio are others",
  });
}

function chipsIn(root: string): Chip[] {
  if (!existsSync(join(root, "export"))) throw sysfsGone(root);
  const folders = readdirSync(root).filter((name) => /^gpiochip\d+$/.test(name));
  if (folders.length === 0) throw sysfsGone(root);
  return folders.map((folder) => ({
    folder,
    label: textOf(join(root, folder, "label")),
    base: Number(textOf(join(root, folder, "base"))),
    lines: Number(textOf(join(root, folder, "ngpio"))),
  }));
}

function textOf(path: string): string {
  return readFileSync(path, "utf8").trim();
}

function isDevice(folder: string, name: string): boolean {
  const device = join(folder, "device");
  if (!/^gpiochip\d+$/.test(name) || !existsSync(device)) return false;
  return existsSync(join(device, name)) || basename(realpathSync(device)) === name;
}

function sysfsGone(root: string): Problem {
  return new Problem("pulse-sysfs-gone", "this kernel does not offer GPIO lines through sysfs", {
    where: root,
    hint: "install gpiomon (Debian: apt install gpiod), which uses the character device",
  });
}

function unknownChip(chip: string, chips: readonly Chip[]): Problem {
  const known = chips.map(
    ({ folder, label, base, lines }) => `${label} (${folder}: ${base} and ${lines} lines)`,
  );
  return new Problem("pulse-chip-unknown", "not the name of one chip", {
    where: "chip",
    expected: `a label, or the name of a character device: ${known.join(", ")}`,
    got: JSON.stringify(chip),
    hint: "put the one that the header's pins belong to into chip",
  });
}

/**
 * Edges through sysfs and `onoff`, for kernels and systems without gpiomon. `onoff` reads the level after the interrupt, so
 * the times are this process's own, and edges that come faster than it is woken are lost; the bias cannot be set here.
 */
export class OnoffSource implements EdgeSource {
  readonly #input: InputLine;
  readonly #root: string;
  #gpio: Gpio | undefined;
  #stopped = false;

  constructor(input: InputLine, root: string) {
    this.#input = input;
    this.#root = root;
  }

  async start(listener: EdgeListener): Promise<void> {
    const number = systemNumber(this.#input, this.#root);
    const { Gpio } = await loadOnoff();
    // A line that is exported now would stay so.
    if (this.#stopped) return;
    try {
      const gpio = new Gpio(number, "in", "both", { activeLow: this.#input.activeLow });
      this.#gpio = gpio;
      gpio.watch((error, value) => {
        if (error) listener.onEnd(this.#problem(number, error));
        else listener.onEdge({ active: value === 1, timeNs: process.hrtime.bigint() });
      });
    } catch (cause) {
      throw this.#problem(number, cause);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#gpio?.unexport();
    this.#gpio = undefined;
  }

  #problem(number: number, cause: unknown): Problem {
    return new Problem("pulse-line-refused", "the line cannot be watched through sysfs", {
      where: `${lineName(this.#input)}, number ${number}`,
      got: describeProblem(cause).message,
      hint: "the user has to be in the group of /sys/class/gpio, and no driver may have the line",
      cause,
    });
  }
}

async function loadOnoff(): Promise<typeof import("onoff")> {
  try {
    return await import("onoff");
  } catch (cause) {
    throw new Problem("pulse-onoff-missing", "onoff is not installed or not built", {
      got: describeProblem(cause).message,
      hint: "install gpiomon (Debian: apt install gpiod), or run npm run prepare where a compiler is",
      cause,
    });
  }
}
