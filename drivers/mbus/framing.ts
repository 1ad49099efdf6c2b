import { Problem } from "../../attest/problem.ts";
import { type Examination, type FrameFormat, type Place, StreamFramer } from "../telegram/stream-framer.ts";
import { judgeFrame, MAX_FRAME_BYTES } from "./frame.ts";

const STARTS: ReadonlySet<number> = new Set([0xe5, 0x10, 0x68]);

/** Frames of a wired M-Bus line (EN 13757-2), acknowledgements too. */
export const mbusFormat: FrameFormat = {
  maxBytes: MAX_FRAME_BYTES,

  find(bytes: Uint8Array, from: number): number {
    const at = bytes.subarray(from).findIndex((byte) => STARTS.has(byte));
    return at < 0 ? bytes.length : from + at;
  },

  examine(bytes: Uint8Array, { offset, insideRefused }: Place): Examination {
    const judgement = judgeFrame(bytes);
    switch (judgement.kind) {
      case "incomplete":
      case "noise":
        return judgement;
      case "frame":
        // A refused frame's data may hold E5: alone it proves nothing there.
        if (insideRefused && judgement.length === 1) return { kind: "noise" };
        return { kind: "telegram", length: judgement.length };
      case "damaged":
        return {
          kind: "refused",
          length: judgement.length,
          problem: new Problem(judgement.code, judgement.what, { where: `offset ${offset}` }),
        };
    }
  },

  cut(_bytes: Uint8Array, offset: number): Problem {
    return new Problem("mbus-truncated", "the line fell silent within a frame", {
      where: `offset ${offset}`,
    });
  },
};

/** Cuts the bytes of a wired M-Bus line into frames; see {@link StreamFramer}. It keeps at most 261 bytes. */
export class MbusFramer extends StreamFramer {
  constructor() {
    super(mbusFormat);
  }
}
