import { Problem } from "../../attest/problem.ts";
import type { Framed, Framer } from "../telegram/telegram.ts";
import { SegmentAssembly } from "./assembly.ts";
import { examineFrame, FLAG, MAX_FRAME_BYTES } from "./hdlc.ts";

/** Room for the longest frame, and for more to come while one is examined. */
const BUFFER_BYTES = 2 * MAX_FRAME_BYTES;

/**
 * Cuts a byte stream into DLMS telegrams over HDLC (IEC 62056-46). The `bytes` of a telegram are its frames as they
 * came, with one flag before, between and behind them; all their checks were right and all segments are there.
 */
export class HdlcFramer implements Framer {
  readonly #buffer: Uint8Array = new Uint8Array(BUFFER_BYTES);
  readonly #assembly = new SegmentAssembly();
  #length = 0;
  /** Stream offset of the buffer's first byte. */
  #offset = 0;
  /** As many bytes must be there before it is worth while to look again. */
  #need = 1;

  push(bytes: Uint8Array): readonly Framed[] {
    const outcomes: Framed[] = [];
    for (let at = 0; at < bytes.length; ) {
      const piece = bytes.subarray(at, at + BUFFER_BYTES - this.#length);
      this.#buffer.set(piece, this.#length);
      this.#length += piece.length;
      at += piece.length;
      this.#examine(outcomes, false);
    }
    return outcomes;
  }

  end(): readonly Framed[] {
    const outcomes: Framed[] = [];
    this.#examine(outcomes, true);
    this.#assembly.cut(outcomes, "the stream ended before the last segment");
    return outcomes;
  }

  #examine(outcomes: Framed[], ended: boolean): void {
    let at = 0;
    while (at < this.#length && (ended || this.#length - at >= this.#need)) {
      at += this.#step(this.#buffer.subarray(at, this.#length), this.#offset + at, { outcomes, ended });
    }
    this.#buffer.copyWithin(0, at, this.#length);
    this.#length -= at;
    this.#offset += at;
  }

  /** How many bytes are done with; none where more are needed. */
  #step(bytes: Uint8Array, offset: number, to: { outcomes: Framed[]; ended: boolean }): number {
    this.#need = 1;
    if (bytes[0] !== FLAG) return this.#skipNoise(bytes, to.outcomes);
    // The flag that closed a frame and the one that opens the next.
    if (bytes[1] === FLAG) return 1;
    const examined = examineFrame(bytes, offset);
    switch (examined.kind) {
      case "incomplete":
        if (to.ended) return this.#cut(offset, bytes.length > 1, to.outcomes);
        this.#need = examined.need;
        return 0;
      case "noise":
        return 1;
      case "refused":
        to.outcomes.push({ kind: "refused", offset, problem: examined.problem });
        this.#assembly.cut(to.outcomes, "a frame between the segments was damaged");
        return 1;
      case "frame":
        this.#assembly.take(examined.frame, { offset, bytes, outcomes: to.outcomes });
        // The closing flag may open the next frame.
        return examined.frame.size - 1;
    }
  }

  #skipNoise(bytes: Uint8Array, outcomes: Framed[]): number {
    this.#assembly.cut(outcomes, "other bytes stand between the segments");
    const flag = bytes.indexOf(FLAG);
    return flag === -1 ? bytes.length : flag;
  }

  #cut(offset: number, begun: boolean, outcomes: Framed[]): number {
    if (begun) {
      const where = `offset ${offset}`;
      const problem = new Problem("dlms-truncated", "the stream ended within a frame", { where });
      outcomes.push({ kind: "refused", offset, problem });
    }
    return 1;
  }
}
