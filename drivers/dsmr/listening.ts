import type { SerialFormat } from "../line/address.ts";
import type { Listening } from "../telegram/protocol.ts";
import { P1Protocol } from "./protocol.ts";

/** DSMR 4 and 5 (5.0.2 P1, 6.1), and the relatives. */
export const DSMR_4_AND_5: SerialFormat = { baudRate: 115_200, dataBits: 8, parity: "none", stopBits: 1 };
/** DSMR 2.2 and 3 (3.0 P1, 5.1; characters as in IEC 62056-21). */
const DSMR_2_AND_3: SerialFormat = { baudRate: 9_600, dataBits: 7, parity: "even", stopBits: 1 };
/** From Amsterdam to Budapest. */
export const CENTRAL_EUROPE_MINUTES = 60;

/** Meters of DSMR 5 speak once a second, older and encrypted ones every 10 s. */
export const dsmrListening: Listening = {
  driver: "dsmr-p1",
  formats: [DSMR_4_AND_5, DSMR_2_AND_3],
  periodMs: 10_000,
  createProtocol: () => new P1Protocol({ winterOffsetMinutes: CENTRAL_EUROPE_MINUTES }),
};
