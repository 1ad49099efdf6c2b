import { Problem } from "../../attest/problem.ts";
import type { DecodedTelegram } from "../telegram/telegram.ts";
import { decimalText } from "../telegram/text.ts";
import { Cursor } from "./cursor.ts";
import { FIXED_BYTES, type FixedCounter, readFixedData } from "./fixed.ts";
import { DATA_OFFSET, isFromMaster, type MbusFrame, parseFrame } from "./frame.ts";
import { type LongHeader, meterIdOf, readLongHeader, readShortHeader } from "./header.ts";
import { type MakerCodes, makerCodes } from "./makers.ts";
import { codeOf, type MbusValue, readRecords } from "./records.ts";

/** What a frame of a wired M-Bus line says. */
export interface DecodedMbus extends DecodedTelegram {
  readonly frame: MbusFrame;
  readonly values: readonly MbusValue[];
  /** The meter has more records: ask again. */
  readonly more: boolean;
  /** What the header says; of a short header and of fixed data only a part. */
  readonly header?: Partial<LongHeader>;
  /** The meter could not do what it was asked (CI 70). */
  readonly applicationError?: { readonly code: number | undefined; readonly text: string };
}

const APPLICATION_ERRORS: readonly string[] = [
  "unspecified",
  "CI not implemented",
  "buffer too long, truncated",
  "too many records",
  "premature end of record",
  "more than ten DIFE",
  "more than ten VIFE",
  "reserved",
  "application busy",
  "too many readouts",
];

type Body = Omit<DecodedMbus, "frame">;

const NOTHING: Body = { values: [], more: false };

/**
 * Decodes one frame as {@link MbusFramer} cuts it: CI 72, 78 and 7A (records), 73 (fixed data) and 70 (application
 * error) of EN 13757-3; acknowledgements, short and control frames have no values.
 *
 * @throws Problem of {@link parseFrame}; `mbus-ci`, `mbus-msb-first`, `mbus-compact`, `mbus-encrypted`,
 *   `mbus-truncated`, `mbus-dif`, `mbus-lvar`, `mbus-too-many-dife`, `mbus-too-many-vife`, each with the offset
 */
export function decodeMbus(bytes: Uint8Array): DecodedMbus {
  const frame = parseFrame(bytes);
  if (frame.kind === "acknowledgement" || frame.kind === "short") return { frame, ...NOTHING };
  const cursor = new Cursor(bytes, DATA_OFFSET, bytes.length - 2);
  // What a master sends has no values.
  if (isFromMaster(frame.control)) return { frame, ...NOTHING };
  return { frame, ...decodeBody(cursor, frame.information) };
}

function decodeBody(cursor: Cursor, information: number): Body {
  switch (information) {
    case 0x70:
      return applicationError(cursor);
    case 0x72: {
      const header = readLongHeader(cursor);
      return { meterId: meterIdOf(header), header, ...records(cursor, makerCodes(header.manufacturer)) };
    }
    case 0x73:
      return fixedData(cursor);
    case 0x78:
      return records(cursor);
    case 0x7a:
      return { header: readShortHeader(cursor), ...records(cursor) };
    default:
      throw unknownInformation(information);
  }
}

/** 76 and 77 were 72 and 73 with the high byte first (EN 1434-3:1997, mode 2) and are reserved since EN 13757-7. */
function unknownInformation(information: number): Problem {
  const detail = { where: "offset 6", got: information.toString(16).toUpperCase() };
  return information === 0x76 || information === 0x77
    ? new Problem("mbus-msb-first", "the high byte first was withdrawn from the standard", detail)
    : new Problem("mbus-ci", "the CI announces no answer that is known", {
        ...detail,
        expected: "70, 72, 73, 78 or 7A",
      });
}

function applicationError(cursor: Cursor): Body {
  const code = cursor.left === 0 ? undefined : cursor.byte("the error");
  return { ...NOTHING, applicationError: { code, text: APPLICATION_ERRORS[code ?? 0] ?? "reserved" } };
}

function records(cursor: Cursor, maker?: MakerCodes): Body {
  const found = readRecords(cursor, maker);
  const meterTimeText = meterTime(found.values);
  return { ...found, ...(meterTimeText === undefined ? {} : { meterTimeText }) };
}

/** The time point that belongs to no storage is now; two different ones are none. */
function meterTime(values: readonly MbusValue[]): string | undefined {
  const now = values.filter(
    ({ quantity, storage, tariff, subunit, doubt, ...value }) =>
      quantity === "date-time" &&
      value.function === "instantaneous" &&
      storage + tariff + subunit === 0 &&
      doubt === undefined &&
      value.text.includes("-") &&
      !value.text.includes("X"),
  );
  const texts = new Set(now.map(({ text }) => text));
  const [text] = texts;
  return texts.size === 1 ? text : undefined;
}

/** EN 13757-3:2018 gave CI 73 to compact frames, whose data has another length. */
function fixedData(cursor: Cursor): Body {
  if (cursor.left !== FIXED_BYTES) {
    throw new Problem("mbus-compact", "this is no fixed data structure; compact frames cannot be read", {
      where: `offset ${cursor.offset}`,
      expected: `${FIXED_BYTES} bytes`,
      got: `${cursor.left}`,
    });
  }
  const { counters, ...header } = readFixedData(cursor);
  return { header, meterId: header.identification, values: counters.map(fixedValue), more: false };
}

function fixedValue({ meaning, storage, text, digits, offset }: FixedCounter, record: number): MbusValue {
  const { quantity, unit } = meaning;
  const place = { record, function: "instantaneous" as const, storage, tariff: 0, subunit: 0, quantity };
  const known = { code: codeOf(place), ...place, offset };
  if (meaning.coding === "bytes") return { ...known, text };
  if (digits === undefined) return { ...known, text, doubt: "invalid-digits" };
  const scaled = { digits, exponent: meaning.exponent };
  return { ...known, text: decimalText(scaled), ...(unit === undefined ? {} : { unit }), scaled };
}
