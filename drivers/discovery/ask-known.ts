import { setTimeout as sleep } from "node:timers/promises";
import { askIdentity } from "../iec62056/asking.ts";
import { ASKED_FORMAT } from "../iec62056/listening.ts";
import { askMbus, type FoundMbusMeter, type MbusScan } from "../mbus/asking.ts";
import { MAX_PRIMARY_ADDRESS } from "../mbus/requests.ts";
import { serialTiming } from "../mbus/timing.ts";
import { listenSpeedwire } from "../speedwire/asking.ts";
import { formatFrom } from "./serial-format.ts";
import type { AnsweringMeter, MeterAsker, NetworkSender, SendingMeter } from "./terms.ts";

/** IEC 62056-21, 6.4: the request, 1.5 s of reaction, and what adapters add. */
const NO_IDENTIFICATION_MS = 2_300;
/** An identification at 300 baud, with pauses, in addition. */
const IDENTIFICATION_MS = 10_000;
/** A meter that was asked who it is and no further listens again after its own time-out. */
const READY_AGAIN_MS = 1_600;

const opticalPort: MeterAsker = {
  driver: "iec62056-21",
  because: "an identification (IEC 62056-21)",
  formats: [ASKED_FORMAT],
  ownFormat: ASKED_FORMAT,
  silentMs: () => NO_IDENTIFICATION_MS,
  longestMs: IDENTIFICATION_MS + READY_AGAIN_MS,
  async ask(talk): Promise<readonly AnsweringMeter[]> {
    const identity = await askIdentity(talk);
    if (identity === undefined) return [];
    await sleep(READY_AGAIN_MS);
    return [{ identity, options: {} }];
  },
};

/** EN 13757-2: what most level converters and meters are set to, then the slowest and the fastest usual rates. */
const BUS_FORMATS = (["2400 8E1", "300 8E1", "9600 8E1"] as const).map(formatFrom);
const [BUS_FORMAT = formatFrom("2400 8E1")] = BUS_FORMATS;
/** At rates below the usual one an answer takes longer to begin. */
const SLOWEST_USUAL_BAUD = 2400;
const BUS_SEARCH_MS = 75_000;
/** The first request, and the same of everybody once more. */
const BUS_ASKED = 2;

/** Meters on a wired M-Bus; `scan` changes how they are asked. */
export function wiredBus(scan: MbusScan = {}): MeterAsker {
  return {
    driver: "mbus",
    because: "an M-Bus telegram",
    formats: BUS_FORMATS,
    ownFormat: BUS_FORMAT,
    silentMs: ({ baudRate }) => BUS_ASKED * serialTiming(baudRate).beginMs,
    longestMs: BUS_SEARCH_MS + 5_000,
    async ask(talk, { baudRate }): Promise<readonly AnsweringMeter[]> {
      const slow = baudRate < SLOWEST_USUAL_BAUD ? { timing: serialTiming(baudRate) } : {};
      const found = await askMbus(talk, { ...slow, boundMs: BUS_SEARCH_MS, ...scan });
      return found.map(busMeter);
    },
  };
}

function busMeter({ address, secondary, identity, electricity }: FoundMbusMeter): AnsweringMeter {
  const options = address <= MAX_PRIMARY_ADDRESS ? { address } : { secondary };
  return { identity, options, ...(electricity ? {} : { unfit: "it measures no electricity" }) };
}

/** Kinds of meter that answer on a serial line in their own way, in the order in which they are asked. */
export const knownAskers: readonly MeterAsker[] = [wiredBus(), opticalPort];

/** SMA's meters; `place` is where they send to, if not where they do unless they are told otherwise. */
export function speedwire(place: Parameters<typeof listenSpeedwire>[2] = {}): NetworkSender {
  return {
    driver: "sma-speedwire",
    where: "SMA Speedwire",
    because: "a whole speedwire telegram",
    async listen(signal, ms): Promise<readonly SendingMeter[]> {
      const heard = await listenSpeedwire(signal, ms, place);
      return heard.map(({ identity, address }) => ({
        ...{ host: address, identity },
        options: { serial: Number(identity.serial), ...place },
      }));
    },
  };
}

/** Kinds of meter that send into the network by themselves. */
export const knownSenders: readonly NetworkSender[] = [speedwire()];
