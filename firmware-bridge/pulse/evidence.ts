import { digestOf } from "../../drivers/digest.ts";
import type { DecodedFrame } from "../../drivers/evidence/decoded.ts";
import { stepMwh } from "./energy.ts";
import { decodePulseFrame, readingOfFrame } from "./pulse-frame.ts";

/**
 * The reading of one count as the driver made it, without the counter: the register from start, count and constant, the
 * power from the intervals. The manifest must have the step that the constant makes.
 *
 * @throws Problem `pulse-frame`, `pulse-register-range`
 */
export function decodePulseEvidence(bytes: Uint8Array): DecodedFrame {
  const frame = decodePulseFrame(bytes);
  const evidence = digestOf(bytes);
  const resolutionMwh = stepMwh(frame.constant);
  const reading = { ...readingOfFrame(frame), evidence };
  return { channels: [{ role: frame.role, reading, resolutionMwh, described: { resolutionMwh } }] };
}
