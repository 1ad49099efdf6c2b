import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Documentation/admin-guide/gpio/gpio-sim.rst of the kernel. */
const CONFIG = "/sys/kernel/config/gpio-sim";

/** Why no line can be simulated here; undefined where one can. */
export function noSimulatedLines(): string | undefined {
  if (!existsSync(CONFIG)) return "this kernel has no gpio-sim (modprobe gpio-sim, with configfs mounted)";
  return process.getuid?.() === 0 ? undefined : "only root may make simulated lines";
}

let made = 0;

/** A chip of the kernel's own, at whose lines nothing is connected but a resistor that can be switched. */
export class SimChip {
  /** Of its character device: `gpiochip0`, or whichever number is free. */
  readonly name: string;
  readonly label: string;
  readonly lines: number;
  readonly #device: string;
  readonly #place: string;

  constructor(lines = 8) {
    made += 1;
    this.lines = lines;
    this.label = `kilowitness-${process.pid}-${made}`;
    this.#device = join(CONFIG, this.label);
    const bank = join(this.#device, "bank");
    mkdirSync(this.#device);
    mkdirSync(bank);
    writeFileSync(join(bank, "num_lines"), String(lines));
    writeFileSync(join(bank, "label"), this.label);
    writeFileSync(join(this.#device, "live"), "1");
    this.name = textOf(join(bank, "chip_name"));
    this.#place = join("/sys/devices/platform", textOf(join(this.#device, "dev_name")), this.name);
  }

  /** What an input sees, and what an output that is let go falls back to. */
  pull(line: number, up: boolean): void {
    writeFileSync(this.pullFile(line), up ? "pull-up" : "pull-down");
  }

  /** For programs that pull at the line themselves. */
  pullFile(line: number): string {
    return join(this.#place, `sim_gpio${line}`, "pull");
  }

  /** 1 or 0: what is measured at the line, whoever drives it. */
  level(line: number): number {
    return Number(textOf(join(this.#place, `sim_gpio${line}`, "value")));
  }

  close(): void {
    writeFileSync(join(this.#device, "live"), "0");
    rmdirSync(join(this.#device, "bank"));
    rmdirSync(this.#device);
  }
}

function textOf(path: string): string {
  return readFileSync(path, "utf8").trim();
}
