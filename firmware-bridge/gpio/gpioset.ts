import { Problem } from "../../attest/problem.ts";
import { type LibgpiodMajor, libgpiodMajor } from "./libgpiod.ts";
import type { OutputLine } from "./line.ts";

export type GpiosetMajor = LibgpiodMajor;

/** How long a level is held that nobody holds afterwards. */
const TOUCH_MS = 50;
/** For ever, as far as select() of a machine with 32 bits can count: 63 years. */
const HOLD_S = 2_000_000_000;

/**
 * Which gpioset there is.
 *
 * @throws Problem `gpioset-missing`, `gpioset-version`
 */
export async function gpiosetMajor(): Promise<GpiosetMajor> {
  const major = await libgpiodMajor("gpioset", "gpioset-version");
  if (major !== undefined) return major;
  throw new Problem("gpioset-missing", "there is no gpioset", { hint: "Debian: apt install gpiod" });
}

/**
 * The command that sets a line and holds it until it is killed. Options of version 1 as of gpioset 1.6.3 (Debian 12), of
 * version 2 as of libgpiod v2.2.4, tools/gpioset.c, which prints a line with `--banner` once it has the line.
 */
export function holdCommand(major: GpiosetMajor, output: OutputLine, active: boolean): string[] {
  const level = levelOf(output, active);
  // Not --mode=signal: that asks for SIGINT and SIGTERM, and gets them though whoever started it ignores them.
  if (major === 1)
    return ["gpioset", "--mode=time", `--sec=${HOLD_S}`, ...optionsOf(output), output.chip, level];
  return ["gpioset", "--banner", ...optionsOf(output), `--chip=${output.chip}`, level];
}

/** The command that sets a line and lets go of it. What becomes of the level then is the kernel's and the wiring's. */
export function touchCommand(major: GpiosetMajor, output: OutputLine, active: boolean): string[] {
  const level = levelOf(output, active);
  const options = optionsOf(output);
  if (major === 1)
    return ["gpioset", "--mode=time", `--usec=${TOUCH_MS * 1000}`, ...options, output.chip, level];
  // A single period of 0 is "no toggle, and exit"; without it version 2 never ends.
  return [
    ...["gpioset", "--toggle=0", `--hold-period=${TOUCH_MS}ms`],
    ...options,
    `--chip=${output.chip}`,
    level,
  ];
}

function optionsOf({ activeLow, drive }: OutputLine): string[] {
  return [`--drive=${drive}`, ...(activeLow ? ["--active-low"] : [])];
}

function levelOf({ line }: OutputLine, active: boolean): string {
  return `${line}=${active ? 1 : 0}`;
}
