import { Problem } from "../../attest/problem.ts";
import { type Examination, type FrameFormat, type Place, StreamFramer } from "../telegram/stream-framer.ts";
import { END_OF_FILE, ESCAPE, endFault, escapeProblem, isFour, START_BYTES, VERSION_1 } from "./transport.ts";

/** Meters push less than 1 kB; a list with signatures and public keys stays below 2 kB. */
export const MAX_FILE_BYTES: number = 16 * 1024;

const ESCAPE_BYTES = 4;
/** An escape and the four bytes behind it. */
const SEQUENCE_BYTES = 8;

/**
 * SML files in a stream of bytes (BSI TR-03109-1, Annex IV part b, transport protocol version 1:
 * `1B1B1B1B 01010101 messages fill 1B1B1B1B 1A fill-count checksum`). A telegram is a whole file with its transport, as it
 * was sent. Bytes between files are no event. The bytes of a start within a file are data where they stand behind an
 * escape, and a start where the file before was cut off after `1B1B1B1B`: the checksum tells.
 */
const smlFormat: FrameFormat = {
  maxBytes: MAX_FILE_BYTES,
  find(bytes, from) {
    let at = bytes.indexOf(ESCAPE, from);
    while (at !== -1 && !mayStart(bytes, at)) at = bytes.indexOf(ESCAPE, at + 1);
    return at === -1 ? bytes.length : at;
  },
  examine: examined,
  cut(bytes, offset) {
    return bytes.length < START_BYTES || !mayStart(bytes, 0)
      ? undefined
      : refusal("sml-truncated", "the stream ended within a file", { length: bytes.length, offset });
  },
};

/** Finds SML files in a stream of bytes, whatever pieces it comes in. */
export class SmlFramer extends StreamFramer {
  constructor() {
    super(smlFormat);
  }
}

/** Whether what is there of eight bytes is of a start. */
function mayStart(bytes: Uint8Array, at: number): boolean {
  const end = Math.min(at + START_BYTES, bytes.length);
  for (let index = at; index < end; index += 1)
    if (bytes[index] !== (index - at < ESCAPE_BYTES ? ESCAPE : VERSION_1)) return false;
  return true;
}

function examined(bytes: Uint8Array, { offset, scanned }: Place): Examination {
  if (bytes.length < START_BYTES) return { kind: "incomplete", need: START_BYTES };
  let from = Math.max(scanned, START_BYTES);
  for (;;) {
    const at = escapeAt(bytes, from);
    if (at + SEQUENCE_BYTES > MAX_FILE_BYTES) return oversized(offset);
    if (at + SEQUENCE_BYTES > bytes.length) return waiting(bytes.length, at);
    if (!isFour(bytes, at + ESCAPE_BYTES, ESCAPE)) return ended(bytes, at, offset);
    from = at + SEQUENCE_BYTES;
  }
}

/** Where the first four escape bytes in a row at or after `from` begin, or would begin with bytes that are still to come. */
function escapeAt(bytes: Uint8Array, from: number): number {
  let run = 0;
  for (let at = from; at < bytes.length; at += 1) {
    run = bytes[at] === ESCAPE ? run + 1 : 0;
    if (run === ESCAPE_BYTES) return at + 1 - run;
  }
  return Math.max(from, bytes.length - run);
}

function waiting(length: number, at: number): Examination {
  const need = at + ESCAPE_BYTES <= length ? at + SEQUENCE_BYTES : length + 1;
  return { kind: "incomplete", need, scanned: at };
}

/** What four bytes behind an escape say that is no data: the end, the next file's start, or nothing that exists. */
function ended(bytes: Uint8Array, at: number, offset: number): Examination {
  if (bytes[at + ESCAPE_BYTES] === END_OF_FILE) {
    const length = at + SEQUENCE_BYTES;
    const problem = endFault(bytes.subarray(0, length));
    return problem === undefined ? { kind: "telegram", length } : { kind: "refused", length, problem };
  }
  if (!isFour(bytes, at + ESCAPE_BYTES, VERSION_1))
    return { kind: "refused", length: at + SEQUENCE_BYTES, problem: escapeProblem(at, bytes) };
  const what = "the next file began before this one ended";
  return { kind: "refused", length: at, problem: refusal("sml-truncated", what, { length: at, offset }) };
}

function oversized(offset: number): Examination {
  const length = MAX_FILE_BYTES;
  const problem = refusal("sml-oversized", "more bytes than any file has", { length, offset });
  return { kind: "refused", length, problem };
}

function refusal(
  code: string,
  what: string,
  { length, offset }: { readonly length: number; readonly offset: number },
): Problem {
  return new Problem(code, what, { where: `file of ${length} bytes at stream offset ${offset}` });
}
