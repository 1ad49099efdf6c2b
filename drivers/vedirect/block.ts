import { Problem } from "../../attest/problem.ts";
import { hex2 } from "../telegram/text.ts";
import { type FieldRead, readField, sumOfText, textByte } from "./text.ts";

/** The first field of a device's first block; a second block begins with another one. */
const FIRST_LABEL = "PID";

/** How far the fields of a block go, up to its checksum. */
export type BlockScan =
  /** All before `at` are whole fields: a later look may begin there. */
  | { readonly kind: "incomplete"; readonly at: number }
  | { readonly kind: "refused"; readonly at: number; readonly problem: Problem }
  /** `checksumFieldAt`: where `CR LF Checksum` begins; `end`: behind the checksum. */
  | { readonly kind: "block"; readonly checksumFieldAt: number; readonly end: number };

/**
 * Where a block begins that can be known to begin there: at the product number, or behind the checksum of the block
 * before, which stands at the start of `bytes` then. Any other field may be the middle of a block, and one of 256 of its
 * ends has a right sum.
 */
export function blockStart(bytes: Uint8Array): number | "incomplete" | "none" {
  const first = readField(bytes, 0, FIRST_LABEL);
  if (first.kind === "field") return 0;
  if (first.kind === "checksum") return first.valueAt < bytes.length ? first.valueAt + 1 : "incomplete";
  return first.kind;
}

/** Reads the block that begins at `start`; the fields before `from` were read before. */
export function scanBlock(bytes: Uint8Array, start: number, from: number = start): BlockScan {
  for (let at = from; ; ) {
    const field = readField(bytes, at);
    if (field.kind === "field") at = field.end;
    else if (field.kind === "incomplete") return { kind: "incomplete", at };
    else if (field.kind === "none") return { kind: "refused", at: field.at, problem: noField(bytes, field) };
    else return checked(bytes, start, { at, valueAt: field.valueAt });
  }
}

interface ChecksumField {
  readonly at: number;
  readonly valueAt: number;
}

/** All text of a block and its checksum add up to 0 modulo 256 (VE.Direct Protocol, data integrity). */
function checked(bytes: Uint8Array, start: number, { at, valueAt }: ChecksumField): BlockScan {
  const wanted = -sumOfText(bytes, start, valueAt) & 0xff;
  const got = bytes[valueAt];
  if (got === undefined) return { kind: "incomplete", at };
  if (got === wanted) return { kind: "block", checksumFieldAt: at, end: valueAt + 1 };
  // A colon is a checksum or begins a HEX message before it.
  const next = textByte(bytes, valueAt);
  if (next === "incomplete") return { kind: "incomplete", at };
  if (next !== "none" && next.byte === wanted)
    return { kind: "block", checksumFieldAt: at, end: next.at + 1 };
  const problem = new Problem("vedirect-checksum", "the checksum of a block is wrong", {
    where: `block of ${valueAt + 1 - start} bytes`,
    expected: hex(wanted),
    got: hex(got),
    hint: "bytes were changed or lost on the line: check the cable, and that nothing else reads the port",
  });
  return { kind: "refused", at: valueAt + 1, problem };
}

function noField(bytes: Uint8Array, { at }: Extract<FieldRead, { kind: "none" }>): Problem {
  return new Problem("vedirect-frame", "a block has a byte that belongs to no field", {
    where: `byte ${at} of the block`,
    expected: "CR LF label TAB value",
    got: hex(bytes[at] ?? 0),
    hint: "bytes were changed or lost on the line: check the cable and that it is 19200 8N1",
  });
}

/**
 * The fields of one whole block in their order, without its checksum.
 *
 * @throws Problem `vedirect-checksum`, `vedirect-frame`, `vedirect-truncated`, and `vedirect-conflict` for a label with
 *   two values
 */
export function fieldsOfBlock(block: Uint8Array): ReadonlyMap<string, string> {
  const scan = scanBlock(block, 0);
  if (scan.kind === "refused") throw scan.problem;
  if (scan.kind === "incomplete" || scan.end !== block.length) throw notWhole(block, scan);
  const fields = new Map<string, string>();
  for (let at = 0; ; ) {
    const field = readField(block, at);
    if (field.kind !== "field") return fields;
    const known = fields.get(field.label);
    if (known !== undefined && known !== field.value) throw conflict(field.label, [known, field.value]);
    fields.set(field.label, field.value);
    at = field.end;
  }
}

function notWhole(block: Uint8Array, scan: BlockScan): Problem {
  return new Problem("vedirect-truncated", "the bytes are not one whole block", {
    where: `block of ${block.length} bytes`,
    expected: "fields, the last of them a checksum",
    got: scan.kind === "block" ? `${block.length - scan.end} bytes behind the checksum` : "no checksum",
  });
}

/** `vedirect-conflict`: a line was lost together with the end of its block. */
export function conflict(label: string, values: readonly [string, string]): Problem {
  return new Problem("vedirect-conflict", "a label has two values", {
    where: label,
    got: values.map((value) => JSON.stringify(value)).join(" and "),
  });
}

function hex(byte: number): string {
  return `0x${hex2(byte)}`;
}
