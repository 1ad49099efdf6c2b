import type { SerialFormat } from "../line/address.ts";
import type { Listening } from "../telegram/protocol.ts";
import { smlProtocol } from "./protocol.ts";

/** The optical interface of German meters (DIN EN 62056-21 head, 9600 bit/s). */
export const SML_FORMAT: SerialFormat = { baudRate: 9_600, dataBits: 8, parity: "none", stopBits: 1 };

/** Meters send their list every 1 to 4 s. */
export const smlListening: Listening = {
  driver: "sml",
  formats: [SML_FORMAT],
  periodMs: 5_000,
  createProtocol: smlProtocol,
};
