import type { SlaveModel, SlaveRead, SlaveTable } from "../../../drivers/simulated/modbus-slave.ts";

/**
 * A register of the witness shows whose it is and when it was asked for:
 *
 *     | unit 3 bits | table 1 bit: input | address 6 bits | counter 6 bits |
 */
const ADDRESSES = 64;
const COUNTER = 64;

/** A device whose every answer can be traced to the request that it was made for. */
export class Witness implements SlaveModel {
  #reads = 0;
  readonly #latest = new Map<string, number>();
  readonly echo: "answered" | "refused" | "ignored";

  constructor(echo: "answered" | "refused" | "ignored" = "answered") {
    this.echo = echo;
  }

  get reads(): number {
    return this.#reads;
  }

  read(request: SlaveRead): readonly number[] | { readonly exception: number } {
    if (request.start + request.count > ADDRESSES) return { exception: 2 };
    this.#reads += 1;
    this.#latest.set(keyOf(request), this.#reads);
    return registersOf(request, this.#reads);
  }

  /** What is wrong with registers that were taken for the answer to the last such request; undefined if nothing is. */
  fault(request: SlaveRead, registers: Uint16Array): string | undefined {
    const asked = this.#latest.get(keyOf(request));
    if (asked === undefined) return `${keyOf(request)} was never asked`;
    const expected = registersOf(request, asked);
    if (expected.length === registers.length && expected.every((value, at) => value === registers[at]))
      return undefined;
    return `${keyOf(request)} expected ${expected.map(words)}, got ${[...registers].map(words)}`;
  }
}

function registersOf({ unit, table, start, count }: SlaveRead, asked: number): number[] {
  return Array.from(
    { length: count },
    (_, at) => (unit << 13) | ((table === "input" ? 1 : 0) << 12) | ((start + at) << 6) | (asked % COUNTER),
  );
}

function keyOf({ unit, table, start, count }: SlaveRead): string {
  return `unit ${unit} ${table} ${start}+${count}`;
}

function words(value: number): string {
  const table: SlaveTable = (value >> 12) & 1 ? "input" : "holding";
  return `{${value >> 13} ${table} ${(value >> 6) & 63} at ${value & 63}}`;
}

/** Reproducible random numbers in [0, 1) (a linear congruential generator, Numerical Recipes). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
