import type { SerialFormat } from "../line/address.ts";
import type { Listening } from "../telegram/protocol.ts";
import { iec62056Protocol } from "./protocol.ts";

/**
 * Meters speak 7E1. Eight bits without parity take as long on the wire, and show the parity instead of dropping
 * characters in silence or passing wrong ones: it is checked here.
 */
function shownParity(baudRate: number): SerialFormat {
  return { baudRate, dataBits: 8, parity: "none", stopBits: 1 };
}

/** EasyMeter, eBZ and Hager push at 9600 baud; the standard has 2400 for mode D (IEC 62056-21, 6.4.4). */
export const PUSHED_FORMATS: readonly SerialFormat[] = [shownParity(9_600), shownParity(2_400)];

/** Where every conversation begins (IEC 62056-21, 6.4). */
export const ASKED_FORMAT: SerialFormat = shownParity(300);

export const iec62056Listening: Listening = {
  driver: "iec62056-21",
  formats: PUSHED_FORMATS,
  periodMs: 5_000,
  createProtocol: () => iec62056Protocol({}),
};
