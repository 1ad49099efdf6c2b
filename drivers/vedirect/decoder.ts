import type { TelegramDecoder } from "../telegram/decoder.ts";
import type { DecodedTelegram } from "../telegram/telegram.ts";
import { fieldsOfBlock } from "./block.ts";
import { VedirectFramer } from "./framing.ts";
import { telegramValue } from "./labels.ts";

/** VE.Direct text taken apart: one block at a time, with all of its fields. */
export const vedirectDecoder: TelegramDecoder = {
  name: "vedirect",
  summary: "Victron solar chargers, battery monitors and inverters: VE.Direct text",
  createFramer: () => new VedirectFramer(),
  /** @throws Problem `vedirect-checksum`, `vedirect-frame`, `vedirect-truncated`, `vedirect-conflict` */
  decode(telegram: Uint8Array): readonly DecodedTelegram[] {
    const fields = fieldsOfBlock(telegram);
    const serial = fields.get("SER#");
    const values = [...fields].map(([label, text]) => telegramValue(label, text));
    return [serial === undefined ? { values } : { meterId: serial, values }];
  },
};
