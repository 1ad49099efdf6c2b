import { digestOf } from "../digest.ts";
import { P1Framer } from "../dsmr/framing.ts";
import { decodeReading } from "../dsmr/reading.ts";
import { parseTelegram } from "../dsmr/telegram.ts";
import { wholeTelegram } from "../dsmr/whole-telegram.ts";
import { present } from "../present.ts";
import type { DecodedChannel, DecodedFrame } from "./decoded.ts";

/** Any offset does where the time is left out. */
const ANY_OFFSET_MINUTES = 60;

/**
 * The reading of one P1 telegram, of an encrypted one what was deciphered. Its time is read only where
 * `winterOffsetMinutes` is known, which is a setting of the device's configuration. Throws the Problem with which the
 * driver refuses the telegram.
 */
export function decodeTelegramFrame(bytes: Uint8Array, winterOffsetMinutes?: number): DecodedFrame {
  const [outcome, ...more] = new P1Framer().push(bytes);
  if (outcome?.kind === "refused") throw outcome.problem;
  if (outcome === undefined || more.length > 0 || outcome.bytes.length !== bytes.length)
    return { cannotDecode: "the bytes are not one telegram, from / to the line feed behind !" };
  const telegram = parseTelegram(wholeTelegram(bytes));
  const decoded = decodeReading(telegram, winterOffsetMinutes ?? ANY_OFFSET_MINUTES);
  const { resolutionMwh, meterTimeMs, ...values } = decoded.reading;
  const time = winterOffsetMinutes === undefined || meterTimeMs === undefined ? {} : { meterTimeMs };
  const evidence = digestOf(bytes);
  const reading = { ...values, ...time, evidence };
  return { channels: [present<DecodedChannel>({ reading, role: "grid", resolutionMwh })] };
}
