import { Problem } from "../../attest/problem.ts";
import { LONG_START } from "../mbus/frame.ts";
import type { Examination, FrameFormat, Place } from "../telegram/stream-framer.ts";
import { examineFrame, FLAG, MAX_FRAME_BYTES } from "./hdlc.ts";
import { examineSegment } from "./mbus.ts";

const STARTS = [FLAG, LONG_START];

/**
 * HDLC frames (IEC 62056-46) and long frames of wired M-Bus, told apart by their first byte; a flag that fills the pause
 * before another is handed on as one byte.
 */
export const dlmsFormat: FrameFormat = {
  maxBytes: MAX_FRAME_BYTES,
  find(bytes, from) {
    const places = STARTS.map((start) => bytes.indexOf(start, from)).filter((at) => at >= 0);
    return places.length === 0 ? bytes.length : Math.min(...places);
  },
  examine: (bytes, place) => (bytes[0] === FLAG ? examineHdlc(bytes, place) : examineMbus(bytes, place)),
  cut: cutFrame,
};

function examineHdlc(bytes: Uint8Array, { offset }: Place): Examination {
  // The flag that closed a frame and the one that opens the next.
  if (bytes[1] === FLAG) return { kind: "telegram", length: 1 };
  const examined = examineFrame(bytes, offset);
  if (examined.kind !== "frame") return examined;
  const { size } = examined.frame;
  // The closing flag may open the next frame.
  return { kind: "telegram", length: size, used: size - 1 };
}

function examineMbus(bytes: Uint8Array, { offset }: Place): Examination {
  const examined = examineSegment(bytes, offset);
  return examined.kind === "segment" ? { kind: "telegram", length: examined.segment.size } : examined;
}

function cutFrame(bytes: Uint8Array, offset: number): Problem | undefined {
  if (bytes.length < 2) return undefined;
  return new Problem("dlms-truncated", "the stream ended within a frame", { where: `offset ${offset}` });
}
