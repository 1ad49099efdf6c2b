/** Characters that begin, end or answer a message (IEC 62056-21, 6.3). */
export const SLASH = 0x2f;
export const EXCLAMATION = 0x21;
export const SOH = 0x01;
export const STX = 0x02;
export const ETX = 0x03;
export const ACK = 0x06;
export const NAK = 0x15;
export const CR = 0x0d;
export const LF = 0x0a;

/** Seven bits of a character; the eighth is its parity where the line shows it. */
export const CHARACTER_BITS = 0x7f;
const PARITY_BIT = 0x80;

/**
 * Characters have seven bits and even parity (IEC 62056-21, 5.4 and 5.6). A line of eight bits without parity shows
 * the parity as the highest bit, which takes as long on the wire.
 */
export function isEven(byte: number): boolean {
  let folded = byte ^ (byte >> 4);
  folded ^= folded >> 2;
  folded ^= folded >> 1;
  return (folded & 1) === 0;
}

/** The character with its parity in the highest bit. */
export function evenByte(character: number): number {
  return isEven(character) ? character : character | PARITY_BIT;
}

/** A text of ASCII characters as bytes; with `parity` for a line that does not add it itself. */
export function bytesOf(text: string, parity: boolean): Uint8Array {
  return Uint8Array.from(text, (character) => {
    const code = character.charCodeAt(0) & CHARACTER_BITS;
    return parity ? evenByte(code) : code;
  });
}

/** The characters of a message, one a byte, without their parity. */
export function textOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte & CHARACTER_BITS)).join("");
}

/**
 * The block check character (IEC 62056-21, 6.2; ISO 1155): of each bit the sum without carry, over everything behind
 * STX or SOH up to and with ETX. Parity is no part of it.
 */
export function blockCheck(bytes: Uint8Array): number {
  return bytes.reduce((sum, byte) => sum ^ (byte & CHARACTER_BITS), 0);
}
