import type { TelegramDecoder } from "../telegram/decoder.ts";
import { decodeSml } from "./decode.ts";
import { SmlFramer } from "./framing.ts";

/** SML files taken apart: one list of values after the other, nothing left out. */
export const smlDecoder: TelegramDecoder = {
  name: "sml",
  summary: "SML of German electricity meters (optical interface, transport version 1)",
  createFramer: () => new SmlFramer(),
  decode: (telegram) => decodeSml(telegram),
};
