import { type LibgpiodMajor, libgpiodMajor } from "./libgpiod.ts";
import type { Edge, InputLine } from "./line.ts";

export type GpiomonMajor = LibgpiodMajor;

const NS_PER_S = 1_000_000_000n;

/** Which gpiomon there is; undefined where there is none. @throws Problem `pulse-gpiomon-version` */
export function gpiomonMajor(): Promise<GpiomonMajor | undefined> {
  return libgpiodMajor("gpiomon", "pulse-gpiomon-version");
}

/**
 * The command line that prints every edge of the line as {@link gpiomonEdge} reads it. Options of version 1 as of gpiomon
 * 1.6.3 (Debian 12, `--help`), of version 2 as of libgpiod v2.2.4, tools/gpiomon.c.
 */
export function gpiomonArguments(major: GpiomonMajor, input: InputLine): string[] {
  const { chip, line } = input;
  const options = inputOptions(major, input);
  if (major === 1) return [...options, "--line-buffered", "--format=%e %s %n", chip, String(line)];
  const own = ["--banner", "--edges=both", "--event-clock=monotonic", "--format=%e %S"];
  return [...options, ...own, `--chip=${chip}`, String(line)];
}

/** What gpiomon and gpioget are told of an input alike. */
export function inputOptions(major: LibgpiodMajor, { activeLow, bias }: InputLine): string[] {
  const low = activeLow ? ["--active-low"] : [];
  // Version 1 calls it "disable", and version 2 has no word for leaving it.
  const word = major === 1 && bias === "disabled" ? "disable" : bias;
  return bias === "as-is" ? low : [`--bias=${word}`, ...low];
}

/** The edge of one printed line, if it is one. */
export function gpiomonEdge(major: GpiomonMajor, text: string): Edge | undefined {
  // Version 1 prints nanoseconds without leading zeros: 5.000000042 s is "5 42".
  const form = major === 1 ? /^([01]) (\d+) (\d{1,9})$/ : /^([12]) (\d+)\.(\d{9})$/;
  const fields = form.exec(text);
  if (fields === null) return undefined;
  const [, kind, seconds = "", nanoseconds = ""] = fields;
  // Rising is 1 in both; falling is 0 in version 1 and 2 in version 2.
  return { active: kind === "1", timeNs: BigInt(seconds) * NS_PER_S + BigInt(nanoseconds) };
}
