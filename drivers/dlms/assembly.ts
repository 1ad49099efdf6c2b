import { Problem } from "../../attest/problem.ts";
import type { Framed } from "../telegram/telegram.ts";
import { beginsTelegram, carriesData, FLAG, type HdlcFrame } from "./hdlc.ts";

/** More than any meter pushes; the longest known list has 0.6 kB. */
export const MAX_TELEGRAM_BYTES: number = 16 * 1024;

interface Place {
  /** Of the frame's first flag in the stream. */
  readonly offset: number;
  /** They begin with the frame. */
  readonly bytes: Uint8Array;
  readonly outcomes: Framed[];
}

/**
 * Puts the segments of a telegram together (IEC 62056-46: segmentation bit set in all but the last). UI frames
 * carry no number, so a segment that comes after lost bytes is never joined to what came before.
 */
export class SegmentAssembly {
  #frames: Uint8Array[] = [];
  #size = 0;
  #offset = 0;
  #addresses = "";

  take(frame: HdlcFrame, place: Place): void {
    if (!carriesData(frame.control) || frame.information.length === 0) {
      this.cut(place.outcomes, "a frame without data came before the last segment");
      refuse(place, "dlms-control", `a frame without data, control ${hex2(frame.control)}`);
      return;
    }
    const begins = beginsTelegram(frame.information);
    if (begins || frame.addresses !== this.#addresses) {
      this.cut(place.outcomes, "another telegram began before the last segment");
    }
    if (!begins && this.#frames.length === 0) {
      refuse(place, "dlms-llc", "the frame begins no telegram and continues none");
      return;
    }
    this.#append(frame, place);
  }

  /** What is half there is refused. */
  cut(outcomes: Framed[], what: string): void {
    if (this.#frames.length === 0) return;
    refuse({ offset: this.#offset, outcomes }, "dlms-segment", what);
    this.#forget();
  }

  #append(frame: HdlcFrame, place: Place): void {
    if (this.#frames.length === 0) {
      this.#offset = place.offset;
      this.#addresses = frame.addresses;
    }
    if (this.#size + frame.size > MAX_TELEGRAM_BYTES) {
      refuse({ ...place, offset: this.#offset }, "dlms-oversized", `longer than ${MAX_TELEGRAM_BYTES} bytes`);
      this.#forget();
      return;
    }
    this.#frames.push(place.bytes.slice(0, frame.size - 1));
    this.#size += frame.size;
    if (frame.segmented) return;
    const bytes = new Uint8Array(Buffer.concat([...this.#frames, Uint8Array.of(FLAG)]));
    place.outcomes.push({ kind: "telegram", offset: this.#offset, bytes });
    this.#forget();
  }

  #forget(): void {
    this.#frames = [];
    this.#size = 0;
    this.#addresses = "";
  }
}

function refuse(place: Pick<Place, "offset" | "outcomes">, code: string, what: string): void {
  const { offset, outcomes } = place;
  outcomes.push({
    kind: "refused",
    offset,
    problem: new Problem(code, what, { where: `offset ${offset}` }),
  });
}

function hex2(value: number): string {
  return value.toString(16).toUpperCase().padStart(2, "0");
}
