import { Problem } from "../../attest/problem.ts";
import { hex4 } from "../telegram/text.ts";
import { crc16Arc } from "./checksum.ts";

const SLASH = 0x2f;
const EXCLAMATION = 0x21;
const LF = 0x0a;

/** A whole telegram from `/` to the line feed after `!`. */
export interface RawTelegram {
  readonly bytes: Uint8Array;
  /** DSMR 2.2 and 3 print no checksum: then the lines alone must prove themselves. */
  readonly checksum: "verified" | "absent";
}

/**
 * What vouches for bytes from `/` to the line feed after `!` (DSMR 5.0.2 P1, 6.2).
 *
 * @throws Problem `dsmr-checksum` where it is wrong, or missing although the telegram names a version that has one;
 *   `dsmr-truncated` where there is none and the end is no end
 */
export function wholeTelegram(bytes: Uint8Array): RawTelegram {
  // The identification may hold one, too.
  const at = bytes.indexOf(EXCLAMATION, bytes.indexOf(LF) + 1) + 1;
  const printed = latin1(bytes.subarray(at));
  // Some meters print the checksum without leading zeros.
  const line = at === 0 ? null : /^([0-9A-Fa-f]{0,4})\r?\n$/.exec(printed);
  if (line === null)
    throw refusal(bytes, "dsmr-checksum", { what: "the line after ! is no checksum", printed });
  const digits = line[1] ?? "";
  if (digits === "") return withoutChecksum(bytes, at);
  const computed = crc16Arc(bytes.subarray(0, at));
  if (Number.parseInt(digits, 16) === computed) return { bytes, checksum: "verified" };
  throw refusal(bytes, "dsmr-checksum", { what: WRONG, printed: digits, computed });
}

const WRONG = "the checksum is wrong: bytes were changed or lost on the line";

/** Only telegrams from DSMR 4 on (1-3:0.2.8) and eMUCS (0-0:96.1.4) name their version; those carry a checksum. */
const VERSION_LINE = /\n(?:1-3:0\.2\.8|0-0:96\.1\.4)\(/;

function withoutChecksum(bytes: Uint8Array, at: number): RawTelegram {
  if (VERSION_LINE.test(latin1(bytes)))
    throw refusal(bytes, "dsmr-checksum", { what: "the checksum is missing, and this meter prints one" });
  // One wrong bit makes `!` of `)`, and a line end follows.
  if (bytes[at - 2] !== LF)
    throw refusal(bytes, "dsmr-truncated", { what: "the exclamation mark stands within a line" });
  const slash = bytes.indexOf(SLASH, 1);
  if (slash >= 0 && slash < bytes.indexOf(LF))
    throw refusal(bytes, "dsmr-truncated", { what: "a telegram begins within the identification" });
  return { bytes, checksum: "absent" };
}

interface Reason {
  readonly what: string;
  readonly printed?: string;
  readonly computed?: number;
}

function refusal({ length }: Uint8Array, code: string, { what, printed, computed }: Reason): Problem {
  const got = printed === undefined ? {} : { got: JSON.stringify(printed) };
  const expected = computed === undefined ? {} : { expected: hex4(computed) };
  return new Problem(code, what, { where: `telegram of ${length} bytes`, ...expected, ...got });
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}
