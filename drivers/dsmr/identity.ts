import type { MeterIdentity } from "../driver.ts";
import type { Telegram } from "./telegram.ts";

/** 0-0:96.1.0 in Hungary; the COSEM logical device name where a meter prints nothing else (Luxembourg, Lithuania). */
const SERIAL_CODES = ["0-0:96.1.1", "0-0:96.1.0", "0-0:42.0.0"];
/** Version of the P1 output; 0-0:96.1.4 in Belgium. */
const VERSION_CODES = ["1-3:0.2.8", "0-0:96.1.4"];

/**
 * Who the meter says it is. `make` is the three-letter FLAG code as printed (DLMS UA keeps the list of makers), `model`
 * the rest of the identification line, `serial` the equipment identifier, `firmware` the version of the P1 output,
 * since meters do not print their own firmware's.
 */
export function identityOf(telegram: Telegram): MeterIdentity {
  const { identification } = telegram;
  return {
    make: identification.slice(0, 3),
    model: printable(identification.slice(4).replace(ENHANCED_MODE, "")),
    serial: octetText(firstValue(telegram, SERIAL_CODES)),
    firmware: printable(firstValue(telegram, VERSION_CODES)),
  };
}

/** IEC 62056-21, 6.3.2: `\` and one digit after the baud rate character is a mode marker, not the model's name. */
const ENHANCED_MODE = /^\\\d?/;

function firstValue(telegram: Telegram, codes: readonly string[]): string {
  for (const code of codes) {
    const value = telegram.objects.get(code)?.values[0];
    if (value !== undefined && value !== "" && !telegram.conflicts.has(code)) return value;
  }
  return "";
}

/** Octet strings are printed as hexadecimal pairs of ASCII; what decodes to no text stays as printed. */
function octetText(printed: string): string {
  if (!/^(?:[0-9A-Fa-f]{2})+$/.test(printed)) return printable(printed);
  const text = Buffer.from(printed, "hex").toString("latin1");
  return /^[\x20-\x7e]+$/.test(text) ? text.trim() : printed;
}

function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "").trim();
}
