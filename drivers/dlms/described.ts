import { obisText } from "../telegram/text.ts";
import type { AxdrReader } from "./axdr.ts";
import { type Layout, requireOneValueEach } from "./layout.ts";
import { type DlmsValue, layoutProblem, telegramValue } from "./values.ts";

const STRUCTURE = 0x02;
const ARRAY = 0x01;
const ENUM = 0x16;
const DESCRIPTOR_CLASS_BYTES = 2;
const OBIS_BYTES = 6;

/**
 * The list of meters of EG.D and ČEZ (CZ; Sagemcom XT211 and others): every value has the descriptor of its attribute
 * before it, which alone is not tagged (captures in esphome-libs/dlms_parser @ ac1cc1a, tests/dumps/raw_egd_example.log
 * and raw_sagecom_xt211.log). No units are stated.
 *
 *     02 02  16 enum  01 count  { 02 02  class 2  obis 6  attribute 1  value }
 *
 * @returns undefined, and nothing is read, for any other list
 */
export function readDescribed(reader: AxdrReader): Layout | undefined {
  if (!beginsDescribed(reader)) return undefined;
  reader.take(5);
  const values: DlmsValue[] = [];
  for (let left = reader.length(); left > 0; left -= 1) {
    const value = readEntry(reader);
    if (value !== undefined) values.push(value);
  }
  if (values.length === 0) throw layoutProblem(reader.offset, "the list has no values");
  requireOneValueEach(values);
  return { layout: "described", values };
}

/** Where any other list has a tag there is a class below 256, and the null-data it could be has no length. */
function beginsDescribed(reader: AxdrReader): boolean {
  const head = [STRUCTURE, 2, ENUM, undefined, ARRAY, undefined, STRUCTURE, 2, 0];
  return head.every((byte, at) => byte === undefined || reader.peek(at) === byte);
}

function readEntry(reader: AxdrReader): DlmsValue | undefined {
  const at = reader.offset;
  if (reader.byte() !== STRUCTURE || reader.byte() !== 2)
    throw layoutProblem(at, "a list entry is not a descriptor and its value");
  reader.take(DESCRIPTOR_CLASS_BYTES);
  const code = obisText(reader.take(OBIS_BYTES));
  reader.byte();
  const value = reader.value();
  return value.kind === "list" ? undefined : telegramValue(code, value);
}
