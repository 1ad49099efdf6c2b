import type { Cursor } from "./cursor.ts";
import type { Meaning } from "./meaning.ts";
import { bcdInteger, nibbles, signedInteger } from "./numbers.ts";

/** Application data of the fixed structure (EN 1434-3:1997; CI 73): 16 bytes. */
export const FIXED_BYTES = 16;

export interface FixedCounter {
  readonly meaning: Meaning;
  readonly storage: 0 | 1;
  readonly text: string;
  readonly digits?: bigint;
  readonly offset: number;
}

export interface FixedData {
  readonly identification: string;
  readonly accessNumber: number;
  readonly status: number;
  readonly medium: number;
  readonly mediumText: string;
  readonly counters: readonly [FixedCounter, FixedCounter];
}

const MEDIA: readonly string[] = [
  "other",
  "oil",
  "electricity",
  "gas",
  "heat",
  "steam",
  "hot water",
  "water",
  "heat cost allocator",
  "reserved",
  "gas mode 2",
  "heat mode 2",
  "hot water mode 2",
  "water mode 2",
  "heat cost allocator mode 2",
  "reserved",
];

/** Nine powers of ten each, from this code on. */
const UNITS: readonly (readonly [number, string, string, number])[] = [
  [0x02, "energy", "Wh", 0],
  [0x0b, "energy", "J", 3],
  [0x14, "power", "W", 0],
  [0x1d, "power", "J/h", 3],
  [0x26, "volume", "m³", -6],
  [0x2f, "volume-flow", "m³/h", -6],
];
const LIKE_COUNTER_1 = 0x3e;

/**
 * Identification, access number, status, two bytes of medium and units, two counters. Status bit 0: binary instead
 * of BCD; bit 1: stored at a fixed date instead of now. rscada/libmbus f09d613 takes bits 7 and 6 for the same; the
 * words of EN 1434-3 number them 0 and 1, and no real frame at hand sets any. The medium stands in the top two bits
 * of both unit bytes, the lower half in the first.
 */
export function readFixedData(cursor: Cursor): FixedData {
  const identification = nibbles(cursor.bytes(4, "the identification"));
  const accessNumber = cursor.byte("the access number");
  const status = cursor.byte("the status");
  const first = cursor.byte("the medium");
  const second = cursor.byte("the medium");
  const medium = (first >> 6) | ((second >> 6) << 2);
  const like = fixedMeaning(first & 0x3f);
  const historic = (second & 0x3f) === LIKE_COUNTER_1;
  const other = historic ? like : fixedMeaning(second & 0x3f);
  const stored = (status & 0x02) === 0 ? 0 : 1;
  const counters = [
    readCounter(cursor, status, { meaning: like, storage: stored }),
    readCounter(cursor, status, { meaning: other, storage: historic ? 1 : stored }),
  ] as const;
  return { identification, accessNumber, status, medium, mediumText: MEDIA[medium] ?? "reserved", counters };
}

function readCounter(
  cursor: Cursor,
  status: number,
  known: Pick<FixedCounter, "meaning" | "storage">,
): FixedCounter {
  const offset = cursor.offset;
  const bytes = cursor.bytes(4, "a counter");
  const digits = (status & 0x01) === 0 ? bcdInteger(bytes) : signedInteger(bytes);
  return { ...known, offset, text: nibbles(bytes), ...(digits === undefined ? {} : { digits }) };
}

function fixedMeaning(code: number): Meaning {
  for (const [start, quantity, unit, exponent] of UNITS) {
    if (code >= start && code < start + 9) {
      return { quantity, unit, exponent: exponent + code - start, coding: "number" };
    }
  }
  if (code === 0x38) return { quantity: "temperature", unit: "°C", exponent: -3, coding: "number" };
  if (code === 0x39) return { quantity: "heat-cost-units", exponent: 0, coding: "number" };
  if (code === 0x3f) return { quantity: "dimensionless", exponent: 0, coding: "number" };
  const name = code === 0 ? "time" : code === 1 ? "date" : `unknown(unit-${code.toString(16)})`;
  return { quantity: name, exponent: 0, coding: "bytes" };
}
