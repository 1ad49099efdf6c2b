import { execFile, execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { expect, vi } from "vitest";
import type { SimChip } from "./sim-chip.ts";

export type Major = 1 | 2;

/** Folders with programs of libgpiod: those of this machine, and more in GPIOD_PROGRAMS, by their version. */
export function installedPrograms(): ReadonlyMap<Major, string> {
  const places = `${process.env["GPIOD_PROGRAMS"] ?? ""}${delimiter}${process.env["PATH"] ?? ""}`;
  const found = new Map<Major, string>();
  for (const folder of places.split(delimiter).filter((place) => existsSync(join(place, "gpiomon")))) {
    const major = majorOf(join(folder, "gpiomon"));
    if (major !== undefined && !found.has(major)) found.set(major, folder);
  }
  return found;
}

function majorOf(gpiomon: string): Major | undefined {
  const said = execFileSync(gpiomon, ["--version"], { encoding: "utf8" });
  const major = /\bv(\d+)\./.exec(said)?.[1];
  if (major === "1") return 1;
  return major === "2" ? 2 : undefined;
}

/** From here on the programs are those of the folder. */
export function use(folder: string): void {
  vi.stubEnv("PATH", `${folder}${delimiter}${process.env["PATH"] ?? ""}`);
}

/** The newest program whose words match, if there is one: a pattern of pgrep. */
export function newestPid(pattern: string): number | undefined {
  const { stdout } = spawnSync("pgrep", ["-n", "-f", pattern], { encoding: "utf8" });
  return stdout === "" ? undefined : Number(stdout);
}

/** Whether somebody has the line: then nobody else gets it. */
export async function isTaken({ name }: SimChip, line: number): Promise<boolean> {
  const words = `gpioinfo ${name} 2>/dev/null || gpioinfo --chip=${name}`;
  const { stdout } = await promisify(execFile)("/bin/sh", ["-c", words]);
  const own = stdout.split("\n").find((one) => new RegExp(`^\\s*line\\s+${line}:`).test(one));
  if (own === undefined) throw new Error(`gpioinfo says nothing of line ${line}: ${stdout}`);
  // Version 1 has "[used]" behind the consumer's name, version 2 "consumer=…".
  return /\[used|consumer=/.test(own);
}

/** The gpiomon that has the line: not its guard, whose words do not end with the line's number. */
export async function gpiomonPid(chip: SimChip, line: number): Promise<number> {
  return await vi.waitFor(
    async () => {
      const pid = newestPid(`gpiomon .*--format=.* ${line}$`);
      expect([pid === undefined, await isTaken(chip, line)]).toEqual([false, true]);
      return Number(pid);
    },
    { timeout: 20_000, interval: 50 },
  );
}
