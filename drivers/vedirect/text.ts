/** A label has at most 8 characters and a value at most 32 (VE.Direct Protocol, as Vuteng/VeDirectParser has it); newer ones may be longer. */
const MAX_LABEL_BYTES = 16;
const MAX_VALUE_BYTES = 64;

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
/** Some solar chargers end a HEX message so now and then (hoylabs/OpenDTU-OnBattery, issue 1585). */
const ODD_HEX_END = 0xfe;

/** Ends a block: its value is one byte of any value. */
const CHECKSUM_LABEL = "Checksum";

/** What stands where a field `CR LF label TAB value` may begin. */
export type FieldRead =
  | { readonly kind: "field"; readonly label: string; readonly value: string; readonly end: number }
  /** `valueAt`: where the checksum stands. */
  | { readonly kind: "checksum"; readonly valueAt: number }
  | { readonly kind: "incomplete" }
  /** The byte at `at` belongs to no field. */
  | { readonly kind: "none"; readonly at: number };

/** The bytes end before it can be told whether a HEX message stands there. */
const END = -1;
/** A colon that begins no HEX message. */
const BROKEN = -2;

/**
 * Where the text goes on at or after `from`: HEX messages (`:` digits LF) come between any two bytes of it, and belong
 * to no block (VE.Direct Protocol, asynchronous HEX messages).
 */
function textAt(bytes: Uint8Array, from: number): number {
  let at = from;
  while (bytes[at] === COLON) {
    let end = at + 1;
    while (isHexDigit(bytes[end])) end += 1;
    if (end === bytes.length) return END;
    if (end === at + 1 || (bytes[end] !== LF && bytes[end] !== ODD_HEX_END)) return BROKEN;
    at = end + 1;
  }
  return at;
}

/** Reads the field at `from`; a value is read only where the label is `onlyLabel`, or none is given. */
export function readField(bytes: Uint8Array, from: number, onlyLabel?: string): FieldRead {
  const cursor = new TextCursor(bytes, from);
  if (!cursor.take(CR) || !cursor.take(LF)) return cursor.stopped();
  const label = cursor.upTo(TAB, { belongs: isLabelByte, most: MAX_LABEL_BYTES });
  if (label === undefined || label === "") return cursor.stopped();
  cursor.take(TAB);
  if (label === CHECKSUM_LABEL) return { kind: "checksum", valueAt: cursor.at };
  if (onlyLabel !== undefined && label !== onlyLabel) return { kind: "none", at: from };
  const value = cursor.upTo(CR, { belongs: isPrintable, most: MAX_VALUE_BYTES });
  return value === undefined ? cursor.stopped() : { kind: "field", label, value, end: cursor.at };
}

/** The next byte of text at or after `from`, and where it stands. */
export function textByte(
  bytes: Uint8Array,
  from: number,
): { readonly at: number; readonly byte: number } | "incomplete" | "none" {
  const cursor = new TextCursor(bytes, from);
  const byte = cursor.peek();
  if (byte !== undefined) return { at: cursor.at, byte };
  const { kind } = cursor.stopped();
  return kind === "incomplete" ? "incomplete" : "none";
}

/** The sum of all text from `start` to before `end`, which stands in no HEX message. */
export function sumOfText(bytes: Uint8Array, start: number, end: number): number {
  let sum = 0;
  for (let at = textAt(bytes, start); at >= 0 && at < end; at = textAt(bytes, at + 1)) sum += bytes[at] ?? 0;
  return sum;
}

interface Characters {
  readonly belongs: (byte: number) => boolean;
  readonly most: number;
}

/** Walks over the text between HEX messages. */
class TextCursor {
  readonly #bytes: Uint8Array;
  #short = false;
  at: number;

  constructor(bytes: Uint8Array, from: number) {
    this.#bytes = bytes;
    this.at = from;
  }

  /** The next byte; undefined at the end of the bytes, and at a colon that begins no HEX message. */
  peek(): number | undefined {
    const at = textAt(this.#bytes, this.at);
    this.#short = at === END || at === this.#bytes.length;
    if (at < 0 || this.#short) return undefined;
    this.at = at;
    return this.#bytes[at];
  }

  /** Goes past `byte` and no further: a checksum that is a colon may follow. */
  take(byte: number): boolean {
    const found = this.peek() === byte;
    if (found) this.at += 1;
    return found;
  }

  /** Up to before `end`; undefined where something else stands, or too much. */
  upTo(end: number, { belongs, most }: Characters): string | undefined {
    let text = "";
    for (let byte = this.peek(); byte !== end; byte = this.peek()) {
      if (byte === undefined || !belongs(byte) || text.length === most) return undefined;
      text += String.fromCharCode(byte);
      this.at += 1;
    }
    return text;
  }

  /** Why it went no further. */
  stopped(): Extract<FieldRead, { kind: "incomplete" | "none" }> {
    return this.#short ? { kind: "incomplete" } : { kind: "none", at: this.at };
  }
}

function isHexDigit(byte: number | undefined): boolean {
  return byte !== undefined && ((byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x46));
}

/** Letters, digits, `_` and `#`. */
function isLabelByte(byte: number): boolean {
  const letter = byte & 0xdf;
  return (
    (letter >= 0x41 && letter <= 0x5a) || (byte >= 0x30 && byte <= 0x39) || byte === 0x5f || byte === 0x23
  );
}

function isPrintable(byte: number): boolean {
  return byte >= 0x20 && byte <= 0x7e;
}
