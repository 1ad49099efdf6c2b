import { Problem } from "../../attest/problem.ts";
import type { TelegramValue } from "../telegram/telegram.ts";
import { type Decimal, decimalText, hexText } from "../telegram/text.ts";
import type { AxdrValue } from "./axdr.ts";
import { type MeterClock, readDateTime } from "./date-time.ts";
import { isClock } from "./obis.ts";

/** Power of ten and unit of a number; an empty unit is a mere number. */
export interface Scale {
  readonly exponent: number;
  readonly unit: string;
}

/** A value, with the clock behind it where it is the meter's time. */
export interface DlmsValue extends TelegramValue {
  readonly clock?: MeterClock;
}

/**
 * One value under its code. A number whose scale nobody states stays the bare text that was sent.
 *
 * @returns undefined for null-data: the meter has no value
 * @throws Problem `dlms-layout` for a list where a value belongs
 */
export function telegramValue(code: string, value: AxdrValue, scale?: Scale): DlmsValue | undefined {
  switch (value.kind) {
    case "null":
      return undefined;
    case "integer":
      return numberValue(code, { digits: value.value, exponent: 0 }, scale);
    case "float":
      return numberValue(code, value, scale);
    case "enum":
    case "boolean":
      return { code, text: String(value.value) };
    case "bits":
      return { code, text: value.text };
    case "octets":
    case "text":
      return octetValue(code, value.bytes);
    case "list":
      throw layoutProblem(value.offset, `a ${value.container} stands where the value of ${code} belongs`);
  }
}

export function layoutProblem(offset: number, what: string): Problem {
  return new Problem("dlms-layout", what, { where: `offset ${offset}` });
}

/** Printable ASCII without the zeros and blanks that fill it up, else hexadecimal. */
export function octetText(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString("latin1").replace(/\0+$/, "");
  return /^[\x20-\x7e]*$/.test(text) ? text.trim() : hexText(bytes);
}

function octetValue(code: string, bytes: Uint8Array): DlmsValue {
  const clock = isClock(code) ? readDateTime(bytes) : undefined;
  return clock === undefined ? { code, text: octetText(bytes) } : { code, text: clock.localText, clock };
}

function numberValue(code: string, sent: Decimal, scale: Scale | undefined): DlmsValue {
  if (scale === undefined) return { code, text: decimalText(sent) };
  const scaled = { digits: sent.digits, exponent: sent.exponent + scale.exponent };
  const unit = scale.unit === "" ? {} : { unit: scale.unit };
  return { code, text: decimalText(scaled), ...unit, scaled };
}
