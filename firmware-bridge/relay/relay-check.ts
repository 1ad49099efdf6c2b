import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describeProblem, Problem } from "../../attest/problem.ts";
import { gpiosetMajor } from "../gpio/gpioset.ts";
import { libgpiodMajor } from "../gpio/libgpiod.ts";
import { LINE_HINT, lineName, type OutputLine } from "../gpio/line.ts";

/**
 * Whether the lines of a relay could be taken, from what the system says of them: nothing is switched. Says of each line
 * that is in use who uses it.
 *
 * @throws Problem `gpioset-missing`, `gpioset-version`, `gpioinfo-…`, `relay-line` where a chip has no such line
 */
export async function checkRelayLines(lines: readonly OutputLine[]): Promise<readonly string[]> {
  await gpiosetMajor();
  const used: string[] = [];
  for (const output of lines) used.push(...(await usersOf(output)));
  return used;
}

async function usersOf(output: OutputLine): Promise<string[]> {
  const text = await gpioinfo(output.chip);
  const row = new RegExp(`^\\s*line\\s+${output.line}:(.*)$`, "m").exec(text)?.[1];
  if (row === undefined)
    throw new Problem("relay-line", "the chip has no such line", {
      where: lineName(output),
      got: text.split("\n")[0]?.replace(/:$/, "") ?? "nothing",
      hint: "gpioinfo lists the lines of each chip",
    });
  // tools/gpioinfo.c: libgpiod 1.6 prints who uses a line, in quotes, and [used]; 2.2 consumer="...".
  const consumer =
    /consumer="?([^"\s]+)/.exec(row)?.[1] ?? /"?([^"\s]+)"?\s+(?:in|out)put\b.*\[used/.exec(row)?.[1];
  return consumer === undefined ? [] : [`${lineName(output)} is in use by ${consumer}`];
}

async function gpioinfo(chip: string): Promise<string> {
  const major = await libgpiodMajor("gpioinfo", "gpioinfo-version");
  if (major === undefined)
    throw new Problem("gpioinfo-missing", "there is no gpioinfo", { hint: "Debian: apt install gpiod" });
  try {
    return (await promisify(execFile)("gpioinfo", [major === 1 ? chip : `--chip=${chip}`])).stdout;
  } catch (cause) {
    const words = cause instanceof Error && "stderr" in cause ? String(cause.stderr).trim() : "";
    throw new Problem("gpioinfo-ended", "gpioinfo does not know the chip, or may not open it", {
      where: chip,
      got: words === "" ? describeProblem(cause).message : words,
      hint: LINE_HINT,
      cause,
    });
  }
}
