import { Problem } from "./problem.ts";

const HEX_DIGITS = "0123456789abcdef";
const HEX_SHAPE = /^(?:[0-9a-f]{2})*$/i;

/** Lower-case hexadecimal text, two digits a byte. */
export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += HEX_DIGITS.charAt(byte >> 4) + HEX_DIGITS.charAt(byte & 15);
  return text;
}

/**
 * Bytes of hexadecimal text in either case, nothing else around it.
 * @param where field, option or file the text comes from, for the message
 * @throws Problem `bytes-hex`
 */
export function fromHex(text: string, where: string): Uint8Array {
  if (!HEX_SHAPE.test(text)) throw notHex(text, where);
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

function notHex(text: string, where: string): Problem {
  const at = text.search(/[^0-9a-f]/i);
  const got = at === -1 ? `${text.length} digits` : `${JSON.stringify(text.charAt(at))} at offset ${at}`;
  return new Problem("bytes-hex", "not hexadecimal", { where, expected: "pairs of hexadecimal digits", got });
}

/** Same length and same bytes. Not in constant time: for public values only. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** One new array that holds all parts, in order. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/**
 * The bytes of ASCII text, as domain tags and network names need them.
 * @throws Problem `bytes-ascii` at the first other character
 */
export function asciiBytes(text: string, where: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) {
      throw new Problem("bytes-ascii", "not ASCII", { where, got: `U+${code.toString(16)} at offset ${i}` });
    }
    bytes[i] = code;
  }
  return bytes;
}

/**
 * Four bytes, big-endian.
 * @throws Problem `bytes-integer` unless 0 <= value < 2^32
 */
export function u32be(value: number): Uint8Array {
  requireInteger(value, 0xffff_ffff);
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, value);
  return bytes;
}

/**
 * Eight bytes, big-endian.
 * @throws Problem `bytes-integer` unless 0 <= value <= 2^53-1
 */
export function u64be(value: number): Uint8Array {
  requireInteger(value, Number.MAX_SAFE_INTEGER);
  const bytes = new Uint8Array(8);
  viewOf(bytes).setUint32(0, Math.floor(value / 2 ** 32));
  viewOf(bytes).setUint32(4, value % 2 ** 32);
  return bytes;
}

/**
 * The big-endian 32-bit integer at an offset.
 * @throws Problem `bytes-short` when fewer than four bytes are left
 */
export function readU32be(bytes: Uint8Array, offset = 0): number {
  requireLeft(bytes, offset, 4);
  return viewOf(bytes).getUint32(offset);
}

/**
 * The big-endian 64-bit integer at an offset.
 * @throws Problem `bytes-short` when fewer than eight bytes are left, `bytes-integer` above 2^53-1
 */
export function readU64be(bytes: Uint8Array, offset = 0): number {
  requireLeft(bytes, offset, 8);
  const high = viewOf(bytes).getUint32(offset);
  const value = high * 2 ** 32 + viewOf(bytes).getUint32(offset + 4);
  requireInteger(value, Number.MAX_SAFE_INTEGER);
  return value;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function requireInteger(value: number, greatest: number): void {
  if (Number.isInteger(value) && value >= 0 && value <= greatest) return;
  throw new Problem("bytes-integer", "integer out of range", {
    expected: `0 to ${greatest}`,
    got: String(value),
  });
}

function requireLeft(bytes: Uint8Array, offset: number, length: number): void {
  if (Number.isInteger(offset) && offset >= 0 && offset + length <= bytes.length) return;
  throw new Problem("bytes-short", "integer cut short", {
    where: `offset ${offset}`,
    expected: `${length} bytes`,
    got: `${Math.max(0, bytes.length - offset)}`,
  });
}

/** Order of two byte strings, byte by byte, the shorter first: below 0, 0 or above. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
