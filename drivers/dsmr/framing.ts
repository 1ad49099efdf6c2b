import { Problem } from "../../attest/problem.ts";
import { crc16Arc } from "./checksum.ts";
import { CipherFrameDetector } from "./cipher-frame.ts";

/** More than any meter sends; a text message alone may have 2 kB. */
export const MAX_TELEGRAM_BYTES: number = 16 * 1024;
/** IEC 62056-21 allows 16 characters of identification; meters with more exist. */
const MAX_IDENTIFICATION_BYTES = 64;
/** `!`, four hexadecimal digits, CR, LF. */
const MAX_CHECKSUM_LINE_BYTES = 7;

const SLASH = 0x2f;
const EXCLAMATION = 0x21;
const LF = 0x0a;

/** A whole telegram from `/` to the line feed after `!`. */
export interface RawTelegram {
  readonly kind: "telegram";
  readonly bytes: Uint8Array;
  /** DSMR 2.2 and 3 print no checksum: then the lines alone must prove themselves. */
  readonly checksum: "verified" | "absent";
}

/** Something that began like a telegram and is none. */
export interface RefusedTelegram {
  readonly kind: "refused";
  readonly problem: Problem;
}

export type FramingOutcome = RawTelegram | RefusedTelegram;

type State = "hunting" | "identification" | "body" | "checksum";

/**
 * Finds P1 telegrams in a stream of bytes (DSMR 5.0.2 P1, 6.2: `/XXX5 identification CR LF CR LF data ! CRC CR LF`).
 * The outcomes depend only on the bytes, never on how they are cut into chunks. `/` begins a telegram wherever it
 * stands, since no object prints one: after lost bytes the next telegram is found again.
 */
export class TelegramFramer {
  readonly #buffer: Uint8Array = new Uint8Array(MAX_TELEGRAM_BYTES);
  readonly #cipher = new CipherFrameDetector();
  #state: State = "hunting";
  #length = 0;
  #checksumAt = 0;
  #checksumSeen = false;

  /** Takes the next bytes of the stream; gives what they completed, in order. */
  push(bytes: Uint8Array): FramingOutcome[] {
    const outcomes: FramingOutcome[] = [];
    for (const byte of bytes) {
      const outcome = this.#cipher.take(byte) ? encrypted() : this.#take(byte);
      if (outcome !== undefined) outcomes.push(outcome);
    }
    return outcomes;
  }

  /** Forgets what is half received: the line was lost. */
  reset(): void {
    this.#state = "hunting";
    this.#length = 0;
  }

  #take(byte: number): FramingOutcome | undefined {
    if (byte === SLASH) return this.#begin();
    switch (this.#state) {
      case "hunting":
        return undefined;
      case "identification":
        return this.#takeIdentification(byte);
      case "body":
        return this.#takeBody(byte);
      case "checksum":
        return this.#takeChecksum(byte);
    }
  }

  #begin(): FramingOutcome | undefined {
    // A slash in noise is no event; a telegram that never ended is.
    const cut = this.#state === "body" || this.#state === "checksum";
    const outcome = cut
      ? this.#refuse("dsmr-truncated", "the next telegram began before this one ended")
      : undefined;
    this.#buffer[0] = SLASH;
    this.#length = 1;
    this.#state = "identification";
    return outcome;
  }

  #takeIdentification(byte: number): undefined {
    if (!fitsIdentification(this.#length, byte)) this.reset();
    else {
      this.#append(byte);
      if (byte === LF) this.#state = "body";
    }
  }

  #takeBody(byte: number): FramingOutcome | undefined {
    if (this.#length >= MAX_TELEGRAM_BYTES - MAX_CHECKSUM_LINE_BYTES) {
      return this.#refuse("dsmr-oversized", `longer than ${MAX_TELEGRAM_BYTES} bytes`);
    }
    this.#append(byte);
    if (byte === EXCLAMATION) {
      this.#checksumAt = this.#length;
      this.#state = "checksum";
    }
    return undefined;
  }

  #takeChecksum(byte: number): FramingOutcome | undefined {
    this.#append(byte);
    if (byte === LF) return this.#finish();
    if (this.#length - this.#checksumAt < MAX_CHECKSUM_LINE_BYTES - 1) return undefined;
    return this.#refuse("dsmr-checksum", "the line after ! is no checksum");
  }

  #finish(): FramingOutcome {
    const bytes = this.#buffer.slice(0, this.#length);
    const printed = latin1(bytes.subarray(this.#checksumAt));
    // Some meters print the checksum without leading zeros.
    const line = /^([0-9A-Fa-f]{0,4})\r?\n$/.exec(printed);
    if (line === null) return this.#refuse("dsmr-checksum", "the line after ! is no checksum", printed);
    const digits = line[1] ?? "";
    if (digits === "") return this.#finishWithoutChecksum(bytes);
    const computed = crc16Arc(bytes.subarray(0, this.#checksumAt));
    if (Number.parseInt(digits, 16) !== computed)
      return this.#refuse("dsmr-checksum", WRONG, digits, computed);
    this.#checksumSeen = true;
    this.reset();
    return { kind: "telegram", bytes, checksum: "verified" };
  }

  #finishWithoutChecksum(bytes: Uint8Array): FramingOutcome {
    if (this.#checksumSeen || VERSION_LINE.test(latin1(bytes))) {
      return this.#refuse("dsmr-checksum", "the checksum is missing, and this meter prints one");
    }
    // One wrong bit makes `!` of `)`, and a line end follows.
    if (bytes[this.#checksumAt - 2] !== LF) {
      return this.#refuse("dsmr-truncated", "the exclamation mark stands within a line");
    }
    this.reset();
    return { kind: "telegram", bytes, checksum: "absent" };
  }

  #append(byte: number): void {
    this.#buffer[this.#length] = byte;
    this.#length += 1;
  }

  #refuse(code: string, what: string, printed?: string, computed?: number): RefusedTelegram {
    const where = `telegram of ${this.#length} bytes`;
    const got = printed === undefined ? {} : { got: JSON.stringify(printed) };
    const expected = computed === undefined ? {} : { expected: hex4(computed) };
    this.reset();
    return { kind: "refused", problem: new Problem(code, what, { where, ...expected, ...got }) };
  }
}

const WRONG = "the checksum is wrong: bytes were changed or lost on the line";

/** Only telegrams from DSMR 4 on (1-3:0.2.8) and eMUCS (0-0:96.1.4) name their version; those carry a checksum. */
const VERSION_LINE = /\n(?:1-3:0\.2\.8|0-0:96\.1\.4)\(/;

/** IEC 62056-21, 6.3.2: three letters of the maker, the baud rate character, then any text up to the line feed. */
function fitsIdentification(position: number, byte: number): boolean {
  if (position <= 3) return (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);
  if (position === 4) return (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x49);
  return position < MAX_IDENTIFICATION_BYTES;
}

function encrypted(): RefusedTelegram {
  const hint = "ask the grid operator for plain P1 output; encrypted telegrams cannot be read yet";
  return {
    kind: "refused",
    problem: new Problem("dsmr-encrypted", "the meter encrypts its telegrams", { hint }),
  };
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

function hex4(value: number): string {
  return value.toString(16).toUpperCase().padStart(4, "0");
}
