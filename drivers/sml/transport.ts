import { Problem } from "../../attest/problem.ts";
import { hex4 } from "../telegram/text.ts";
import { sentChecksums } from "./checksum.ts";

/** What announces that the next four bytes are no data (BSI TR-03109-1, Annex IV part b, transport protocol version 1). */
export const ESCAPE = 0x1b;
/** Four of these after the escape begin a file of version 1. */
export const VERSION_1 = 0x01;
/** After the escape: the file ends; the number of fill bytes and two bytes of checksum follow. */
export const END_OF_FILE = 0x1a;
export const START_BYTES = 8;
export const END_BYTES = 8;
const ESCAPE_BYTES = 4;
const CHECKSUM_BYTES = 2;
const MAX_FILL_BYTES = 3;

/** The messages of a file without the transport around them. */
export interface FileContent {
  readonly bytes: Uint8Array;
  /** Where the byte at `index` of the content stands in the file. */
  offsetOf(index: number): number;
}

/**
 * What is wrong with the end of a file, from `1B 1B 1B 1B 01 01 01 01` to its checksum; undefined where nothing is.
 * The checksum is over everything before it, escapes included.
 */
export function endFault(file: Uint8Array): Problem | undefined {
  const [fill = 0, high = 0, low = 0] = file.subarray(file.length - 3);
  const sent = (high << 8) | low;
  const expected = sentChecksums(file.subarray(0, file.length - CHECKSUM_BYTES));
  const where = `file of ${file.length} bytes, offset ${file.length - CHECKSUM_BYTES}`;
  if (!expected.includes(sent)) {
    const [x25, kermit] = expected.map(hex4);
    const detail = { where, expected: `${x25} (X-25) or ${kermit} (Kermit)`, got: hex4(sent) };
    return new Problem("sml-checksum", "bytes were changed or lost on the line", detail);
  }
  const filled = file.subarray(
    Math.max(START_BYTES, file.length - END_BYTES - fill),
    file.length - END_BYTES,
  );
  if (fill <= MAX_FILL_BYTES && filled.length === fill && filled.every((byte) => byte === 0))
    return undefined;
  const expectedFill = `0 to ${MAX_FILL_BYTES} zeros`;
  return new Problem("sml-padding", "the fill bytes are none", {
    where,
    expected: expectedFill,
    got: String(fill),
  });
}

/**
 * Takes the transport off one file: start, escaped escapes, fill bytes and end.
 *
 * @param file from the first byte of `1B 1B 1B 1B 01 01 01 01` to the second byte of the checksum
 * @throws Problem `sml-truncated` where it does not begin or end so, `sml-escape`, `sml-checksum`, `sml-padding`
 */
export function unwrapFile(file: Uint8Array): FileContent {
  if (file.length < START_BYTES + END_BYTES || !begins(file) || !ends(file)) {
    const detail = {
      where: `file of ${file.length} bytes, offset 0`,
      expected: "1B1B1B1B 01010101 .. 1B1B1B1B 1A",
    };
    throw new Problem("sml-truncated", "this is no whole file", detail);
  }
  const fault = endFault(file);
  if (fault !== undefined) throw fault;
  const { kept, escapes } = unescaped(file.subarray(0, file.length - END_BYTES));
  const fill = file[file.length - 3] ?? 0;
  const offsetOf = (index: number): number =>
    START_BYTES + index + ESCAPE_BYTES * escapes.filter((at) => at < index).length;
  return { bytes: kept.subarray(0, kept.length - fill), offsetOf };
}

function begins(file: Uint8Array): boolean {
  return isFour(file, 0, ESCAPE) && isFour(file, ESCAPE_BYTES, VERSION_1);
}

function ends(file: Uint8Array): boolean {
  return isFour(file, file.length - END_BYTES, ESCAPE) && file[file.length - END_BYTES + 4] === END_OF_FILE;
}

/** Whether four bytes from `at` are all `value`. */
export function isFour(bytes: Uint8Array, at: number, value: number): boolean {
  for (let index = at; index < at + ESCAPE_BYTES; index += 1) if (bytes[index] !== value) return false;
  return true;
}

/** The data after the start; `escapes` are where in it four bytes were dropped that stood behind an escape. */
function unescaped(file: Uint8Array): { readonly kept: Uint8Array; readonly escapes: readonly number[] } {
  if (!hasEscape(file)) return { kept: file.subarray(START_BYTES), escapes: [] };
  const kept = new Uint8Array(file.length - START_BYTES);
  const escapes: number[] = [];
  let length = 0;
  for (let at = START_BYTES; at < file.length; ) {
    const escaped = isFour(file, at, ESCAPE);
    if (escaped && !isFour(file, at + ESCAPE_BYTES, ESCAPE)) throw escapeProblem(at, file);
    const taken = escaped ? ESCAPE_BYTES : 1;
    kept.set(file.subarray(at, at + taken), length);
    length += taken;
    if (escaped) escapes.push(length - 1);
    at += escaped ? 2 * ESCAPE_BYTES : 1;
  }
  return { kept: kept.subarray(0, length), escapes };
}

/** Nearly no file has one behind its start. */
function hasEscape(file: Uint8Array): boolean {
  for (let at = file.indexOf(ESCAPE, START_BYTES); at !== -1; at = file.indexOf(ESCAPE, at + 1))
    if (isFour(file, at, ESCAPE)) return true;
  return false;
}

/** An escape of a file at `at` whose next four bytes mean nothing there. */
export function escapeProblem(at: number, file: Uint8Array): Problem {
  const got = Buffer.from(file.subarray(at + ESCAPE_BYTES, at + 2 * ESCAPE_BYTES)).toString("hex");
  const detail = { where: `file offset ${at}`, expected: "1b1b1b1b or 1a and the end", got };
  return new Problem("sml-escape", "an escape sequence that transport version 1 does not have", detail);
}
