/** Which line of which chip. */
export interface LinePlace {
  /** `gpiochip0`, or a path of one in /dev; for the sysfs adapter also a chip's label. */
  readonly chip: string;
  /** The line's offset on its chip. */
  readonly line: number;
}

/** An input, and when current flows in it. */
export interface InputLine extends LinePlace {
  /** The line is low while current flows. */
  readonly activeLow: boolean;
  readonly bias: "as-is" | "disabled" | "pull-up" | "pull-down";
}

/** An output. `true` is its active level: what closes the contact, or lights the lamp. */
export interface OutputLine extends LinePlace {
  /** Active is low: what switches at this line wants current to flow into it. */
  readonly activeLow: boolean;
  readonly drive: "push-pull" | "open-drain" | "open-source";
}

/** One change of the line's level, as the kernel saw it. `active`: current flows in the S0 loop. */
export interface Edge {
  readonly active: boolean;
  /** Monotonic, ns. */
  readonly timeNs: bigint;
}

/** What to look at when a program of libgpiod cannot have a line. */
export const LINE_HINT =
  "check chip and line with gpioinfo, the group of /dev/gpiochip*, and that no other program, nor another agent, has the line";

/** How messages call the line. */
export function lineName({ chip, line }: LinePlace): string {
  return `${chip} line ${line}`;
}
