import { Problem } from "../../attest/problem.ts";
import type { Cursor } from "./cursor.ts";
import { nibbles, unsignedInteger } from "./numbers.ts";
import { hex } from "./vife.ts";

/** The 12 bytes before the records of CI 72 (EN 13757-7:2018: long header). */
export interface LongHeader {
  /** Eight digits; a meter may print hexadecimal ones. */
  readonly identification: string;
  /** Three letters. */
  readonly manufacturer: string;
  readonly version: number;
  /** Device type, as number and in words. */
  readonly medium: number;
  readonly mediumText: string;
  readonly accessNumber: number;
  readonly status: number;
  /** Signature of old, configuration field of today. */
  readonly signature: number;
}

/** EN 13757-7:2018. Checked against rscada/libmbus f09d613 and tudborg/exmbus 01f5925 `device.csv`. */
const MEDIA: Readonly<Record<number, string>> = {
  0: "other",
  1: "oil",
  2: "electricity",
  3: "gas",
  4: "heat, outlet",
  5: "steam",
  6: "warm water",
  7: "water",
  8: "heat cost allocator",
  9: "compressed air",
  10: "cooling, outlet",
  11: "cooling, inlet",
  12: "heat, inlet",
  13: "heat and cooling",
  14: "bus or system",
  15: "unknown",
  20: "calorific value",
  21: "hot water",
  22: "cold water",
  23: "hot and cold water",
  24: "pressure",
  25: "A/D converter",
  26: "smoke detector",
  27: "room sensor",
  28: "gas detector",
  32: "breaker, electricity",
  33: "valve",
  37: "customer unit",
  40: "waste water",
  41: "garbage",
  54: "radio converter, system side",
  55: "radio converter, meter side",
};

/** @throws Problem `mbus-truncated`, `mbus-encrypted` */
export function readLongHeader(cursor: Cursor): LongHeader {
  const identification = nibbles(cursor.bytes(4, "the identification"));
  const manufacturer = manufacturerCode(cursor.bytes(2, "the manufacturer"));
  const version = cursor.byte("the version");
  const medium = cursor.byte("the medium");
  const mediumText = MEDIA[medium] ?? `reserved ${hex(medium)}`;
  return { identification, manufacturer, version, medium, mediumText, ...readShortHeader(cursor) };
}

/** @throws Problem `mbus-truncated`, `mbus-encrypted` */
export function readShortHeader(cursor: Cursor): Pick<LongHeader, "accessNumber" | "status" | "signature"> {
  const accessNumber = cursor.byte("the access number");
  const status = cursor.byte("the status");
  const offset = cursor.offset;
  const signature = Number(unsignedInteger(cursor.bytes(2, "the signature")));
  if (isEncrypted(signature)) {
    throw new Problem("mbus-encrypted", "the records are encrypted", {
      where: `offset ${offset}`,
      got: `configuration field ${signature.toString(16).toUpperCase().padStart(4, "0")}`,
    });
  }
  return { accessNumber, status, signature };
}

/** Five bits a letter, 1 for A (EN 13757-7:2018; EN 62056-21 registers the letters). */
export function manufacturerCode(bytes: Uint8Array): string {
  const code = Number(unsignedInteger(bytes));
  return String.fromCharCode(...[10, 5, 0].map((shift) => ((code >> shift) & 0x1f) + 0x40));
}

/** What names a meter on any bus: manufacturer, identification, version and device type (its secondary address). */
export function meterIdOf({ manufacturer, identification, version, medium }: LongHeader): string {
  return `${manufacturer}-${identification}-${hex(version)}-${hex(medium)}`;
}

/**
 * Bits 12 to 8: the mode (EN 13757-7:2018). Modes 5 and 7 say how many blocks are encrypted. Modes from
 * 16 on are reserved: meters from before 2005 hold anything in these two bytes, and send their records plainly.
 */
function isEncrypted(signature: number): boolean {
  const mode = (signature >> 8) & 0x1f;
  if (mode === 0 || mode > 15) return false;
  return mode === 5 || mode === 7 ? (signature & 0xf0) !== 0 : true;
}
