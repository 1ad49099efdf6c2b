import type { LineAddress } from "../line/address.ts";
import { MAX_FRAME_BYTES } from "./frame.ts";

/** How long a master waits. */
export interface MbusTiming {
  /** For the first byte of an answer, ms. */
  readonly beginMs: number;
  /** For the next byte of one that has begun, ms. */
  readonly gapMs: number;
  /** For a whole answer, ms. */
  readonly wholeMs: number;
}

/** EN 13757-2: the meter begins to answer within 330 bit times and 50 ms. */
const ANSWER_BITS = 330;
const ANSWER_MS = 50;
/** Start, eight data bits, parity, stop. */
const BITS_PER_BYTE = 11;
/** What USB adapters and a busy machine add. */
const ADAPTER_MS = 200;
/** A gateway may collect a whole frame before it passes it on, and its rate is not known here: 300 baud is the least. */
const OVER_TCP: MbusTiming = { beginMs: 2_000, gapMs: 500, wholeMs: 12_000 };

/**
 * What the standard allows a meter at this rate, and what adapters and gateways add.
 *
 * @param baudRate of the serial line, where its address does not say
 * @param timeoutMs instead of the time for the first byte, and the most for the next one
 */
export function timingOf(address: LineAddress, baudRate: number, timeoutMs?: number): MbusTiming {
  const usual = address.kind === "tcp" ? OVER_TCP : serialTiming(address.baudRate ?? baudRate);
  if (timeoutMs === undefined) return usual;
  const gapMs = Math.min(usual.gapMs, timeoutMs);
  return { beginMs: timeoutMs, gapMs, wholeMs: timeoutMs + usual.wholeMs };
}

export function serialTiming(baudRate: number): MbusTiming {
  const bitMs = 1_000 / baudRate;
  const beginMs = Math.ceil(ANSWER_BITS * bitMs) + ANSWER_MS + ADAPTER_MS;
  return {
    beginMs,
    gapMs: Math.ceil(3 * BITS_PER_BYTE * bitMs) + ADAPTER_MS,
    wholeMs: beginMs + Math.ceil(2 * MAX_FRAME_BYTES * BITS_PER_BYTE * bitMs),
  };
}
