import { Problem } from "./problem.ts";

/**
 * The deterministic subset of CBOR that evidence is written in (RFC 8949, 4.2.1): integers of at most 53 bits,
 * byte strings, UTF-8 text, definite arrays, and maps whose keys are unsigned integers in ascending order. No
 * tags, floats, simple values or indefinite lengths. There is exactly one encoding of every value.
 */
export type CborValue = number | Uint8Array | string | readonly CborValue[] | CborMap;
export type CborMap = ReadonlyMap<number, CborValue>;

export interface CborLimits {
  /** Nesting of arrays and maps; a bare integer has depth 0. */
  readonly maxDepth: number;
  /** Longest byte or text string and largest element count. */
  readonly maxLength: number;
}

export const DEFAULT_LIMITS: CborLimits = { maxDepth: 4, maxLength: 4096 };

const UINT = 0;
const NEGATIVE = 1;
const BYTES = 2;
const TEXT = 3;
const ARRAY = 4;
const MAP = 5;
const TWO_TO_32 = 0x1_0000_0000;

const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Encodes `value`; throws `cbor-encode` for anything outside the subset, such as an integer above 2^53-1. */
export function encodeCbor(value: CborValue): Uint8Array {
  const out = new ByteSink();
  write(out, value);
  return out.bytes();
}

/**
 * Decodes exactly one value that fills `bytes`. Throws `cbor-…` Problems that name the offset and the reason;
 * whatever is accepted re-encodes to the same bytes.
 */
export function decodeCbor(bytes: Uint8Array, limits: CborLimits = DEFAULT_LIMITS): CborValue {
  const { value, end } = decodeCborAt(bytes, 0, limits);
  if (end !== bytes.length) throw refuse("cbor-trailing", end, `${bytes.length - end} bytes after the value`);
  return value;
}

/** As {@link decodeCbor}, for the value that begins at `offset`; `end` is the offset behind it (RFC 8742). */
export function decodeCborAt(
  bytes: Uint8Array,
  offset: number,
  limits: CborLimits = DEFAULT_LIMITS,
): { readonly value: CborValue; readonly end: number } {
  const reader = new Reader(bytes, offset, limits);
  const value = reader.value(limits.maxDepth);
  return { value, end: reader.at };
}

/** Decodes one value and requires it to be a map. */
export function decodeCborMap(bytes: Uint8Array, limits: CborLimits = DEFAULT_LIMITS): CborMap {
  const value = decodeCbor(bytes, limits);
  if (value instanceof Map) return value;
  throw refuse("cbor-type", 0, "expected a map");
}

function write(out: ByteSink, value: CborValue): void {
  if (typeof value === "number") writeInteger(out, value);
  else if (typeof value === "string") writeString(out, TEXT, encodeText(value));
  else if (value instanceof Uint8Array) writeString(out, BYTES, value);
  else if (value instanceof Map) writeMap(out, value);
  else if (Array.isArray(value)) writeArray(out, value);
  else
    throw new Problem("cbor-encode", "value is outside the evidence subset of CBOR", { got: typeof value });
}

function writeInteger(out: ByteSink, value: number): void {
  if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
    throw new Problem("cbor-encode", "integer out of range", {
      expected: "a whole number of at most 2^53-1 in size",
      got: String(value),
    });
  }
  if (value >= 0) out.head(UINT, value);
  else out.head(NEGATIVE, -1 - value);
}

function writeString(out: ByteSink, major: number, bytes: Uint8Array): void {
  out.head(major, bytes.length);
  out.append(bytes);
}

function writeArray(out: ByteSink, items: readonly CborValue[]): void {
  out.head(ARRAY, items.length);
  for (const item of items) write(out, item);
}

function writeMap(out: ByteSink, map: CborMap): void {
  const keys = [...map.keys()].sort((a, b) => a - b);
  out.head(MAP, keys.length);
  for (const key of keys) {
    if (key < 0) throw new Problem("cbor-encode", "map key is negative", { got: String(key) });
    writeInteger(out, key);
    const value = map.get(key);
    if (value === undefined)
      throw new Problem("cbor-encode", "map value is undefined", { where: `key ${key}` });
    write(out, value);
  }
}

function encodeText(text: string): Uint8Array {
  if (!text.isWellFormed()) throw new Problem("cbor-encode", "text has a lone surrogate");
  return textEncoder.encode(text);
}

class ByteSink {
  #buffer: Uint8Array = new Uint8Array(256);
  #length = 0;

