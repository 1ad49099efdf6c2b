import { dlmsProtocol } from "../dlms/protocol.ts";
import { iec62056Protocol } from "../iec62056/protocol.ts";
import { smlProtocol } from "../sml/protocol.ts";
import { speedwireProtocol } from "../speedwire/protocol.ts";
import { parseSpeedwire } from "../speedwire/telegram.ts";
import type { ReplayedProtocol } from "./protocol-frame.ts";

/** Nothing but the telegram decides what a meter of SML says. */
export const REPLAYED_SML: ReplayedProtocol = { create: () => smlProtocol() };

/** Some meters print registers without a unit: then the configuration says it. */
export const REPLAYED_IEC62056: ReplayedProtocol = {
  create: () => iec62056Protocol({ registerUnit: "kWh" }),
  others: [{ setting: "registerUnit", create: () => iec62056Protocol({ registerUnit: "Wh" }) }],
};

/** Of the meter that sent it, whichever others speak in its network. Throws Problem `speedwire-…` for what is no telegram. */
export function replayedSpeedwire(bytes: Uint8Array): ReplayedProtocol {
  const { serial } = parseSpeedwire(bytes);
  return { create: () => speedwireProtocol({ serial }) };
}

const MWH_PER_WH = 1000;
const STEPS_WH = [1, 10, 100, 1000];

/**
 * Encrypted telegrams come deciphered. Some meters state no units: what a step of their registers is stands in the
 * manifest as the channel's resolution. A clock without a zone is the configuration's.
 */
export function replayedDlms(resolutionMwh: number | undefined): ReplayedProtocol {
  const stepWh = resolutionMwh === undefined ? undefined : resolutionMwh / MWH_PER_WH;
  const known = STEPS_WH.find((one) => one === stepWh);
  const [usualWh = 1, ...otherWh] = known === undefined ? STEPS_WH : [known];
  return {
    framing: "as-it-is",
    create: () => dlmsProtocol({ registerStepWh: usualWh, clock: "UTC" }),
    others: [
      { setting: "clock", create: () => dlmsProtocol({ registerStepWh: usualWh, clock: "CET" }) },
      ...otherWh.map((registerStepWh) => ({
        setting: "registerStepWh",
        create: () => dlmsProtocol({ registerStepWh, clock: "UTC" }),
      })),
    ],
  };
}
