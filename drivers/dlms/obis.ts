import { obisText } from "../telegram/text.ts";
import type { AxdrValue } from "./axdr.ts";

const OBIS_BYTES = 6;

/** The code of a value that is one: six octets. */
export function obisOf(value: AxdrValue | undefined): string | undefined {
  if (value?.kind !== "octets" || value.bytes.length !== OBIS_BYTES) return undefined;
  return obisText(value.bytes);
}

/** What is measured, whatever medium and channel it is kept under: `1.8.0` of `1-1:1.8.0*255`. */
export function quantityOf(code: string): string {
  return code.slice(code.indexOf(":") + 1, code.indexOf("*"));
}

/** The meter's clock, under any channel: Kamstrup keeps it at 0-1:1.0.0. */
export function isClock(code: string): boolean {
  return /^0-\d+:1\.0\.0\*255$/.test(code);
}

/** Version of the list: AIDON_V0001, KFM_001, Kamstrup_V0001. */
export const LIST_VERSION = "1-1:0.2.129*255";
/** Device ID 1: the meter's number. */
export const METER_NUMBER = "0-0:96.1.0*255";
export const CLOCK = "0-0:1.0.0*255";
