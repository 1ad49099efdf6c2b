import { Problem } from "../../attest/problem.ts";
import { type LongHeader, manufacturerCode } from "./header.ts";
import { hex } from "./vife.ts";

/** A secondary address or a pattern of some (EN 13757-3): identification, manufacturer, version, medium. */
export interface SecondaryAddress {
  /** As it is written: 16 digits, the manufacturer's two bytes in the order of the wire. */
  readonly text: string;
  /** As it is sent: 8 bytes. */
  readonly bytes: Uint8Array;
  /** True where more than one meter can fit. */
  readonly wildcards: boolean;
}

/** Eight hexadecimal digits, or sixteen; F stands for every digit, FF and FFFF for every version, medium, maker. */
const TEXT = /^[0-9A-F]{8}(?:[0-9A-F]{8})?$/;
const EVERY_REST = "FFFFFFFF";

/**
 * Reads `12345678`, the digits on the meter, or `1234567842040202` with manufacturer, version and medium behind them.
 *
 * @throws Problem `mbus-secondary-address`
 */
export function parseSecondaryAddress(given: string): SecondaryAddress {
  const upper = given.toUpperCase();
  if (!TEXT.test(upper)) throw notSecondary(given);
  const text = upper.padEnd(16, EVERY_REST);
  const identification = Buffer.from(text.slice(0, 8), "hex").reverse();
  const bytes = Uint8Array.of(...identification, ...Buffer.from(text.slice(8), "hex"));
  // Without its last three fields the address is the meter's number, which is one meter's as a rule.
  return { text, bytes, wildcards: text.slice(0, 8).includes("F") };
}

function notSecondary(given: string): Problem {
  return new Problem("mbus-secondary-address", "not a secondary address", {
    where: "secondary",
    expected: "the 8 digits on the meter, or 16 with manufacturer, version and medium; F for any digit",
    got: JSON.stringify(given),
  });
}

/** Whether a meter that answered is one that was asked for. */
export function fitsSecondary(
  { text }: SecondaryAddress,
  header: Pick<LongHeader, "identification" | "manufacturer" | "version" | "medium">,
): boolean {
  const digits = [...text.slice(0, 8)];
  const maker = text.slice(8, 12);
  const makerFits = maker === "FFFF" || manufacturerCode(Buffer.from(maker, "hex")) === header.manufacturer;
  return (
    digits.every((digit, at) => digit === "F" || digit === header.identification[at]) &&
    makerFits &&
    byteFits(text.slice(12, 14), header.version) &&
    byteFits(text.slice(14), header.medium)
  );
}

function byteFits(pattern: string, value: number): boolean {
  return pattern === "FF" || pattern === hex(value).toUpperCase();
}
