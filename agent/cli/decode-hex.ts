import { Problem } from "../../attest/problem.ts";

const LINE_FEED = 0x0a;
const HASH = 0x23;
const ZERO = 0x30;
const DIGITS = 16;
/** Blanks, line ends, a byte order mark, and what stands between bytes in logs. */
const BETWEEN: ReadonlySet<number> = new Set([
  ...[0x20, 0x09, 0x0d, LINE_FEED, 0xef, 0xbb, 0xbf],
  ...[...",:;-"].map((character) => character.charCodeAt(0)),
]);

/**
 * Bytes out of hexadecimal text, however it comes in pieces. Between two bytes may stand blanks, line ends, `,`, `:`, `;`,
 * `-` and `0x`; what follows a `#` up to the end of its line is a comment. Lines mean nothing: logs break telegrams
 * anywhere.
 */
export class HexReader {
  #high: number | undefined;
  #isPrefixed = false;
  #isComment = false;
  #line = 1;

  /** The bytes that these characters complete. Throws Problem `decode-hex`, which says the line. */
  push(text: Uint8Array): Uint8Array {
    const bytes = new Uint8Array((text.length >>> 1) + 1);
    let length = 0;
    for (const character of text) {
      const byte = this.#take(character);
      if (byte !== undefined) {
        bytes[length] = byte;
        length += 1;
      }
    }
    return bytes.subarray(0, length);
  }

  /** The text ended. Throws Problem `decode-hex` where it ended within a byte. */
  end(): void {
    if (this.#isHalf) throw this.#half();
  }

  get #isHalf(): boolean {
    return this.#high !== undefined || this.#isPrefixed;
  }

  #take(character: number): number | undefined {
    if (character === LINE_FEED) this.#isComment = false;
    if (this.#isComment) return undefined;
    if (character === HASH || BETWEEN.has(character)) return this.#between(character);
    if (isX(character) && this.#high === 0 && !this.#isPrefixed) {
      this.#high = undefined;
      this.#isPrefixed = true;
      return undefined;
    }
    return this.#digit(character);
  }

  #between(character: number): undefined {
    if (this.#isHalf) throw this.#half();
    this.#isComment = character === HASH;
    if (character === LINE_FEED) this.#line += 1;
  }

  #digit(character: number): number | undefined {
    const digit = digitOf(character);
    if (digit === undefined) throw this.#problem("not hexadecimal", JSON.stringify(charOf(character)));
    const high = this.#high;
    this.#isPrefixed &&= high === undefined;
    this.#high = high === undefined ? digit : undefined;
    return high === undefined ? undefined : high * DIGITS + digit;
  }

  #half(): Problem {
    return this.#problem("a byte has two digits", this.#high === undefined ? "none" : "one");
  }

  #problem(what: string, got: string): Problem {
    return new Problem("decode-hex", what, {
      where: `line ${this.#line}`,
      expected: "hexadecimal digits in pairs, blanks, comments behind #",
      got,
    });
  }
}

function isX(character: number): boolean {
  return character === 0x78 || character === 0x58;
}

function digitOf(character: number): number | undefined {
  if (character >= ZERO && character <= 0x39) return character - ZERO;
  const lower = character | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : undefined;
}

function charOf(character: number): string {
  return String.fromCharCode(character);
}
