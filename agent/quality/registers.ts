import { REGISTER } from "../../attest/leaf.ts";
import type { MeterReading } from "../../attest/reading.ts";
import type { ChannelDescription } from "../../drivers/driver.ts";

/** Energy registers of a channel at one instant. */
export interface Registers {
  readonly importMwh?: number;
  readonly exportMwh?: number;
}

/** One of the two registers, with its bit of the channel manifest and the word for it. */
export interface RegisterKind {
  readonly name: keyof Registers;
  readonly bit: number;
  readonly word: "import" | "export";
}

export const EACH_REGISTER: readonly RegisterKind[] = [
  { name: "importMwh", bit: REGISTER.import, word: "import" },
  { name: "exportMwh", bit: REGISTER.export, word: "export" },
];

/** Bits of REGISTER that a reading carries. */
export function registersIn(reading: Registers): number {
  return EACH_REGISTER.reduce((bits, { name, bit }) => bits | (reading[name] === undefined ? 0 : bit), 0);
}

/** Bits of REGISTER that a channel is described with. */
export function registersOf({ quantities }: Pick<ChannelDescription, "quantities">): number {
  return EACH_REGISTER.reduce((bits, { word, bit }) => bits | (quantities.includes(word) ? bit : 0), 0);
}

/** The reading with only those registers. */
export function withRegisters(reading: MeterReading, bits: number): MeterReading {
  const { importMwh, exportMwh, ...rest } = reading;
  return {
    ...rest,
    ...(importMwh === undefined || (bits & REGISTER.import) === 0 ? {} : { importMwh }),
    ...(exportMwh === undefined || (bits & REGISTER.export) === 0 ? {} : { exportMwh }),
  };
}

/** Whether a reading says anything beside when and from where it is. */
export function saysAnything(reading: MeterReading): boolean {
  const { channel: _c, evidence: _e, meterTimeMs: _t, resolutionMwh: _r, status: _s, ...values } = reading;
  return Object.keys(values).length > 0;
}
