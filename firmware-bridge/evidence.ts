import {
  decodeEvidence,
  decodesWithoutProfile,
  decodeWhole,
  type EvidenceSource,
} from "../drivers/evidence/decode.ts";
import type { DecodedFrame } from "../drivers/evidence/decoded.ts";
import { decodeCoprocessorFrame } from "./coprocessor/evidence.ts";
import { decodePulseEvidence } from "./pulse/evidence.ts";

/*
 * For whoever audits: nothing here, nor in what is imported here, opens a line, starts a process or loads anything native.
 */

/** By the drivers' names; the drivers themselves would bring lines and processes along. */
const DECODERS: ReadonlyMap<string, (bytes: Uint8Array) => DecodedFrame> = new Map([
  ["s0-pulse", decodePulseEvidence],
  ["coprocessor", decodeCoprocessorFrame],
]);

/** Whether frames of that driver, one of pins and microcontrollers or any other, are decoded without a profile. */
export function gatewayDecodesWithoutProfile(driver: string): boolean {
  return DECODERS.has(driver) || decodesWithoutProfile(driver);
}

/** {@link decodeEvidence} for every driver of a gateway: those of pins and microcontrollers, too. */
export function decodeGatewayEvidence(
  driver: string,
  source: EvidenceSource,
  bytes: Uint8Array,
): DecodedFrame {
  const decoder = source.profile === undefined ? DECODERS.get(driver) : undefined;
  if (decoder === undefined) return decodeEvidence(driver, source, bytes);
  return decodeWhole(bytes, () => decoder(bytes));
}
