import type { PulseConstant } from "./energy.ts";

/** What a count in a register file counts for. */
export interface RegisterBasis {
  /** Such as `gpiochip0:17`. */
  readonly input: string;
  readonly constant: PulseConstant;
  /** What the meter's display showed when the count was 0. */
  readonly startMwh: number;
}

const FORM = /^(\S+) (\d{1,9})\/(\d{1,9}) pulses\/kWh from (\d{1,15}) mWh$/;

/** As it stands in the file: `gpiochip0:17 1000/1 pulses/kWh from 1234500000 mWh`. */
export function basisText({ input, constant: { pulses, kwh }, startMwh }: RegisterBasis): string {
  return `${input} ${pulses}/${kwh} pulses/kWh from ${startMwh} mWh`;
}

/** Undefined for anything that {@link basisText} does not write. */
export function basisOf(text: string): RegisterBasis | undefined {
  const fields = FORM.exec(text);
  if (fields === null) return undefined;
  const [, input = "", pulses, kwh, startMwh] = fields;
  return { input, constant: { pulses: Number(pulses), kwh: Number(kwh) }, startMwh: Number(startMwh) };
}

/**
 * Whether the register begins anew on the same line: somebody has read the meter's display since. Then it does not
 * matter what a pulse was before. A constant alone says nothing of where the register stands now.
 */
export function beginsAnew(known: string, wanted: string): boolean {
  const [before, now] = [basisOf(known), basisOf(wanted)];
  if (before === undefined || now === undefined) return false;
  return before.input === now.input && before.startMwh !== now.startMwh;
}
