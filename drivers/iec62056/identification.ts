/** What the first line of a meter says (IEC 62056-21, 6.3.2: `/ XXX Z \W identification CR LF`). */
export interface Identification {
  /** FLAG code of the maker as printed; a small third letter says that the meter answers within 20 ms. */
  readonly make: string;
  /** `Z`, which says what the meter can do beyond its first rate. */
  readonly rateCharacter: string;
  /** The rest, without the marks of other protocols behind it. */
  readonly model: string;
}

/** The line without `/` and line end. */
export function parseIdentification(line: string): Identification {
  return {
    make: line.slice(0, 3),
    rateCharacter: line.slice(3, 4),
    model: line.slice(4).replace(ENHANCED, "").trim(),
  };
}

/** `\2` before the name: the meter also speaks HDLC (6.3.2, item 24). `\@` stands there on meters, too. */
const ENHANCED = /^(?:\\.)+/;

/** How a meter goes on after it has named itself (IEC 62056-21, 6.4). */
export type AnswerMode =
  /** Sends its data at the first rate, unasked. */
  | { readonly mode: "A" }
  /** Goes to this rate by itself and sends its data, unasked. */
  | { readonly mode: "B"; readonly baudRate: number }
  /** Waits for an acknowledgement that chooses this rate or the first one. */
  | { readonly mode: "C"; readonly baudRate: number };

const RATES: readonly number[] = [300, 600, 1200, 2400, 4800, 9600, 19_200];

/** By the baud rate character: `0` to `6` is mode C, `A` to `F` mode B (600 Bd up), every other one mode A (IEC 62056-21, 6.3.2). */
export function answerMode(rateCharacter: string): AnswerMode {
  const digit = "0123456".indexOf(rateCharacter);
  const letter = "ABCDEF".indexOf(rateCharacter);
  if (rateCharacter !== "" && digit >= 0) return { mode: "C", baudRate: RATES[digit] ?? 300 };
  if (rateCharacter !== "" && letter >= 0) return { mode: "B", baudRate: RATES[letter + 1] ?? 600 };
  return { mode: "A" };
}

/** The character that stands for a rate in an acknowledgement. */
export function rateCharacterOf(baudRate: number): string {
  return String(Math.max(0, RATES.indexOf(baudRate)));
}
