import type { SerialFormat } from "../line/address.ts";

/** The silence between frames is fixed above this rate (Modbus over Serial Line v1.02, 2.5.1.1). */
const FIXED_ABOVE_BAUD = 19_200;
const FIXED_SILENCE_MS = 1.75;
/** Start bit, eight data bits, parity or a second stop bit, stop bit: what the standard reckons with. */
const STANDARD_BITS = 11;

/** How long bytes and silences take on one line. */
export interface LineTiming {
  /** One character, ms. */
  readonly characterMs: number;
  /** The silence that separates two frames ("t3.5"), ms. */
  readonly silenceMs: number;
}

/** Timing of a serial line (Modbus over Serial Line v1.02, 2.5.1.1). */
export function lineTiming({ baudRate, dataBits, parity, stopBits }: SerialFormat): LineTiming {
  const bits = 1 + dataBits + (parity === "none" ? 0 : 1) + stopBits;
  const silenceMs = baudRate > FIXED_ABOVE_BAUD ? FIXED_SILENCE_MS : (3.5 * STANDARD_BITS * 1000) / baudRate;
  return { characterMs: (bits * 1000) / baudRate, silenceMs };
}
