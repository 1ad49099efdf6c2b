import { Problem } from "./problem.ts";

/**
 * JSON (RFC 8259) in the one spelling that evidence is shown in: whole numbers, text, lists, and maps whose order
 * counts. No fractions, exponents, true, false or null. Text that is read is text that {@link writeJson} writes, up
 * to white space: `JSON.parse` would take the last of two equal names, round a number and lose the order.
 */
export type Json = number | string | readonly Json[] | JsonMap;
export type JsonMap = ReadonlyMap<string, Json>;

/** Above any nesting that is written: an object of 8192 bytes holds another at most some 60 times. */
const MAX_DEPTH = 128;
const SHOWN = 40;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

const SPACE = /[ \t\n\r]*/y;
const NUMBER_TOKEN = /[-+.0-9A-Za-z]+/y;
const WORD = /[A-Za-z]+/y;
const INTEGER = /^(?:0|-?[1-9][0-9]*)$/;
/** Beside what JSON itself escapes: characters that steer a terminal or turn the direction of writing. */
const UNSEEN = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** Whether `value` is a map. */
export function isJsonMap(value: Json): value is JsonMap {
  return value instanceof Map;
}

/** Whether `value` is a list. */
export function isJsonList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

/** The text of `value`: two blanks of indentation a level, a list of numbers on one line. */
export function writeJson(value: Json): string {
  return written(value, "");
}

function written(value: Json, indent: string): string {
  if (typeof value === "number") return String(value);
  if (typeof value === "string") return quoted(value);
  const inner = `${indent}  `;
  if (isJsonMap(value)) {
    const lines = [...value].map(([name, item]) => `${quoted(name)}: ${written(item, inner)}`);
    return lines.length === 0 ? "{}" : `{\n${inner}${lines.join(`,\n${inner}`)}\n${indent}}`;
  }
  if (value.every((item) => typeof item === "number")) return `[${value.join(", ")}]`;
  return `[\n${inner}${value.map((item) => written(item, inner)).join(`,\n${inner}`)}\n${indent}]`;
}

/** The one spelling of a text: nothing is escaped that need not be, and what must be is in its shortest form. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(UNSEEN, (character) => `\\u${hexOf(character)}`);
}

/**
 * The value of a text. Throws `json-syntax` with line and column, and `json-duplicate`, `json-number`, `json-text`,
 * `json-type` or `json-depth` with the path of the property, `$` for the whole.
 */
export function parseJson(text: string): Json {
  return new JsonReader(text).document();
}

/** For a message: what stood there, short. */
export function describeJson(value: Json | undefined): string {
  if (value === undefined) return "nothing";
  if (typeof value === "number") return String(value);
  if (typeof value === "string") return shortened(quoted(value));
  return isJsonMap(value) ? `a map of ${value.size}` : `a list of ${value.length}`;
}

/** Where a property is, in the words of JSONPath (RFC 9535). */
export function under(path: string, name: string): string {
  return `${path}.${shortened(quoted(name).slice(1, -1))}`;
}

function shortened(text: string): string {
  return text.length <= SHOWN ? text : `${text.slice(0, SHOWN).toWellFormed()}…`;
}

/** Throws `json-text` where a text is spelled in another way than its own, and shows both from there on. */
function requireSpelling(raw: string, text: string, where: string): void {
  const spelling = quoted(text);
  if (raw === spelling) return;
  let at = 0;
  while (raw.charAt(at) === spelling.charAt(at)) at += 1;
  throw new Problem("json-text", "text is not in its one spelling", {
    where,
    expected: shortened(spelling.slice(at)),
    got: shortened(raw.slice(at).replace(UNSEEN, (character) => `bare U+${hexOf(character)}`)),
    hint: "escape only what must be, in the shortest form",
  });
}

function hexOf(character: string): string {
  return character.charCodeAt(0).toString(16).padStart(4, "0");
}

class JsonReader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): Json {
    const value = this.#value("$", MAX_DEPTH);
    if (this.#at < this.#text.length) throw this.#syntax("nothing after the value");
    return value;
  }

