import { Problem } from "../../attest/problem.ts";
import { present } from "../present.ts";
import type { TelegramValue } from "../telegram/telegram.ts";
import { decimalText, hexText } from "../telegram/text.ts";
import type { Cursor } from "./cursor.ts";
import { readData } from "./data.ts";
import { type RecordFunction, readDataInformation, readMeaning } from "./information.ts";
import type { MakerCodes } from "./makers.ts";

/** One data record. */
export interface MbusValue extends TelegramValue {
  /** Counts the records of the frame from 0. */
  readonly record: number;
  readonly function: RecordFunction;
  readonly storage: number;
  readonly tariff: number;
  readonly subunit: number;
  /** `energy`, or `energy(backward)` where a VIFE says so: never to be matched by its beginning. */
  readonly quantity: string;
  /** Where the record begins in the frame. */
  readonly offset: number;
  /** Why the text is no value of this quantity: `invalid-digits`, `record-error`, `manufacturer-specific` … */
  readonly doubt?: string;
  /** Of BCD of fixed size: how many digits it has. */
  readonly bcdDigits?: number;
  /** Of a real: what its last binary digit counts, in the unit. */
  readonly realStep?: number;
}

export interface Records {
  readonly values: readonly MbusValue[];
  /** The meter has more records, in its next telegram (DIF 1F). */
  readonly more: boolean;
}

const MANUFACTURER_DATA = 0x0f;
const MANUFACTURER_DATA_AND_MORE = 0x1f;
const FILLER = 0x2f;

/**
 * Reads the records up to the end (EN 13757-3). Fillers (2F) are no records.
 *
 * @param maker what the meter's maker means by codes of its own, where that is known
 * @throws Problem `mbus-truncated`, `mbus-dif`, `mbus-lvar`, `mbus-too-many-dife`, `mbus-too-many-vife`
 */
export function readRecords(cursor: Cursor, maker?: MakerCodes): Records {
  const values: MbusValue[] = [];
  while (cursor.left > 0) {
    const offset = cursor.offset;
    const dif = cursor.byte("the DIF");
    if (dif === FILLER) continue;
    if (dif === MANUFACTURER_DATA || dif === MANUFACTURER_DATA_AND_MORE) {
      if (cursor.left > 0) values.push(manufacturerData(cursor, offset, values.length));
      return { values, more: dif === MANUFACTURER_DATA_AND_MORE };
    }
    if ((dif & 0x0f) === 0x0f) throw reservedDif(offset, dif);
    values.push(readRecord(cursor, { dif, offset, record: values.length, maker }));
  }
  return { values, more: false };
}

/** 7F asks for a readout and comes from masters only; the others are reserved. */
function reservedDif(offset: number, dif: number): Problem {
  const got = dif.toString(16).toUpperCase();
  return new Problem("mbus-dif", "the DIF has no meaning in an answer", { where: `offset ${offset}`, got });
}

interface Beginning {
  readonly dif: number;
  readonly offset: number;
  readonly record: number;
  readonly maker: MakerCodes | undefined;
}

function readRecord(cursor: Cursor, { dif, offset, record, maker }: Beginning): MbusValue {
  const { field, ...place } = readDataInformation(cursor, dif);
  const meaning = readMeaning(cursor, maker);
  const data = readData(cursor, field, meaning.coding);
  const { quantity, exponent, unit } = meaning;
  const value = present<MbusValue>({
    ...{ code: codeOf({ ...place, record, quantity }), record, ...place, quantity, offset },
    text: data.text,
    doubt: meaning.doubt ?? data.doubt,
    bcdDigits: data.bcdDigits,
    realStep: data.realStep === undefined ? undefined : data.realStep * 10 ** exponent,
  });
  if (data.number === undefined) return value;
  const scaled = { digits: data.number.digits, exponent: data.number.exponent + exponent };
  const text = decimalText(scaled);
  if (meaning.doubt !== undefined) return { ...value, text };
  return present<MbusValue>({ ...value, text, unit, scaled });
}

function manufacturerData(cursor: Cursor, offset: number, record: number): MbusValue {
  const place = { function: "instantaneous" as const, storage: 0, tariff: 0, subunit: 0 };
  const quantity = "manufacturer-data";
  const text = hexText(cursor.bytes(cursor.left, "manufacturer data"));
  return {
    ...{ code: codeOf({ ...place, record, quantity }), text, record, ...place, quantity, offset },
    doubt: "manufacturer-specific",
  };
}

/** `3:maximum/s1/t0/u0/volume-flow`: record number, function, storage, tariff, subunit, quantity. */
export function codeOf(
  value: Pick<MbusValue, "record" | "function" | "storage" | "tariff" | "subunit" | "quantity">,
): string {
  const { record, storage, tariff, subunit, quantity } = value;
  return `${record}:${value.function}/s${storage}/t${tariff}/u${subunit}/${quantity}`;
}
