import { digestOf } from "../../drivers/digest.ts";
import type { DecodedFrame } from "../../drivers/evidence/decoded.ts";
import { decodeSnapshot } from "./snapshot.ts";

/**
 * The readings of one snapshot as the driver made them, without the device. The manifest must have its serial number.
 *
 * @throws Problem `coprocessor-answer` with which the driver refuses it
 */
export function decodeCoprocessorFrame(bytes: Uint8Array): DecodedFrame {
  const evidence = digestOf(bytes);
  const { channels, serial } = decodeSnapshot(bytes);
  return {
    channels: channels.map(({ role, reading }) => ({
      ...{ role, reading: { ...reading, evidence } },
      described: { serial },
    })),
  };
}
