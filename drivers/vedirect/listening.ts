import type { SerialFormat } from "../line/address.ts";
import type { Listening } from "../telegram/protocol.ts";
import { vedirectProtocol } from "./protocol.ts";

/** VE.Direct Protocol, serial interface: the only one there is. */
export const VEDIRECT_FORMAT: SerialFormat = {
  baudRate: 19_200,
  dataBits: 8,
  parity: "none",
  stopBits: 1,
};

/** A scan hears a device within two of its seconds: the registers of a battery monitor come with its second block. */
export const vedirectListening: Listening = {
  driver: "victron-ve-direct",
  formats: [VEDIRECT_FORMAT],
  periodMs: 1_000,
  createProtocol: vedirectProtocol,
};
