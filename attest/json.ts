import { Problem } from "./problem.ts";

const BYTES_KEY = "base64:";
const MAX_DEPTH = 64;
const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const NO_DIGIT = 64;
const digitValues: Uint8Array = new Uint8Array(128).fill(NO_DIGIT);
for (let value = 0; value < DIGITS.length; value++) digitValues[DIGITS.charCodeAt(value)] = value;

/** JSON text of plain data in which byte strings appear as {"base64:": "AP8="} (RFC 4648, 4). Maps are not plain data. */
export function toJson(value: unknown, indent = 0): string {
  return JSON.stringify(withoutBytes(value), undefined, indent);
}

/** The plain data of text that {@link toJson} wrote. Throws `json` with the reason. */
export function fromJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Problem("json", "text is not JSON", { got: describe(cause), cause });
  }
  return withBytes(value);
}

/** The value itself where there are no byte strings in it. */
function withoutBytes(value: unknown): unknown {
  if (value instanceof Uint8Array) return { [BYTES_KEY]: toBase64(value) };
  if (Array.isArray(value)) return value.map(withoutBytes);
  if (!isRecord(value)) return value;
  let copy = value;
  for (const name of Object.keys(value)) {
    const item = value[name];
    const plain = typeof item === "object" ? withoutBytes(item) : item;
    if (plain === item) continue;
    if (copy === value) copy = { ...value };
    copy[name] = plain;
  }
  return copy;
}

/** What was just parsed belongs to nobody else, so byte strings are put where their texts were. */
function withBytes(value: unknown, depth = 0): unknown {
  if (depth > MAX_DEPTH)
    throw new Problem("json", "nested too deeply", { expected: `at most ${MAX_DEPTH} levels` });
  if (Array.isArray(value)) return value.map((item) => withBytes(item, depth + 1));
  if (!isRecord(value)) return value;
  const text = value[BYTES_KEY];
  if (typeof text === "string" && Object.keys(value).length === 1) return fromBase64(text);
  for (const name of Object.keys(value)) {
    const item = value[name];
    if (typeof item === "object") value[name] = withBytes(item, depth + 1);
  }
  return value;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/** Base64 text with padding (RFC 4648, 4). */
export function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const left = bytes.length - at;
    const word = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    text += DIGITS.charAt(word >> 18) + DIGITS.charAt((word >> 12) & 63);
    text += (left > 1 ? DIGITS.charAt((word >> 6) & 63) : "=") + (left > 2 ? DIGITS.charAt(word & 63) : "=");
  }
  return text;
}

/** The bytes of base64 text with padding and nothing around it. Throws `json`. */
export function fromBase64(text: string): Uint8Array {
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  if (text.length % 4 !== 0) throw notBase64(`${text.length} characters`);
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  let word = 0;
  for (let at = 0; at < text.length - padding; at++) {
    const value = digitValues[text.charCodeAt(at)] ?? NO_DIGIT;
    if (value === NO_DIGIT) throw notBase64(`${JSON.stringify(text.charAt(at))} at offset ${at}`);
    word = (word << 6) | value;
    // Of four digits the second, third and fourth each complete a byte.
    if (at % 4 > 0) bytes[Math.floor(at / 4) * 3 + (at % 4) - 1] = word >> (6 - 2 * (at % 4));
  }
  return bytes;
}

function notBase64(got: string): Problem {
  return new Problem("json", "byte string is not base64", { expected: "fours of base64 digits", got });
}

function describe(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
