import { digestOf } from "../digest.ts";
import { MbusFramer } from "../mbus/framing.ts";
import { requireElectricity } from "../mbus/identity.ts";
import { readingOf } from "../mbus/reading.ts";
import { type DecodedMbus, decodeMbus } from "../mbus/telegram.ts";
import { present } from "../present.ts";
import { GRID_CHANNEL } from "../telegram/obis-reading.ts";
import type { DecodedChannel, DecodedFrame } from "./decoded.ts";

/**
 * The reading of one readout: all of its telegrams, one behind the other. Throws the Problem with which the driver
 * refuses it.
 */
export function decodeMbusFrame(bytes: Uint8Array): DecodedFrame {
  const decoded = telegramsOf(bytes);
  if (decoded === undefined) return { cannotDecode: "the bytes are not the answers of one readout" };
  const header = decoded[0]?.header ?? {};
  requireElectricity(header, "readout");
  const { values } = readingOf({ header, telegrams: decoded.map((telegram) => telegram.values) });
  const { resolutionMwh, ...said } = values;
  const evidence = digestOf(bytes);
  const reading = { channel: GRID_CHANNEL, ...said, evidence };
  return { channels: [present<DecodedChannel>({ reading, role: "grid", resolutionMwh })] };
}

/** Undefined where there is anything but answers of one meter. */
function telegramsOf(bytes: Uint8Array): readonly DecodedMbus[] | undefined {
  const framer = new MbusFramer();
  const decoded: DecodedMbus[] = [];
  let length = 0;
  for (const framed of [...framer.push(bytes), ...framer.end()]) {
    if (framed.kind === "refused") throw framed.problem;
    length += framed.bytes.length;
    decoded.push(decodeMbus(framed.bytes));
  }
  const meters = new Set(decoded.flatMap(({ meterId }) => (meterId === undefined ? [] : [meterId])));
  const isAnswer = ({ frame, applicationError, more }: DecodedMbus, at: number): boolean =>
    frame.kind === "long" && applicationError === undefined && (more || at === decoded.length - 1);
  return meters.size === 1 && length === bytes.length && decoded.every(isAnswer) ? decoded : undefined;
}
