import type { InputLine } from "../gpio/line.ts";
import type { PulseCount } from "./pulse-source.ts";

/** What a counting process is told when it begins, as JSON in its only argument. */
export interface CounterSettings extends InputLine {
  readonly through: "auto" | "gpiomon" | "onoff";
  readonly minPulseMs: number;
  readonly minGapMs: number;
  /** Where numbers of lines are looked up; `onoff` itself knows only /sys/class/gpio. */
  readonly sysfsRoot: string;
  readonly registerFile: string;
  /** Line and constants: a register file counts for nothing else. */
  readonly basis: string;
}

/** The only question to the counting process. */
export type CountQuestion = "count";

/** What the counting process says when it counts. */
export interface CounterReady {
  readonly through: string;
  /** Until when the count is known; absent when the register file was made now. */
  readonly savedBeforeMs?: number;
  readonly mended: boolean;
}

/** {@link PulseCount} as JSON can carry it. */
export interface CountInText {
  readonly count: number;
  readonly atNs: string;
  readonly recent?: { readonly intervals: number; readonly spanNs: string; readonly lastNs: string };
  readonly tooShort: number;
  readonly repeated: number;
}

export function countToText({ atNs, recent, ...rest }: PulseCount): CountInText {
  const text = { ...rest, atNs: String(atNs) };
  if (recent === undefined) return text;
  const { intervals, spanNs, lastNs } = recent;
  return { ...text, recent: { intervals, spanNs: String(spanNs), lastNs: String(lastNs) } };
}

export function countFromText({ atNs, recent, ...rest }: CountInText): PulseCount {
  const count = { ...rest, atNs: BigInt(atNs) };
  if (recent === undefined) return count;
  const { intervals, spanNs, lastNs } = recent;
  return { ...count, recent: { intervals, spanNs: BigInt(spanNs), lastNs: BigInt(lastNs) } };
}
