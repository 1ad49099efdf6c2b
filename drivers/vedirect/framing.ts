import { Problem } from "../../attest/problem.ts";
import { type Examination, type FrameFormat, type Place, StreamFramer } from "../telegram/stream-framer.ts";
import type { Framed, Framer } from "../telegram/telegram.ts";
import { blockStart, scanBlock } from "./block.ts";
import { textByte } from "./text.ts";

/** A block has at most 22 fields and below 1 kB; the rest is for HEX messages within it. */
export const MAX_BLOCK_BYTES: number = 4 * 1024;

const CR = 0x0d;

/**
 * Blocks of VE.Direct text, `CR LF label TAB value` many times and last `CR LF Checksum TAB byte`. A block has no mark
 * of its beginning: a telegram of this format is a block together with the checksum field of the one before, or a block
 * alone where it begins with the product number.
 */
const vedirectFormat: FrameFormat = {
  maxBytes: MAX_BLOCK_BYTES,
  find(bytes: Uint8Array, from: number): number {
    const at = bytes.indexOf(CR, from);
    return at === -1 ? bytes.length : at;
  },
  examine(bytes: Uint8Array, { offset, scanned }: Place): Examination {
    const start = blockStart(bytes);
    if (start === "none") return { kind: "noise" };
    if (start === "incomplete") return more(bytes, 0, offset);
    const scan = scanBlock(bytes, start, Math.max(start, scanned));
    if (scan.kind === "incomplete") return more(bytes, scan.at, offset);
    if (scan.kind === "refused") return { kind: "refused", length: scan.at, problem: scan.problem };
    return { kind: "telegram", length: scan.end, used: scan.checksumFieldAt };
  },
  cut(bytes: Uint8Array, offset: number): Problem | undefined {
    const start = blockStart(bytes);
    if (typeof start === "string" || textByte(bytes, start) === "incomplete") return undefined;
    return refusal("vedirect-truncated", "the stream ended within a block", bytes, offset);
  },
};

function more(bytes: Uint8Array, scanned: number, offset: number): Examination {
  if (bytes.length < MAX_BLOCK_BYTES) return { kind: "incomplete", need: bytes.length + 1, scanned };
  const problem = refusal("vedirect-oversized", "longer than any block", bytes, offset);
  return { kind: "refused", length: bytes.length, problem };
}

function refusal(code: string, what: string, bytes: Uint8Array, offset: number): Problem {
  return new Problem(code, what, { where: `block of ${bytes.length} bytes at stream offset ${offset}` });
}

/**
 * Cuts a stream into VE.Direct blocks. A telegram is one block from its first `CR LF` to its checksum as it came, with
 * the HEX messages in it. What stands before the first checksum or product number is no event: it may be the end of a
 * block.
 */
export class VedirectFramer implements Framer {
  readonly #framer = new StreamFramer(vedirectFormat);

  push(bytes: Uint8Array): readonly Framed[] {
    return this.#framer.push(bytes).map(blockAlone);
  }

  end(): readonly Framed[] {
    return this.#framer.end().map(blockAlone);
  }
}

/** Without the checksum field of the block before. */
function blockAlone(framed: Framed): Framed {
  if (framed.kind === "refused") return framed;
  const start = blockStart(framed.bytes);
  if (typeof start === "string") return framed;
  return { kind: "telegram", offset: framed.offset + start, bytes: framed.bytes.slice(start) };
}
