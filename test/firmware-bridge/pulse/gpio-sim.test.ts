import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { CountingProcess } from "../../../firmware-bridge/pulse/counting-process.ts";
import { gpiomonMajor } from "../../../firmware-bridge/pulse/gpiomon.ts";

/** Documentation/admin-guide/gpio/gpio-sim.rst of the kernel. */
const CONFIG = "/sys/kernel/config/gpio-sim";
const LINE = 3;

/** Why no line can be simulated here; undefined where one can. */
async function missing(): Promise<string | undefined> {
  if (!existsSync(CONFIG)) return "this kernel has no gpio-sim (modprobe gpio-sim, with configfs mounted)";
  if (process.getuid?.() !== 0) return "only root may make simulated lines";
  return (await gpiomonMajor()) === undefined ? "gpiomon is not installed (Debian: gpiod)" : undefined;
}

/** A chip of the kernel's own with 8 lines, for as long as `work` takes. */
async function withChip(work: (chip: string, pull: (up: boolean) => void) => Promise<void>): Promise<void> {
  const device = join(CONFIG, `kilowitness-${process.pid}`);
  const bank = join(device, "bank0");
  mkdirSync(device);
  mkdirSync(bank);
  writeFileSync(join(bank, "num_lines"), "8");
  writeFileSync(join(device, "live"), "1");
  try {
    const chip = readFileSync(join(bank, "chip_name"), "utf8").trim();
    const name = readFileSync(join(device, "dev_name"), "utf8").trim();
    const place = join("/sys/devices/platform", name, chip, `sim_gpio${LINE}`, "pull");
    await work(chip, (up) => writeFileSync(place, up ? "pull-up" : "pull-down"));
  } finally {
    writeFileSync(join(device, "live"), "0");
    rmdirSync(bank);
    rmdirSync(device);
  }
}

describe("a simulated line of the kernel", () => {
  it("is counted through the gpiomon of this machine", async ({ skip }) => {
    const why = await missing();
    skip(why !== undefined, why);
    const folder = mkdtempSync(join(tmpdir(), "pulse-sim-"));
    await withChip(async (chip, pull) => {
      pull(true);
      const source = new CountingProcess({
        ...{ chip, line: LINE, activeLow: true, bias: "as-is", through: "gpiomon" },
        ...{ minPulseMs: 20, minGapMs: 20, basis: "simulated", sysfsRoot: "/sys/class/gpio" },
        registerFile: join(folder, "register"),
      });
      await source.start();
      try {
        for (let pulse = 0; pulse < 20; pulse += 1) {
          pull(false);
          await pause(30);
          pull(true);
          await pause(30);
        }
        await expect.poll(async () => (await source.read()).count).toBe(20);
        const { atNs, recent } = await source.read();
        expect(recent?.lastNs).toBeLessThan(atNs);
      } finally {
        await source.stop();
      }
    }).finally(() => rmSync(folder, { recursive: true, force: true }));
  });
});
