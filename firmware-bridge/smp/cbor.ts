import { Problem } from "../../attest/problem.ts";

/**
 * What stands in the body of a message. Unlike evidence it is not deterministic: microcontrollers write maps of
 * indefinite length (zcbor without its canonical option, tinycbor) and integers of any width, and both are read here.
 * Not read: floats, tags, strings of indefinite length, keys that are no text; no group in use has them.
 */
export type SmpValue =
  | number
  | bigint
  | boolean
  | null
  | string
  | Uint8Array
  | readonly SmpValue[]
  | ReadonlyMap<string, SmpValue>;
export type SmpMap = ReadonlyMap<string, SmpValue>;

/** How deep arrays and maps may be nested in the outermost map. */
const MAX_DEPTH = 6;

const MAJOR = { uint: 0, negative: 1, bytes: 2, text: 3, array: 4, map: 5, simple: 7 } as const;
/** Of half, single and double precision. RFC 8949, 3.3. */
const FLOATS: ReadonlySet<number> = new Set([25, 26, 27]);
const INDEFINITE = 31;
const BREAK = 0xff;

/** Of a key, in words. */
const MAX_SHOWN = 40;

const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A map of the fields that are there, in their order. */
export function smpMap(fields: Readonly<Record<string, SmpValue | undefined>>): SmpMap {
  const map = new Map<string, SmpValue>();
  for (const [key, value] of Object.entries(fields)) if (value !== undefined) map.set(key, value);
  return map;
}

/** Encodes a map, keys in their order, integers at their shortest; `indefinite`: maps and arrays end with a break. */
export function encodeSmpMap(map: SmpMap, length: "definite" | "indefinite" = "definite"): Uint8Array {
  const out: number[] = [];
  writeValue(out, map, length === "indefinite");
  return Uint8Array.from(out);
}

/**
 * Decodes the map that fills `bytes`. An integer beyond 2^53 - 1 becomes a bigint.
 *
 * @throws Problem `smp-cbor`
 */
export function decodeSmpMap(bytes: Uint8Array): SmpMap {
  const reader = new Reader(bytes);
  const value = reader.value(MAX_DEPTH);
  if (!(value instanceof Map)) throw reader.refusal(0, "something else than a map");
  if (reader.at !== bytes.length)
    throw reader.refusal(reader.at, `${bytes.length - reader.at} bytes after the map`);
  return value;
}

function writeValue(out: number[], value: SmpValue, indefinite: boolean): void {
  if (typeof value === "number" || typeof value === "bigint") writeInteger(out, BigInt(value));
  else if (typeof value === "boolean") out.push((MAJOR.simple << 5) | (value ? 21 : 20));
  else if (value === null) out.push((MAJOR.simple << 5) | 22);
  else if (typeof value === "string") writeString(out, MAJOR.text, textEncoder.encode(value));
  else if (value instanceof Uint8Array) writeString(out, MAJOR.bytes, value);
  else writeContainer(out, value, indefinite);
}

function writeInteger(out: number[], value: bigint): void {
  if (value >= 0n) writeHead(out, MAJOR.uint, value);
  else writeHead(out, MAJOR.negative, -1n - value);
}

function writeString(out: number[], major: number, bytes: Uint8Array): void {
  writeHead(out, major, BigInt(bytes.length));
  for (const byte of bytes) out.push(byte);
}

function writeContainer(out: number[], value: SmpMap | readonly SmpValue[], indefinite: boolean): void {
  const items: readonly SmpValue[] = value instanceof Map ? [...value].flat() : [...value.values()];
  const isMap = value instanceof Map;
  const major = isMap ? MAJOR.map : MAJOR.array;
  if (indefinite) out.push((major << 5) | INDEFINITE);
  else writeHead(out, major, BigInt(isMap ? items.length / 2 : items.length));
  for (const item of items) writeValue(out, item, indefinite);
  if (indefinite) out.push(BREAK);
}

function writeHead(out: number[], major: number, argument: bigint): void {
  if (argument < 24n) {
    out.push((major << 5) | Number(argument));
    return;
  }
  const power = argument < 1n << 8n ? 0 : argument < 1n << 16n ? 1 : argument < 1n << 32n ? 2 : 3;
  out.push((major << 5) | (24 + power));
  for (let shift = (8 << power) - 8; shift >= 0; shift -= 8)
    out.push(Number((argument >> BigInt(shift)) & 0xffn));
}

