import { describeProblem, Problem } from "../../attest/problem.ts";
import type { CompiledProfile } from "../profile/compiled.ts";
import type { DecodedFrame } from "./decoded.ts";
import { decodeMbusFrame } from "./mbus-frame.ts";
import { decodeProfileFrame } from "./profile-frame.ts";
import { decodeProtocolFrame } from "./protocol-frame.ts";
import { REPLAYED_IEC62056, REPLAYED_SML, replayedDlms, replayedSpeedwire } from "./protocols.ts";
import { decodeSunSpecFrame } from "./sunspec-frame.ts";
import { decodeTelegramFrame } from "./telegram-frame.ts";
import { decodeVedirectFrame } from "./vedirect-frame.ts";

/** What is known of the device beside the frame: what its channel's manifest says. */
export interface EvidenceSource {
  /** The profile of the manifest's digest, for drivers that are one. */
  readonly profile?: CompiledProfile;
  readonly make: string;
  /** Of a P1 meter's configuration, if it is known: without it the meter's own time is left out. */
  readonly winterOffsetMinutes?: number;
  /** Step of the channel's registers as its manifest says it, mWh. */
  readonly resolutionMwh?: number;
}

/** Longer than what any of the drivers hands over for one snapshot. */
export const MAX_FRAME_BYTES: number = 64 * 1024;

type Decoder = (source: EvidenceSource, bytes: Uint8Array) => DecodedFrame;

const DECODERS: ReadonlyMap<string, Decoder> = new Map<string, Decoder>([
  ["dsmr-p1", ({ winterOffsetMinutes }, bytes) => decodeTelegramFrame(bytes, winterOffsetMinutes)],
  ["sml", (_source, bytes) => decodeProtocolFrame(REPLAYED_SML, bytes)],
  ["dlms-push", ({ resolutionMwh }, bytes) => decodeProtocolFrame(replayedDlms(resolutionMwh), bytes)],
  ["iec62056-21", (_source, bytes) => decodeProtocolFrame(REPLAYED_IEC62056, bytes)],
  ["mbus", (_source, bytes) => decodeMbusFrame(bytes)],
  ["victron-ve-direct", (_source, bytes) => decodeVedirectFrame(bytes)],
  ["sma-speedwire", (_source, bytes) => decodeProtocolFrame(replayedSpeedwire(bytes), bytes)],
  ["sunspec", ({ make }, bytes) => decodeSunSpecFrame(make, bytes)],
]);

/** Whether frames of that driver are decoded without a profile. */
export function decodesWithoutProfile(driver: string): boolean {
  return DECODERS.has(driver);
}

/**
 * Decodes a frame that a driver handed over ({@link RawFrame}) again, as that driver did, without the device: nothing is
 * read, nothing is remembered. What hangs on a setting of the device's configuration comes both ways. Never throws
 * for a frame, whatever its bytes are.
 */
export function decodeEvidence(driver: string, source: EvidenceSource, bytes: Uint8Array): DecodedFrame {
  const { profile } = source;
  const decoder: Decoder | undefined =
    profile === undefined ? DECODERS.get(driver) : (_source, frame) => decodeProfileFrame(profile, frame);
  if (decoder === undefined) return { cannotDecode: `frames of the driver ${driver} cannot be decoded here` };
  return decodeWhole(bytes, () => decoder(source, bytes));
}

/** What `decode` makes of a frame that is not too long; the Problem that it throws as what is wrong with the frame. */
export function decodeWhole(bytes: Uint8Array, decode: () => DecodedFrame): DecodedFrame {
  if (bytes.length > MAX_FRAME_BYTES) return { cannotDecode: `longer than ${MAX_FRAME_BYTES} bytes` };
  try {
    return decode();
  } catch (thrown) {
    if (!(thrown instanceof Problem)) throw thrown;
    return { cannotDecode: describeProblem(thrown).message };
  }
}
