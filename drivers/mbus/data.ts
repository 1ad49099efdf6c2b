import { Problem } from "../../attest/problem.ts";
import { type Decimal, decimalText, hexText } from "../telegram/text.ts";
import type { Cursor } from "./cursor.ts";
import { latin1 } from "./information.ts";
import type { Coding } from "./meaning.ts";
import { bcdInteger, nibbles, real32, realStep32, signedInteger, unsignedInteger } from "./numbers.ts";
import { isTime, timeText } from "./time.ts";

/** The data of a record as it stands there, not yet in its unit. */
export interface RecordData {
  readonly text: string;
  /** Absent where the data is no number. */
  readonly number?: Decimal;
  readonly doubt?: string;
  /** Of a BCD field of fixed size: how many digits it has. */
  readonly bcdDigits?: number;
  /** Of a real: what its last binary digit counts. */
  readonly realStep?: number;
}

/** Bytes of each data field that is binary or BCD (EN 13757-3, table 4). */
const BINARY_BYTES: Readonly<Record<number, number>> = { 1: 1, 2: 2, 3: 3, 4: 4, 6: 6, 7: 8 };
const BCD_BYTES: Readonly<Record<number, number>> = { 9: 1, 10: 2, 11: 3, 12: 4, 14: 6 };
const NO_DATA = 0;
const REAL = 5;
const SELECTION = 8;
const VARIABLE = 13;

/**
 * Reads the data that a DIF with this data field announces.
 *
 * @throws Problem `mbus-truncated`, `mbus-lvar` for a length code that no public source explains
 */
export function readData(cursor: Cursor, field: number, coding: Coding): RecordData {
  const data = readField(cursor, field, coding);
  if (coding !== "time" || BINARY_BYTES[field] !== undefined || data.doubt !== undefined) return data;
  // No type of time is BCD or real; type M, of variable length, is handed on as it came.
  return { text: data.number === undefined ? data.text : decimalText(data.number), doubt: "time-size" };
}

function readField(cursor: Cursor, field: number, coding: Coding): RecordData {
  const binary = BINARY_BYTES[field];
  if (binary !== undefined) return binaryData(cursor.bytes(binary, "the value"), coding);
  const bcd = BCD_BYTES[field];
  if (bcd !== undefined) {
    return { ...bcdData(cursor.bytes(bcd, "the value"), coding), bcdDigits: 2 * bcd };
  }
  if (field === REAL) return realData(cursor.bytes(4, "the value"));
  if (field === VARIABLE) return variableData(cursor, coding);
  if (field === NO_DATA || field === SELECTION) return { text: "", doubt: "no-data" };
  throw new Problem("mbus-dif", "the DIF is none of a record", { where: `offset ${cursor.offset}` });
}

function binaryData(bytes: Uint8Array, coding: Coding): RecordData {
  if (coding === "bytes") return { text: hexText(bytes) };
  if (coding === "time") return timeData(bytes);
  if (coding === "identifier") return { text: unsignedInteger(bytes).toString() };
  const digits = coding === "unsigned" ? unsignedInteger(bytes) : signedInteger(bytes);
  // Meters without a value send the number that has no counterpart: it is kept, and marked.
  const lowest = coding === "number" && digits === -(1n << BigInt(bytes.length * 8 - 1));
  return { ...integer(digits), ...(lowest ? { doubt: "lowest-integer" } : {}) };
}

function timeData(bytes: Uint8Array): RecordData {
  const text = timeText(bytes);
  if (text === undefined) return { text: hexText(bytes), doubt: "time-size" };
  return isTime(text) ? { text } : { text, doubt: "invalid-time" };
}

function bcdData(bytes: Uint8Array, coding: Coding): RecordData {
  const digits = bcdInteger(bytes);
  if (digits === undefined) return { text: nibbles(bytes), doubt: "invalid-digits" };
  if (coding === "number" || coding === "unsigned") return integer(digits);
  return { text: nibbles(bytes) };
}

function realData(bytes: Uint8Array): RecordData {
  const value = real32(bytes);
  if (typeof value === "string") return { text: value, doubt: "not-finite" };
  return { text: "", number: value, realStep: realStep32(bytes) };
}

/** The text comes from the number once its scale is known. */
function integer(digits: bigint): RecordData {
  return { text: "", number: { digits, exponent: 0 } };
}

/**
 * LVAR (EN 13757-3:2018): 00 to BF text, C0 to C9 BCD, D0 to D9 negative BCD, E0 to EF binary bytes,
 * F0 to F4 four times as many, F5 48, F6 64. Checked against maebli/m-bus-parser ffc1660 `data_information.rs`.
 * Binary strings have no stated sign: they are handed on as bytes.
 */
function variableData(cursor: Cursor, coding: Coding): RecordData {
  const offset = cursor.offset;
  const code = cursor.byte("the length of the value");
  if (code < 0xc0) return { text: latin1(cursor.bytes(code, "the value")) };
  if (code <= 0xc9) return bcdString(cursor.bytes(code - 0xc0, "the value"), coding, 1n);
  if (code >= 0xd0 && code <= 0xd9) return bcdString(cursor.bytes(code - 0xd0, "the value"), coding, -1n);
  const length = binaryLength(code);
  if (length !== undefined) return { text: hexText(cursor.bytes(length, "the value")) };
  throw new Problem("mbus-lvar", "a length code is reserved", {
    where: `offset ${offset}`,
    got: code.toString(16).toUpperCase(),
  });
}

function binaryLength(code: number): number | undefined {
  if (code >= 0xe0 && code <= 0xef) return code - 0xe0;
  if (code >= 0xf0 && code <= 0xf4) return 4 * (code - 0xec);
  return code === 0xf5 ? 48 : code === 0xf6 ? 64 : undefined;
}

/** The sign stands in the length: F in the top digit is no digit here. */
function bcdString(bytes: Uint8Array, coding: Coding, sign: 1n | -1n): RecordData {
  const digits = nibbles(bytes);
  if (!/^\d+$/.test(digits)) return { text: digits, doubt: "invalid-digits" };
  if (coding === "identifier") return { text: sign < 0n ? `-${digits}` : digits };
  return integer(sign * BigInt(digits));
}
