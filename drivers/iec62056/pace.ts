/** Times of a conversation, ms. */
export interface Pace {
  /** A meter answers 20 or 200 ms to 1500 ms after the last character (IEC 62056-21, 6.4). */
  readonly reactionMs: number;
  /** The longest pause within a message (6.4). */
  readonly characterMs: number;
  /** What adapters and gateways add. */
  readonly latencyMs: number;
  /** A meter with a battery wakes by zeros for so long, and is ready after the pause behind them (annex on devices with a battery). */
  readonly wakeMs: number;
  readonly wokenMs: number;
}

export const USUAL_PACE: Pace = {
  reactionMs: 1_500,
  characterMs: 1_500,
  latencyMs: 500,
  wakeMs: 2_200,
  wokenMs: 1_600,
};

/** Start bit, seven bits, parity, stop bit. */
const BITS_A_CHARACTER = 10;

/** How long so many characters are on the wire, ms. */
export function wireMs(characters: number, baudRate: number): number {
  return Math.ceil((characters * BITS_A_CHARACTER * 1_000) / baudRate);
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