  /** A value and the white space on both sides of it. */
  #value(path: string, depth: number): Json {
    this.#take(SPACE);
    const value = this.#bareValue(path, depth);
    this.#take(SPACE);
    return value;
  }

  #bareValue(path: string, depth: number): Json {
    const first = this.#text.charAt(this.#at);
    if (first === '"') return this.#string(path);
    if (first === "{" || first === "[") {
      if (depth === 0) throw new Problem("json-depth", `nested deeper than ${MAX_DEPTH}`, { where: path });
      return first === "{" ? this.#map(path, depth - 1) : this.#list(path, depth - 1);
    }
    if (/[-0-9]/.test(first)) return this.#number(path);
    const word = this.#peek(WORD);
    if (word !== "true" && word !== "false" && word !== "null") throw this.#syntax("a value");
    const expected = "a number, a text, a list or a map";
    throw new Problem("json-type", "nothing in evidence is this", { where: path, expected, got: word });
  }

  #map(path: string, depth: number): JsonMap {
    const map = new Map<string, Json>();
    this.#at += 1;
    this.#take(SPACE);
    if (this.#skip("}")) return map;
    do {
      this.#take(SPACE);
      if (this.#text.charAt(this.#at) !== '"') throw this.#syntax("the name of a property in quotes");
      const name = this.#string(path);
      const where = under(path, name);
      if (map.has(name)) throw new Problem("json-duplicate", "property stands there twice", { where });
      this.#take(SPACE);
      if (!this.#skip(":")) throw this.#syntax('":"');
      map.set(name, this.#value(where, depth));
    } while (this.#skip(","));
    if (this.#skip("}")) return map;
    throw this.#syntax('"," or "}"');
  }

  #list(path: string, depth: number): readonly Json[] {
    const list: Json[] = [];
    this.#at += 1;
    this.#take(SPACE);
    if (this.#skip("]")) return list;
    do list.push(this.#value(`${path}[${list.length}]`, depth));
    while (this.#skip(","));
    if (this.#skip("]")) return list;
    throw this.#syntax('"," or "]"');
  }

  /** A number has one spelling: no sign but minus, no leading zero, no point, no exponent, and no minus zero. */
  #number(path: string): number {
    const token = this.#take(NUMBER_TOKEN);
    const number = Number(token);
    if (INTEGER.test(token) && Number.isSafeInteger(number)) return number;
    throw new Problem("json-number", "not a number of evidence", {
      where: path,
      expected: "a whole number of at most 2^53-1 in size, in plain digits",
      got: shortened(token),
    });
  }

  #string(path: string): string {
    const raw = this.#text.slice(this.#at, this.#endOfString());
    const text = this.#unquoted(raw);
    if (!text.isWellFormed())
      throw new Problem("json-text", "text has half a surrogate pair, which no UTF-8 has", { where: path });
    requireSpelling(raw, text, path);
    this.#at += raw.length;
    return text;
  }

  #endOfString(): number {
    for (let at = this.#at + 1; at < this.#text.length; at++) {
      const code = this.#text.charCodeAt(at);
      if (code === QUOTE) return at + 1;
      if (code === BACKSLASH) at += 1;
    }
    throw this.#syntax("a text with an end");
  }

  #unquoted(raw: string): string {
    try {
      return String(JSON.parse(raw));
    } catch (cause) {
      throw this.#syntax("a text without bare control characters and unknown escapes", cause);
    }
  }

  #skip(character: string): boolean {
    if (this.#text.charAt(this.#at) !== character) return false;
    this.#at += 1;
    return true;
  }

  #peek(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    return pattern.exec(this.#text)?.[0] ?? "";
  }

  #take(pattern: RegExp): string {
    const token = this.#peek(pattern);
    this.#at += token.length;
    return token;
  }

  #syntax(expected: string, cause?: unknown): Problem {
    const before = this.#text.slice(0, this.#at).split("\n");
    const where = `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
    const next = this.#text.slice(this.#at, this.#at + 10).toWellFormed();
    const got = next === "" ? "the end" : JSON.stringify(next);
    return new Problem("json-syntax", "not JSON", { where, expected, got, cause });
  }
}
