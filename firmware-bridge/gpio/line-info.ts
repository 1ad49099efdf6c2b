import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describeProblem, Problem } from "../../attest/problem.ts";
import { libgpiodMajor } from "./libgpiod.ts";
import { LINE_HINT, type LinePlace } from "./line.ts";

/** It asks the kernel and ends; one that does not hangs. */
const RUN = { timeout: 5000 };

/** What the system says of a line. */
export interface LineInfo {
  /** The chip in gpioinfo's words, with how many lines it has. */
  readonly chip: string;
  readonly exists: boolean;
  /** Who has it, if anybody does. */
  readonly user?: string;
}

/**
 * Looks a line up, without touching it.
 *
 * @throws Problem `gpioinfo-missing`, `gpioinfo-version`, `gpioinfo-ended`
 */
export async function lineInfo({ chip, line }: LinePlace): Promise<LineInfo> {
  const text = await gpioinfo(chip);
  const row = new RegExp(`^\\s*line\\s+${line}:(.*)$`, "m").exec(text)?.[1];
  const words = { chip: text.split("\n")[0]?.replace(/:$/, "") ?? "nothing", exists: row !== undefined };
  // tools/gpioinfo.c: libgpiod 1.6 prints who uses a line, in quotes, and [used]; 2.2 consumer="...".
  const user =
    /consumer="?([^"\s]+)/.exec(row ?? "")?.[1] ??
    /"?([^"\s]+)"?\s+(?:in|out)put\b.*\[used/.exec(row ?? "")?.[1];
  return user === undefined ? words : { ...words, user };
}

async function gpioinfo(chip: string): Promise<string> {
  const major = await libgpiodMajor("gpioinfo", "gpioinfo-version");
  if (major === undefined)
    throw new Problem("gpioinfo-missing", "there is no gpioinfo", { hint: "Debian: apt install gpiod" });
  try {
    return (await promisify(execFile)("gpioinfo", [major === 1 ? chip : `--chip=${chip}`], RUN)).stdout;
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
