import { readFileSync } from "node:fs";
import { join } from "node:path";
import { encodeSmpMap, type SmpMap, smpMap } from "../../../firmware-bridge/smp/cbor.ts";
import type { SmpRequest } from "../../../firmware-bridge/smp/connection.ts";
import { encodeMessage } from "../../../firmware-bridge/smp/message.ts";

export const ROOT: string = join(import.meta.dirname, "../../..");
export const PAGE: string = readFileSync(join(ROOT, "docs/coprocessor-protocol.md"), "utf8");
/** Sentences are looked for wherever their lines break. */
export const FLAT: string = PAGE.replaceAll(/\s+/g, " ");

/** A request, or an answer of the same length, with these fields. */
export function requestBytes(
  { operation, group, command }: SmpRequest,
  fields: SmpMap = smpMap({}),
): Uint8Array {
  const body = encodeSmpMap(fields);
  return encodeMessage({ version: 2, operation, group, sequence: 5, command, body });
}

/** Rows of tables, cell by cell, that begin with what `first` finds. */
export function rows(first: RegExp): string[][] {
  const cells = PAGE.split("\n").map((line) => line.split("|").slice(1, -1));
  return cells.map((row) => row.map((cell) => cell.trim())).filter(([cell = ""]) => first.test(cell));
}
