import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describeProblem, Problem } from "../../attest/problem.ts";
import { type GpiomonMajor, gpiomonMajor, inputOptions } from "../gpio/gpiomon.ts";
import { type InputLine, LINE_HINT, lineName } from "../gpio/line.ts";

const LOOK_MS = 5000;

/**
 * The command that prints the level of a line as 1 or 0. Options of version 1 as of gpioget 1.6.3 (Debian 12), of version 2 as of
 * libgpiod v2.2.4, tools/gpioget.c, which prints a word without `--numeric`.
 */
export function gpiogetArguments(major: GpiomonMajor, input: InputLine): string[] {
  const { chip, line } = input;
  const options = inputOptions(major, input);
  if (major === 1) return [...options, chip, String(line)];
  return [...options, "--numeric", `--chip=${chip}`, String(line)];
}

/** Which programs there are. @throws Problem `tamper-gpiomon-missing`, `pulse-gpiomon-version` */
export async function knownMajor(): Promise<GpiomonMajor> {
  const major = await gpiomonMajor();
  if (major !== undefined) return major;
  throw new Problem("tamper-gpiomon-missing", "there is no gpiomon", { hint: "Debian: apt install gpiod" });
}

/** Whether the line is active now. @throws Problem `tamper-line` */
export async function isActive(major: GpiomonMajor, input: InputLine): Promise<boolean> {
  const said = await look(major, input);
  if (said === "1" || said === "0") return said === "1";
  throw new Problem("tamper-line", "gpioget prints something else than a level", {
    ...{ where: lineName(input), expected: "0 or 1", got: JSON.stringify(said.slice(0, 100)) },
    hint: "have gpioget be the one of Debian's package gpiod, version 1.6 or 2",
  });
}

async function look(major: GpiomonMajor, input: InputLine): Promise<string> {
  try {
    const options = { timeout: LOOK_MS };
    return (await promisify(execFile)("gpioget", gpiogetArguments(major, input), options)).stdout.trim();
  } catch (cause) {
    throw new Problem("tamper-line", "the level of the line cannot be read", {
      where: lineName(input),
      got: saidBy(cause),
      hint: LINE_HINT,
      cause,
    });
  }
}

/** What gpioget says of it; where it says nothing, why it could not be run. */
function saidBy(cause: unknown): string {
  const said = cause instanceof Error && "stderr" in cause ? String(cause.stderr).trim() : "";
  return said === "" ? describeProblem(cause).message : said.replaceAll(/\s*\n\s*/g, "; ");
}
