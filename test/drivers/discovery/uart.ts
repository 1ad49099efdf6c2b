import { formatText, type SerialFormat } from "../../../drivers/line/address.ts";

/** What becomes of a character whose parity or stop bit is wrong: kernels drop it or hand it on. */
export type BadCharacters = "dropped" | "kept";

/**
 * What a receiver with settings of its own makes of bytes that were sent back to back with others. It begins a character
 * at a falling edge that is still low half a bit later, samples the middle of each bit, and after a low stop bit waits
 * for the line to rise.
 */
export function received(
  bytes: Uint8Array,
  [sent, heard]: readonly [SerialFormat, SerialFormat],
  bad: BadCharacters = "dropped",
): Uint8Array {
  if (formatText(sent) === formatText(heard)) return bytes.slice();
  const line = wire(bytes, sent);
  const ratio = sent.baudRate / heard.baudRate;
  const high = (at: number): boolean => line[Math.floor(at)] !== 0;
  const found: number[] = [];
  for (let at = 0; at < line.length; ) {
    const edge = line.indexOf(0, Math.ceil(at));
    if (edge < 0) break;
    const start = high(at) ? edge : at;
    if (high(start + 0.5 * ratio)) {
      at = start + 1;
      continue;
    }
    const { value, isGood, end } = character(high, start, { heard, ratio });
    if (isGood || bad === "kept") found.push(value);
    at = end;
    if (!high(at)) {
      const rise = line.indexOf(1, Math.ceil(at));
      at = rise < 0 ? line.length : rise;
    }
  }
  return Uint8Array.from(found);
}

interface Receiver {
  readonly heard: SerialFormat;
  /** Bits of the sender in one of the receiver. */
  readonly ratio: number;
}

function character(
  high: (at: number) => boolean,
  start: number,
  { heard: { dataBits, parity }, ratio }: Receiver,
): { readonly value: number; readonly isGood: boolean; readonly end: number } {
  const sample = (bit: number): number => (high(start + (bit + 0.5) * ratio) ? 1 : 0);
  const data = Array.from({ length: dataBits }, (_, bit) => sample(1 + bit));
  const value = data.reduce((sum, bit, at) => sum + bit * 2 ** at, 0);
  const ones = data.reduce((sum, bit) => sum + bit, 0);
  const parityBits = parity === "none" ? 0 : 1;
  const parityFits = parityBits === 0 || (ones + sample(1 + dataBits)) % 2 === (parity === "even" ? 0 : 1);
  const stop = 1 + dataBits + parityBits;
  return { value, isGood: parityFits && sample(stop) === 1, end: start + (stop + 0.5) * ratio };
}

/** Levels of the wire, one for each bit of the sender; it rests high before and behind. */
function wire(bytes: Uint8Array, { dataBits, parity, stopBits }: SerialFormat): Uint8Array {
  const bits = [...REST];
  for (const byte of bytes) {
    const data = Array.from({ length: dataBits }, (_, at) => (byte >> at) & 1);
    const ones = data.reduce((sum, bit) => sum + bit, 0);
    const check = parity === "none" ? [] : [parity === "even" ? ones % 2 : 1 - (ones % 2)];
    bits.push(0, ...data, ...check, ...Array.from({ length: stopBits }, () => 1));
  }
  return Uint8Array.from([...bits, ...REST]);
}

const REST: readonly number[] = Array.from({ length: 20 }, () => 1);
