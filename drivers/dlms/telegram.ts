import { Problem } from "../../attest/problem.ts";
import { LONG_START } from "../mbus/frame.ts";
import type { TelegramKeys } from "../telegram/decoder.ts";
import type { DecodedTelegram } from "../telegram/telegram.ts";
import { informationOf } from "./assembly.ts";
import { AxdrReader } from "./axdr.ts";
import { GENERAL_BLOCK_TRANSFER, joinBlocks } from "./blocks.ts";
import { type Ciphering, decipherApdu, isCiphered } from "./ciphering.ts";
import { DATE_TIME_BYTES, type MeterClock, readDateTime, utcMsOf } from "./date-time.ts";
import { readDescribed } from "./described.ts";
import { DlmsFramer } from "./framing.ts";
import { beginsTelegram, FLAG, LLC } from "./hdlc.ts";
import { type Layout, type LayoutName, readValues } from "./layout.ts";
import { METER_NUMBER, quantityOf } from "./obis.ts";
import type { DlmsValue } from "./values.ts";

/** data-notification (IEC 62056-5-3). */
const DATA_NOTIFICATION = 0x0f;
const OCTET_STRING = 0x09;

/** What a DLMS telegram says, and how it came. */
export interface DlmsTelegram extends DecodedTelegram {
  readonly invokeId: number;
  /** The clock behind the meter's time, with what the meter says about it. Absent where the telegram has none. */
  readonly clock?: MeterClock;
  /** Absent for a telegram in the clear. */
  readonly ciphering?: Ciphering;
  readonly layout: LayoutName;
  readonly values: readonly DlmsValue[];
}

/** Codes a meter's own number stands under, the best first (1-1:0.0.5 and 1-1:0.0.1 are Kamstrup's). */
const METER_ID_CODES = [
  ...[METER_NUMBER, "1-1:0.0.5*255", "1-1:0.0.1*255"],
  ...["1-0:0.0.1*255", "0-0:96.1.1*255", "0-0:42.0.0*255"],
];

/**
 * Reads one telegram: what {@link DlmsFramer} gives, or the APDU alone, with or without LLC header.
 *
 * @throws Problem, each with the offset in the APDU: what the framer refuses, and `dlms-hdlc` for frames that are not
 *   one telegram, `dlms-block` for blocks that are none; `dlms-apdu` for an APDU that is no data-notification; `dlms-key-missing`, `dlms-key`,
 *   `dlms-security`, `dlms-authentication` and `dlms-decrypt` for an encrypted one; `dlms-truncated`,
 *   `dlms-trailing`, `dlms-length`, `dlms-type`, `dlms-depth` and `dlms-value` for its encoding; `dlms-layout`,
 *   `dlms-scaler` and `dlms-duplicate` for its values
 */
export function decodeDlms(bytes: Uint8Array, keys: TelegramKeys = {}): DlmsTelegram {
  return decodeOpened(openDlms(bytes, keys));
}

/** A telegram's APDU in the clear: {@link decodeDlms} reads it without a key. */
export interface OpenedTelegram {
  readonly apdu: Uint8Array;
  readonly ciphering?: Ciphering;
}

/** Takes frames and ciphering off a telegram. Throws what {@link decodeDlms} throws for them. */
export function openDlms(bytes: Uint8Array, keys: TelegramKeys): OpenedTelegram {
  const apdu = apduOf(bytes);
  return isCiphered(apdu) ? decipherApdu(apdu, keys) : { apdu };
}

/** Reads what {@link openDlms} opened, and throws what {@link decodeDlms} throws for it. */
export function decodeOpened({ apdu, ciphering }: OpenedTelegram): DlmsTelegram {
  if (ciphering === undefined) return decodeNotification(apdu);
  try {
    return { ...decodeNotification(apdu), ciphering };
  } catch (problem) {
    if (ciphering.authentication === "verified") throw problem;
    throw new Problem("dlms-decrypt", "the decrypted telegram makes no sense", {
      hint: "check the encryption key, and that it belongs to this meter",
    });
  }
}

