import type { TelegramDecoder } from "../telegram/decoder.ts";
import { Iec62056Framer } from "./framing.ts";
import { decodeReadout } from "./telegram.ts";

/** Readouts of electricity meters with an optical port; nothing in them is encrypted. */
export const iec62056Decoder: TelegramDecoder = {
  name: "iec62056",
  summary:
    "Readouts in plain text over an optical port (IEC 62056-21, D0): EasyMeter, eBZ, EMH, Hager, Iskra, Landis+Gyr",
  createFramer: () => new Iec62056Framer(),
  decode(bytes) {
    const { meterId, meterTimeText, values } = decodeReadout(bytes);
    return [
      {
        ...(meterId === undefined ? {} : { meterId }),
        ...(meterTimeText === undefined ? {} : { meterTimeText }),
        values,
      },
    ];
  },
};
