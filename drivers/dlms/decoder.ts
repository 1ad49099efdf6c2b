import type { TelegramDecoder } from "../telegram/decoder.ts";
import { DlmsFramer } from "./framing.ts";
import { decodeDlms } from "./telegram.ts";

/** DLMS telegrams taken apart: the values as the list has them, with their unit where it is known. */
export const dlmsDecoder: TelegramDecoder = {
  name: "dlms",
  summary: "DLMS lists that meters push over HDLC or wired M-Bus (NO, SE, DK, AT, CH, CZ, SI, HR, PL)",
  createFramer: () => new DlmsFramer(),
  decode: (telegram, keys) => [decodeDlms(telegram, keys)],
};
