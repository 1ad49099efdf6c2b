import type { SerialFormat } from "../line/address.ts";
import type { Listening } from "../telegram/protocol.ts";
import { dlmsProtocol } from "./protocol.ts";

/** Wired M-Bus and most HAN ports (EN 13757-2: even parity). */
export const DLMS_FORMAT: SerialFormat = { baudRate: 2_400, dataBits: 8, parity: "even", stopBits: 1 };

/** Meters that push DLMS: every 2.5 to 10 s, in Czechia once a minute, so that those take longer to be found. */
export const dlmsListening: Listening = {
  driver: "dlms-push",
  formats: [
    DLMS_FORMAT,
    { ...DLMS_FORMAT, parity: "none" },
    { ...DLMS_FORMAT, baudRate: 9_600, parity: "none" },
    { ...DLMS_FORMAT, baudRate: 115_200, parity: "none" },
  ],
  periodMs: 10_000,
  createProtocol: () => dlmsProtocol(),
};
