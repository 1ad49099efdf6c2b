import type { SmpMap, SmpValue } from "./cbor.ts";
import { fieldProblem } from "./problems.ts";

/** The fields of one map of an answer, each read as what it has to be. Everything throws Problem `smp-answer`. */
export class Fields {
  readonly #map: SmpMap;
  readonly #where: string;

  /** @param where what was asked of whom, and where in the answer the map stands */
  constructor(map: SmpMap, where: string) {
    this.#map = map;
    this.#where = where;
  }

  /** A whole number from 0 to 2^53 - 1. */
  count(key: string): number {
    const value = this.#map.get(key);
    if (typeof value === "number" && value >= 0) return value;
    throw this.#wrong(key, "a count", value);
  }

  countOr(key: string, otherwise: number): number {
    return this.#map.has(key) ? this.count(key) : otherwise;
  }

  text(key: string): string {
    const value = this.#map.get(key);
    if (typeof value === "string") return value;
    throw this.#wrong(key, "text", value);
  }

  /** A flag that may be left out where it is false. */
  flag(key: string): boolean {
    const value = this.#map.get(key) ?? false;
    if (typeof value === "boolean") return value;
    throw this.#wrong(key, "true or false", value);
  }

  optionalFlag(key: string): boolean | undefined {
    return this.#map.has(key) ? this.flag(key) : undefined;
  }

  optionalBytes(key: string): Uint8Array | undefined {
    const value = this.#map.get(key);
    if (value === undefined || value instanceof Uint8Array) return value;
    throw this.#wrong(key, "bytes", value);
  }

  list(key: string): readonly SmpValue[] {
    const value = this.#map.get(key);
    if (Array.isArray(value)) return value;
    throw this.#wrong(key, "a list", value);
  }

  map(key: string): SmpMap {
    const value = this.#map.get(key);
    if (value instanceof Map) return value;
    throw this.#wrong(key, "a map", value);
  }

  #wrong(key: string, expected: string, got: SmpValue | undefined): Error {
    return fieldProblem(`${this.#where}: ${key}`, expected, got);
  }
}