  head(major: number, argument: number): void {
    const first = major << 5;
    if (argument < 24) this.#push(first | argument, 0, 0);
    else if (argument < 0x100) this.#push(first | 24, argument, 1);
    else if (argument < 0x1_0000) this.#push(first | 25, argument, 2);
    else if (argument < TWO_TO_32) this.#push(first | 26, argument, 4);
    else this.#push(first | 27, argument, 8);
  }

  append(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  bytes(): Uint8Array {
    return this.#buffer.slice(0, this.#length);
  }

  #push(first: number, argument: number, width: number): void {
    this.#reserve(1 + width);
    this.#buffer[this.#length] = first;
    let rest = argument;
    for (let at = this.#length + width; at > this.#length; at--) {
      this.#buffer[at] = rest % 256;
      rest = Math.floor(rest / 256);
    }
    this.#length += 1 + width;
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#buffer.length) return;
    const larger = new Uint8Array(Math.max(this.#buffer.length * 2, this.#length + count));
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
  }
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #limits: CborLimits;
  at: number;

  constructor(bytes: Uint8Array, at: number, limits: CborLimits) {
    this.#bytes = bytes;
    this.#limits = limits;
    this.at = at;
  }

  value(depth: number): CborValue {
    const start = this.at;
    const first = this.#byte();
    const major = first >> 5;
    if (major > MAP)
      throw refuse(
        "cbor-type",
        start,
        major === 6 ? "tags are not allowed" : "floats and simple values are not allowed",
      );
    const argument = this.#argument(first & 31, start);
    if (major === UINT) return argument;
    if (major === NEGATIVE) return this.#negative(argument, start);
    if (argument > this.#limits.maxLength)
      throw refuse("cbor-length", start, `length ${argument} is over the limit ${this.#limits.maxLength}`);
    if (major === BYTES) return this.#take(argument, start).slice();
    if (major === TEXT) return this.#text(argument, start);
    if (depth === 0) throw refuse("cbor-depth", start, `nested deeper than ${this.#limits.maxDepth}`);
    return major === ARRAY ? this.#array(argument, depth - 1) : this.#map(argument, depth - 1);
  }

  #byte(): number {
    const byte = this.#bytes[this.at];
    if (byte === undefined) throw refuse("cbor-truncated", this.at, "the value ends early");
    this.at += 1;
    return byte;
  }

  /** RFC 8949 4.2.1: the shortest form and no other. */
  #argument(info: number, start: number): number {
    if (info < 24) return info;
    if (info > 27)
      throw refuse(
        "cbor-type",
        start,
        info === 31 ? "indefinite lengths are not allowed" : "reserved additional information",
      );
    const width = 1 << (info - 24);
    let argument = 0;
    for (let i = 0; i < width; i++) argument = argument * 256 + this.#byte();
    const least = [24, 0x100, 0x1_0000, TWO_TO_32][info - 24] ?? 0;
    if (argument < least) throw refuse("cbor-not-shortest", start, `${argument} is not in its shortest form`);
    if (!Number.isSafeInteger(argument)) throw refuse("cbor-integer", start, "integer above 2^53-1");
    return argument;
  }

  #negative(argument: number, start: number): number {
    const value = -1 - argument;
    if (!Number.isSafeInteger(value)) throw refuse("cbor-integer", start, "integer below -(2^53-1)");
    return value;
  }

  #take(count: number, start: number): Uint8Array {
    if (count > this.#bytes.length - this.at)
      throw refuse("cbor-truncated", start, `${count} bytes announced, ${this.#bytes.length - this.at} left`);
    this.at += count;
    return this.#bytes.subarray(this.at - count, this.at);
  }

  #text(count: number, start: number): string {
    const bytes = this.#take(count, start);
    try {
      return textDecoder.decode(bytes);
    } catch (cause) {
      throw refuse("cbor-text", start, "text is not valid UTF-8", cause);
    }
  }

  #array(count: number, depth: number): CborValue[] {
    const items: CborValue[] = [];
    for (let i = 0; i < count; i++) items.push(this.value(depth));
    return items;
  }

  #map(count: number, depth: number): CborMap {
    const map = new Map<number, CborValue>();
    let previous = -1;
    for (let i = 0; i < count; i++) {
      const start = this.at;
      const key = this.value(0);
      if (typeof key !== "number" || key < 0)
        throw refuse("cbor-key", start, "map keys are unsigned integers");
      if (key <= previous) throw refuse("cbor-key-order", start, `key ${key} after key ${previous}`);
      previous = key;
      map.set(key, this.value(depth));
    }
    return map;
  }
}

function refuse(code: string, offset: number, reason: string, cause?: unknown): Problem {
  return new Problem(code, reason, { where: `offset ${offset}`, cause });
}
