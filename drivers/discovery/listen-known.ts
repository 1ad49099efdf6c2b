import { dlmsListening } from "../dlms/listening.ts";
import { dsmrListening } from "../dsmr/listening.ts";
import { iec62056Listening } from "../iec62056/listening.ts";
import { smlListening } from "../sml/listening.ts";
import type { Listening } from "../telegram/protocol.ts";
import { vedirectListening } from "../vedirect/listening.ts";
import type { MeterOptions } from "./terms.ts";

/**
 * Kinds of meter that speak by themselves on a serial line. Of two that fit one telegram as well the first one is meant:
 * within an encrypted DLMS telegram stands what would be an encrypted P1 telegram without a frame around it.
 */
export const knownSpeakers: readonly Listening[] = [
  dlmsListening,
  dsmrListening,
  smlListening,
  iec62056Listening,
  vedirectListening,
];

/** What a driver has to be told, beside the line, to listen. */
const OPTIONS: ReadonlyMap<string, MeterOptions> = new Map([["iec62056-21", { mode: "D" }]]);

export function speakerOptions(driver: string): MeterOptions {
  return OPTIONS.get(driver) ?? {};
}
