import type { TelegramDecoder } from "../telegram/decoder.ts";
import type { DecodedTelegram, Framer } from "../telegram/telegram.ts";
import { MbusFramer } from "./framing.ts";
import { decodeMbus } from "./telegram.ts";

/** Frames of wired M-Bus; acknowledgements and requests among them say nothing and give no list. */
export const mbusDecoder: TelegramDecoder = {
  name: "mbus",
  summary: "Meters on a wired M-Bus (EN 13757-2 and -3), any medium",
  createFramer: (): Framer => new MbusFramer(),
  decode(telegram: Uint8Array): readonly DecodedTelegram[] {
    const { frame, applicationError, ...decoded } = decodeMbus(telegram);
    if (applicationError !== undefined)
      return [{ values: [{ code: "application-error", text: applicationError.text }] }];
    return frame.kind === "long" ? [decoded] : [];
  },
};
