/** How the data of a record is read beside what its DIF says. */
export type Coding =
  /** BCD with sign, signed binary, real. */
  | "number"
  /** Binary data is unsigned (type C or D). */
  | "unsigned"
  /** A name made of digits: printed as they are, never calculated with. */
  | "identifier"
  /** Types F, G, I, J by the number of bytes. */
  | "time"
  /** Printed in hexadecimal. */
  | "bytes";

/** What a record's VIF and VIFEs say of its value. */
export interface Meaning {
  readonly quantity: string;
  readonly unit?: string;
  /** The value counts steps of ten to this power, in the unit. */
  readonly exponent: number;
  readonly coding: Coding;
}

export type MeaningTable = ReadonlyMap<number, Meaning>;

type Entry = readonly [number, Meaning];

/** `count` codes from `first` on, each ten times the step before. */
export function steps(
  first: number,
  count: number,
  [quantity, unit, exponent]: readonly [string, string, number],
): Entry[] {
  return Array.from({ length: count }, (_, n) => [
    first + n,
    { quantity, unit, exponent: exponent + n, coding: "number" },
  ]);
}

export const SECONDS_TO_DAYS: readonly string[] = ["s", "min", "h", "d"];
export const HOURS_TO_YEARS: readonly string[] = ["h", "d", "month", "year"];

/** One code for each unit of time. Months and years have no length in seconds, so that none is converted. */
export function durations(first: number, quantity: string, units: readonly string[]): Entry[] {
  return units.map((unit, n) => [first + n, { quantity, unit, exponent: 0, coding: "unsigned" }]);
}

export function one(code: number, quantity: string, coding: Coding, unit?: string): Entry[] {
  return [[code, { quantity, exponent: 0, coding, ...(unit === undefined ? {} : { unit }) }]];
}
