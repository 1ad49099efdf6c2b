import { Problem } from "../../attest/problem.ts";
import { type Examination, type FrameFormat, StreamFramer } from "../telegram/stream-framer.ts";
import type { Framed, Framer } from "../telegram/telegram.ts";
import { beginsTelegram, HEAD_BYTES, parseSpeedwire, telegramLength } from "./telegram.ts";

/** Meters send 600 or 608 bytes; one datagram in one Ethernet frame has at most 1472. */
export const MAX_TELEGRAM_BYTES = 1_472;

const FIRST = 0x53;

/**
 * Telegrams of SMA's meters. Everything else that SMA devices send to the same port is noise: discovery, inverters
 * (0x6065), encrypted ones (0x6073), and the 0x6081 that Sunny Home Managers sent for a while, which taken for meter
 * telegrams showed as peaks of megawatts (mitchese/shm-et340, issue 2).
 */
const speedwireFormat: FrameFormat = {
  maxBytes: MAX_TELEGRAM_BYTES,
  find(bytes: Uint8Array, from: number): number {
    const at = bytes.indexOf(FIRST, from);
    return at === -1 ? bytes.length : at;
  },
  examine(bytes: Uint8Array): Examination {
    if (!beginsTelegram(bytes)) return { kind: "noise" };
    if (bytes.length < HEAD_BYTES) return { kind: "incomplete", need: bytes.length + 1 };
    const length = telegramLength(bytes);
    if (length > MAX_TELEGRAM_BYTES)
      return { kind: "refused", length: HEAD_BYTES, problem: oversized(length) };
    if (bytes.length < length) return { kind: "incomplete", need: length };
    return examineWhole(bytes.subarray(0, length));
  },
  cut(bytes: Uint8Array, offset: number): Problem | undefined {
    if (bytes.length < HEAD_BYTES || !beginsTelegram(bytes)) return undefined;
    return new Problem("speedwire-truncated", "the stream ended within a telegram", {
      where: `stream offset ${offset}`,
      expected: `${telegramLength(bytes)} bytes`,
      got: `${bytes.length}`,
    });
  },
};

function examineWhole(bytes: Uint8Array): Examination {
  try {
    parseSpeedwire(bytes);
    return { kind: "telegram", length: bytes.length };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { kind: "refused", length: bytes.length, problem: error };
  }
}

function oversized(length: number): Problem {
  return new Problem("speedwire-oversized", "longer than any telegram of a meter", {
    expected: `at most ${MAX_TELEGRAM_BYTES} bytes`,
    got: `${length}`,
  });
}

/** Finds meter telegrams in datagrams, also where one was cut and the next follows it. */
export class SpeedwireFramer implements Framer {
  readonly #framer = new StreamFramer(speedwireFormat);

  push(bytes: Uint8Array): readonly Framed[] {
    return this.#framer.push(bytes);
  }

  end(): readonly Framed[] {
    return this.#framer.end();
  }
}
