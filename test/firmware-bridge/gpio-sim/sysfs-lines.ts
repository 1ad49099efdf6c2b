import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CounterSettings } from "../../../firmware-bridge/pulse/counter-messages.ts";
import { CountingProcess } from "../../../firmware-bridge/pulse/counting-process.ts";
import { systemNumber } from "../../../firmware-bridge/pulse/sysfs.ts";
import { SimChip } from "./sim-chip.ts";

const ROOT = "/sys/class/gpio";
const TIMES = { firstRetryMs: 10, longestRetryMs: 100, answerMs: 60_000 };
const LINE = 5;

/** Why no line can be had in this way; undefined where one can. */
export function noSysfsLines(): string | undefined {
  return existsSync(join(ROOT, "export")) ? undefined : "this kernel does not offer GPIO lines through sysfs";
}

let first: SimChip;
let chip: SimChip;
let folder: string;
let counting: CountingProcess | undefined;

/** By the kernel's own list of chips, whatever the code under test thinks of it. */
function baseOf(label: string): number {
  const own = readdirSync(ROOT)
    .filter((name) => /^gpiochip\d+$/.test(name))
    .find((name) => readFileSync(join(ROOT, name, "label"), "utf8").trim() === label);
  return Number(own?.slice("gpiochip".length));
}

async function started(name: string, more: Partial<CounterSettings> = {}): Promise<CountingProcess> {
  counting = new CountingProcess(
    {
      ...{ chip: name, line: LINE, activeLow: true, bias: "as-is", through: "onoff" },
      ...{ minPulseMs: 20, minGapMs: 20, basis: "simulated", sysfsRoot: ROOT },
      registerFile: join(folder, "register"),
      ...more,
    },
    TIMES,
  );
  await counting.start();
  return counting;
}

async function pulses(count: number): Promise<void> {
  for (let at = 0; at < count; at += 1)
    for (const isUp of [false, true]) {
      chip.pull(LINE, isUp);
      await pause(150);
    }
}

/** Lines of the second of two chips, through sysfs and onoff. */
export function linesOfSysfs(): void {
  describe("a simulated line through sysfs", () => {
    beforeEach(() => {
      first = new SimChip(16);
      chip = new SimChip(8);
      folder = mkdtempSync(join(tmpdir(), "sysfs-sim-"));
      chip.pull(LINE, true);
    });

    afterEach(async () => {
      await counting?.stop();
      counting = undefined;
      chip.close();
      first.close();
      rmSync(folder, { recursive: true, force: true });
    });

    it("has the number that the kernel gave it, by label and by device", () => {
      const base = baseOf(chip.label);
      expect(base).toBeGreaterThanOrEqual(0);
      expect(base).not.toBe(baseOf(first.label));
      for (const name of [chip.label, chip.name, `/dev/${chip.name}`])
        expect(systemNumber({ chip: name, line: LINE }, ROOT)).toBe(base + LINE);
      expect(systemNumber({ chip: first.name, line: 15 }, ROOT)).toBe(baseOf(first.label) + 15);
    });

    it.each(["label", "name"] as const)("is counted, the chip known by its %s", async (key) => {
      const source = await started(chip[key]);
      await pulses(10);
      await expect.poll(async () => (await source.read()).count).toBe(10);
      const own = join(ROOT, `gpio${baseOf(chip.label) + LINE}`);
      expect(existsSync(own)).toBe(true);
      await source.stop();
      expect(existsSync(own)).toBe(false);
    });

    it("is counted again when the counter was killed, which leaves it exported", async () => {
      const source = await started(chip.label);
      await pulses(3);
      await expect.poll(async () => (await source.read()).count).toBe(3);
      const killed = source.pid;
      if (killed === undefined) throw new Error("there is no counting process");
      process.kill(killed, "SIGKILL");
      await expect.poll(async () => (await source.read().catch(() => undefined))?.gaps.length).toBe(1);
      await pulses(3);
      await expect.poll(async () => (await source.read()).count).toBe(6);
    });
  });
}
