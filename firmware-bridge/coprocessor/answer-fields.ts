import type { SmpMap, SmpValue } from "../smp/cbor.ts";
import { answerFault } from "./problems.ts";

const MAX_SHOWN = 40;

/** The fields of one map, each read as what it has to be. Everything throws Problem `coprocessor-answer`. */
export class AnswerFields {
  readonly where: string;
  readonly #map: SmpMap;

  /** @param where what was asked of whom, and where in the answer the map stands */
  constructor(map: SmpMap, where: string) {
    this.#map = map;
    this.where = where;
  }

  has(key: string): boolean {
    return this.#map.has(key);
  }

  /** A whole number from `least` to `most`, at the widest from -(2^53 - 1) to 2^53 - 1. */
  integer(key: string, least: number, most: number = Number.MAX_SAFE_INTEGER): number {
    return integerIn(this.#map.get(key), { least, most, where: this.#at(key) });
  }

  optionalInteger(key: string, least: number, most?: number): number | undefined {
    return this.has(key) ? this.integer(key, least, most) : undefined;
  }

  /** Whole numbers from 0, between `fewest` and `most` of them; undefined where there is no list. */
  optionalCounts(key: string, { fewest, most }: Length): readonly number[] | undefined {
    const value = this.#map.get(key);
    if (value === undefined) return undefined;
    const list = this.#list(key, { fewest, most });
    return list.map((item, at) =>
      integerIn(item, { least: 0, most: Number.MAX_SAFE_INTEGER, where: `${this.#at(key)}[${at}]` }),
    );
  }

  /** Printable characters, between `fewest` and `most` bytes of UTF-8. */
  text(key: string, { fewest, most }: Length): string {
    const value = this.#map.get(key);
    if (typeof value !== "string") throw this.#wrong(key, "text", value);
    const length = Buffer.byteLength(value);
    if (length < fewest || length > most)
      throw answerFault(this.#at(key), `${fewest} to ${most} bytes of text`, `${length} bytes`);
    if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(value)) throw this.#wrong(key, "printable text", value);
    return value;
  }

  bytes(key: string, { fewest, most }: Length): Uint8Array {
    const value = this.#map.get(key);
    if (value instanceof Uint8Array && value.length >= fewest && value.length <= most) return value;
    const length = fewest === most ? String(most) : `${fewest} to ${most}`;
    throw this.#wrong(key, `a byte string of ${length} bytes`, value);
  }

  /** A list of maps, at most `most` of them. */
  maps(key: string, most: number): readonly AnswerFields[] {
    return this.#list(key, { fewest: 0, most }).map((item, at) => {
      const where = `${this.#at(key)}[${at}]`;
      if (item instanceof Map) return new AnswerFields(item, where);
      throw answerFault(where, "a map", shown(item));
    });
  }

  /** Refuses a field of any other name: what is not understood cannot be evidence. */
  only(keys: readonly string[]): void {
    const other = [...this.#map.keys()].find((key) => !keys.includes(key));
    if (other !== undefined)
      throw answerFault(this.where, `no other fields than ${keys.join(", ")}`, shown(other));
  }

  #list(key: string, { fewest, most }: Length): readonly SmpValue[] {
    const value = this.#map.get(key);
    if (!Array.isArray(value)) throw this.#wrong(key, "a list", value);
    if (value.length >= fewest && value.length <= most) return value;
    throw answerFault(this.#at(key), `${fewest} to ${most} items`, String(value.length));
  }

  #at(key: string): string {
    return `${this.where}: ${key}`;
  }

  #wrong(key: string, expected: string, got: SmpValue | undefined): Error {
    return answerFault(this.#at(key), expected, shown(got));
  }
}

export interface Length {
  readonly fewest: number;
  readonly most: number;
}

function integerIn(
  value: SmpValue | undefined,
  { least, most, where }: { readonly least: number; readonly most: number; readonly where: string },
): number {
  // Beyond 2^53 - 1 the decoder gives a bigint, which no unit of a reading can carry.
  if (typeof value === "number" && value >= least && value <= most) return value;
  throw answerFault(
    where,
    least === most ? String(least) : `a whole number from ${least} to ${most}`,
    shown(value),
  );
}

function shown(value: SmpValue | undefined): string {
  if (value === undefined) return "nothing";
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (value instanceof Map) return "a map";
  if (Array.isArray(value)) return "a list";
  return typeof value === "string" ? JSON.stringify(value.slice(0, MAX_SHOWN)) : String(value);
}
