import type { ChannelDescription } from "../driver.ts";
import { GRID_CHANNEL, gridChannel } from "../telegram/obis-reading.ts";
import type { MeterTelegram, TelegramProtocol, UnprovenReading } from "../telegram/protocol.ts";
import { RegisterBasis } from "../telegram/register-basis.ts";
import { decodeSml, type SmlTelegram } from "./decode.ts";
import { SmlFramer } from "./framing.ts";
import { ofOneMeter } from "./lists.ts";
import { meterIdentity } from "./meter-identity.ts";
import { type SmlReading, smlReading } from "./reading.ts";

const WIRING_HINT =
  "check that the optical head sits straight over the meter's diode with its cable down, 9600 8N1, and that the meter sends SML by itself";

/**
 * Meters that push SML at their optical interface. A telegram's reading depends on nothing but the telegram; what is
 * doubted of it, on those before.
 */
export function smlProtocol(): TelegramProtocol {
  const basis = new RegisterBasis();
  return {
    what: "sml telegram",
    wiringHint: WIRING_HINT,
    finalCodes: [],
    createFramer: () => new SmlFramer(),
    decode(bytes) {
      const said = read(bytes);
      if (said === undefined) return undefined;
      return { ...said.telegram, doubts: basis.doubts(said.telegram.identity, said.codes) };
    },
    forget: () => basis.forget(),
  };
}

/**
 * What one file says of its meter; undefined for a file without a list of values.
 *
 * @throws Problem `sml-…` for bytes that are no whole file, `sml-meters`, `telegram-…` for values that make no reading
 */
export function meterTelegram(bytes: Uint8Array): MeterTelegram | undefined {
  return read(bytes)?.telegram;
}

interface Said {
  readonly telegram: MeterTelegram;
  readonly codes: readonly string[];
}

function read(bytes: Uint8Array): Said | undefined {
  const all = decodeSml(bytes);
  if (all.length === 0) return undefined;
  const { lists, values } = ofOneMeter(all);
  const reading = smlReading(values);
  const time = meterTime(lists);
  const identity = meterIdentity(lists);
  const telegram = {
    ...(identity === undefined ? {} : { identity }),
    channels: [channelOf(reading)],
    readings: [{ channel: GRID_CHANNEL, ...reading.values, ...time.meterTime }],
    absent: [...reading.absent, ...time.absent],
  };
  return { telegram, codes: values.map(({ code }) => code) };
}

/** Stays as it is from telegram to telegram: what one of them proves of the step stands in its reading. */
function channelOf(reading: SmlReading): ChannelDescription {
  const { importMwh, exportMwh } = reading.values;
  const { countsInMwh: resolutionMwh, saysDirection } = reading;
  const checked = saysDirection
    ? "each power is checked against the direction in the meter's status word"
    : "the meter sends no direction that the power could be checked against";
  const values = { ...reading.values, ...(resolutionMwh === undefined ? {} : { resolutionMwh }) };
  return gridChannel(values, {
    signSource: `OBIS 16.7.0, + is into the boundary (IEC 62056-6-1); ${checked}`,
    signVerified: saysDirection,
    quantities: [
      ...(importMwh === undefined ? [] : (["import"] as const)),
      ...(exportMwh === undefined ? [] : (["export"] as const)),
      ...(reading.hasPower ? (["power"] as const) : []),
    ],
  });
}

/** No SML meter is older; a clock that was never set begins in 1970. */
const EARLIEST_MS = Date.UTC(2008, 0, 1);

interface ReadTime {
  readonly meterTime: Pick<UnprovenReading, "meterTimeMs">;
  readonly absent: readonly string[];
}

/** The newest time of day among the lists; a second index is none, and is no word worth. */
function meterTime(lists: readonly SmlTelegram[]): ReadTime {
  const times = lists.map(({ meterTimeMs }) => meterTimeMs).filter((timeMs) => timeMs !== undefined);
  if (times.length === 0) return { meterTime: {}, absent: [] };
  const meterTimeMs = Math.max(...times);
  if (meterTimeMs >= EARLIEST_MS) return { meterTime: { meterTimeMs }, absent: [] };
  const absent = `meterTimeMs: the meter's clock says ${new Date(meterTimeMs).toISOString()}, it was never set`;
  return { meterTime: {}, absent: [absent] };
}