class Reader {
  readonly #bytes: Uint8Array;
  /** The keys and places under way, for words. */
  readonly #path: (string | number)[] = [];
  at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** `depth`: how many arrays and maps may still open. RFC 8949, 3. */
  value(depth: number): SmpValue {
    const start = this.at;
    const first = this.#byte();
    const major = first >> 5;
    const info = first & 31;
    if (major === MAJOR.simple) return this.#simple(info, start);
    if (major === MAJOR.array || major === MAJOR.map) {
      if (depth === 0) throw this.refusal(start, `nested deeper than ${MAX_DEPTH}`);
      const count = info === INDEFINITE ? undefined : this.#count(info, start);
      return major === MAJOR.array ? this.#array(count, depth - 1) : this.#map(count, depth - 1);
    }
    if (major === MAJOR.bytes) return this.#take(this.#count(info, start), start).slice();
    if (major === MAJOR.text) return this.#text(info, start);
    if (major === MAJOR.uint) return integer(this.#argument(info, start));
    if (major === MAJOR.negative) return integer(-1n - this.#argument(info, start));
    throw this.refusal(start, "a tag, which is not read");
  }

  /** Says where in the value it was, by the names in it. */
  refusal(offset: number, reason: string, cause?: unknown): Problem {
    const path = this.#path.map((step) => (typeof step === "number" ? `[${step}]` : `.${step}`)).join("");
    return new Problem("smp-cbor", "the body of an SMP message cannot be read", {
      where: `byte ${offset}${path === "" ? "" : ` (${path.replace(/^\./, "")})`}`,
      expected: "a CBOR map of integers, true, false, null, text, bytes, lists and maps",
      got: reason,
      hint: "the firmware has another idea of the protocol: whoever writes it needs this line",
      ...(cause === undefined ? {} : { cause }),
    });
  }

  #simple(info: number, start: number): SmpValue {
    if (info === 20) return false;
    if (info === 21) return true;
    if (info === 22) return null;
    if (info === INDEFINITE) throw this.refusal(start, "a break where nothing is open");
    throw this.refusal(start, FLOATS.has(info) ? "a float" : "a simple value that is not read");
  }

  /** What stands under a key, or at a place. */
  #within(step: string | number, depth: number): SmpValue {
    this.#path.push(typeof step === "string" ? step.slice(0, MAX_SHOWN) : step);
    const value = this.value(depth);
    this.#path.pop();
    return value;
  }

  #byte(): number {
    const byte = this.#bytes[this.at];
    if (byte === undefined) throw this.refusal(this.at, "the value ends early");
    this.at += 1;
    return byte;
  }

  #argument(info: number, start: number): bigint {
    if (info < 24) return BigInt(info);
    if (info > 27)
      throw this.refusal(start, info === INDEFINITE ? "a string of indefinite length" : "a reserved form");
    let argument = 0n;
    for (let left = 1 << (info - 24); left > 0; left -= 1) argument = (argument << 8n) | BigInt(this.#byte());
    return argument;
  }

  /** Every item takes a byte at least, so that no count beyond what is left can be true. */
  #count(info: number, start: number): number {
    const count = this.#argument(info, start);
    const left = this.#bytes.length - this.at;
    if (count > BigInt(left)) throw this.refusal(start, `${count} announced, ${left} bytes left`);
    return Number(count);
  }

  #take(count: number, start: number): Uint8Array {
    if (count > this.#bytes.length - this.at) throw this.refusal(start, "the value ends early");
    this.at += count;
    return this.#bytes.subarray(this.at - count, this.at);
  }

  #text(info: number, start: number): string {
    const bytes = this.#take(this.#count(info, start), start);
    try {
      return textDecoder.decode(bytes);
    } catch (cause) {
      throw this.refusal(start, "text is not valid UTF-8", cause);
    }
  }

  #array(count: number | undefined, depth: number): SmpValue[] {
    const items: SmpValue[] = [];
    while (!this.#ended(count, items.length)) items.push(this.#within(items.length, depth));
    return items;
  }

  #map(count: number | undefined, depth: number): SmpMap {
    const map = new Map<string, SmpValue>();
    while (!this.#ended(count, map.size)) {
      const start = this.at;
      const key = this.value(0);
      if (typeof key !== "string") throw this.refusal(start, "a key that is no text");
      if (map.has(key)) throw this.refusal(start, `the key ${JSON.stringify(key)} a second time`);
      map.set(key, this.#within(key, depth));
    }
    return map;
  }

  #ended(count: number | undefined, read: number): boolean {
    if (count !== undefined) return read === count;
    if (this.#bytes[this.at] !== BREAK) return false;
    this.at += 1;
    return true;
  }
}

function integer(value: bigint): number | bigint {
  const small = Number(value);
  return Number.isSafeInteger(small) ? small : value;
}
