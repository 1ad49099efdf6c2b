import { encode } from "uqr";
import { Problem } from "../../attest/problem.ts";

/** How a QR code is drawn: with colours of its own, or with blocks for a terminal that is dark, or light. */
export const QR_WAYS = ["colour", "dark", "light", "none"] as const;
export type QrWay = (typeof QR_WAYS)[number];

/** ISO/IEC 18004: four light modules on every side. */
const QUIET_MODULES = 4;
const TERMINAL_COLUMNS = 80;
/** Black on white whatever the terminal's own colours are: 16 and 231 are the corners of the 256 colours' cube. */
const BLACK_ON_WHITE = "\u001b[38;5;16;48;5;231m";
const RESET = "\u001b[0m";

/** Characters for two modules, one above the other, by whether each of them is inked. */
const BLOCKS: readonly string[] = [" ", "▄", "▀", "█"];

/** What whoever enrols a device scans instead of typing 64 digits. Nothing in it is secret. */
export function enrolmentUri(network: string, deviceKey: string): string {
  return `kilowitness:enrol?network=${encodeURIComponent(network)}&device=${deviceKey}`;
}

/**
 * The QR code of a text as lines of half blocks, two modules high, with its quiet zone, at most 80 columns wide. Throws
 * `qr-too-long` for more than some 400 bytes.
 */
export function qrLines(text: string, way: Exclude<QrWay, "none">): readonly string[] {
  const { data, size } = encode(text, { ecc: "L", boostEcc: true, border: QUIET_MODULES });
  if (size > TERMINAL_COLUMNS)
    throw new Problem("qr-too-long", "the text does not fit into a QR code of 80 columns", {
      expected: `at most ${TERMINAL_COLUMNS} columns`,
      got: String(size),
    });
  // On a dark terminal what is inked is light.
  const inked = (row: number, column: number): boolean =>
    row < size && (data[row]?.[column] === true) !== (way === "dark");
  const lines: string[] = [];
  for (let row = 0; row < size; row += 2) {
    const pairs = Array.from({ length: size }, (_, column) => {
      const upper = inked(row, column) ? 2 : 0;
      return BLOCKS[upper + (inked(row + 1, column) ? 1 : 0)] ?? " ";
    });
    lines.push(way === "colour" ? `${BLACK_ON_WHITE}${pairs.join("")}${RESET}` : pairs.join(""));
  }
  return lines;
}