/** The APDU of a telegram: without frames, LLC header and blocks. */
function apduOf(bytes: Uint8Array): Uint8Array {
  const framed = bytes[0] === FLAG || bytes[0] === LONG_START;
  const information = framed ? requireOne(bytes) : bytes;
  const apdu = beginsTelegram(information) ? information.subarray(LLC.length) : information;
  return apdu[0] === GENERAL_BLOCK_TRANSFER ? joinBlocks(apdu) : apdu;
}

/** The information of all frames, which must be one whole telegram. */
function requireOne(bytes: Uint8Array): Uint8Array {
  const framer = new DlmsFramer();
  const [only, ...more] = [...framer.push(bytes), ...framer.end()];
  if (only?.kind === "refused") throw only.problem;
  const whole = only !== undefined && more.length === 0 && only.bytes.length === bytes.length;
  const information = whole ? informationOf(bytes) : undefined;
  if (information !== undefined) return information;
  throw new Problem("dlms-hdlc", "the bytes are not exactly one telegram", { where: "offset 0" });
}

/**
 * data-notification (IEC 62056-5-3), whole:
 *
 *     0F  invoke id and priority 4  date-time 00 or 0C + 12  body
 *
 * Kaifa's meters put the tag 09 of an octet string before the date-time.
 */
function decodeNotification(apdu: Uint8Array): DlmsTelegram {
  const reader = new AxdrReader(apdu);
  const tag = reader.peek();
  if (tag !== DATA_NOTIFICATION) {
    throw new Problem("dlms-apdu", "the telegram is no data-notification", {
      where: "offset 0",
      expected: "0f",
      got: tag?.toString(16).padStart(2, "0") ?? "nothing",
    });
  }
  reader.byte();
  const invokeId = Number(reader.unsigned(4));
  const tagged = reader.peek() === OCTET_STRING && reader.peek(1) === DATE_TIME_BYTES;
  if (tagged) reader.byte();
  const sent = readDateTime(readTime(reader));
  const { layout, values } = readBody(reader, tagged);
  const clock = sent ?? values.find((value) => value.clock !== undefined)?.clock;
  return { invokeId, layout, ...identified(values), ...timed(clock, values), values };
}

function readBody(reader: AxdrReader, tagged: boolean): Layout {
  const described = readDescribed(reader);
  const body = described ?? readValues(reader.value(), tagged);
  reader.requireEnd();
  return body;
}

function readTime(reader: AxdrReader): Uint8Array {
  const length = reader.length();
  if (length === 0 || length === DATE_TIME_BYTES) return reader.take(length);
  throw reader.refusal("dlms-length", `a date-time of ${length} bytes`);
}

function identified(values: readonly DlmsValue[]): Pick<DlmsTelegram, "meterId"> {
  for (const code of METER_ID_CODES) {
    const text = values.find((value) => value.code === code)?.text;
    if (text !== undefined && text !== "") return { meterId: text };
  }
  return {};
}

/** A time the meter itself calls invalid is none. */
function timed(
  clock: MeterClock | undefined,
  values: readonly DlmsValue[],
): Pick<DlmsTelegram, "clock" | "meterTimeMs" | "meterTimeText"> {
  if (clock === undefined) return {};
  if (clock.status?.invalid === true) return { clock };
  const utcMs = isAidon(values) && clock.deviationMinutes === 0 ? undefined : utcMsOf(clock);
  return utcMs === undefined ? { clock, meterTimeText: clock.localText } : { clock, meterTimeMs: utcMs };
}

/**
 * Aidon's Norwegian meters state a deviation of 0 while they show local standard time (UtilitechAS/amsreader-firmware
 * @ 0145be8, src/IEC6205675.cpp, takes an hour off it): a 0 of theirs is no deviation.
 */
function isAidon(values: readonly DlmsValue[]): boolean {
  return values.some(({ code, text }) => quantityOf(code) === "0.2.129" && text.startsWith("AIDON"));
}
