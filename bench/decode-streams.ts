import { dlmsDecoder } from "../drivers/dlms/decoder.ts";
import { dsmrDecoder } from "../drivers/dsmr/decoder.ts";
import { iec62056Decoder } from "../drivers/iec62056/decoder.ts";
import { mbusDecoder } from "../drivers/mbus/decoder.ts";
import { dlmsSpeaker } from "../drivers/simulated/dlms-telegram.ts";
import { iec62056Speaker } from "../drivers/simulated/iec62056-telegram.ts";
import { mbusAnswerer } from "../drivers/simulated/mbus-telegram.ts";
import { p1Speaker } from "../drivers/simulated/p1-telegram.ts";
import { smlSpeaker } from "../drivers/simulated/sml-telegram.ts";
import type { ShownByMeter, SimulatedSpeaker } from "../drivers/simulated/speaking.ts";
import { speedwireSpeaker } from "../drivers/simulated/speedwire-telegram.ts";
import { vedirectSpeaker } from "../drivers/simulated/vedirect-telegram.ts";
import { smlDecoder } from "../drivers/sml/decoder.ts";
import { speedwireDecoder } from "../drivers/speedwire/decoder.ts";
import type { TelegramDecoder, TelegramKeys } from "../drivers/telegram/decoder.ts";
import { vedirectDecoder } from "../drivers/vedirect/decoder.ts";

/** What a line of one protocol brings, and who takes it apart. */
export interface DecodedStream {
  readonly name: string;
  readonly decoder: TelegramDecoder;
  readonly keys: TelegramKeys;
  /** Telegrams as simulated meters send them, each with other values. */
  readonly telegrams: readonly Uint8Array[];
}

const TELEGRAMS = 50;
const KEY = new Uint8Array(16).fill(0x5a);
const AUTHENTICATION_KEY = new Uint8Array(16).fill(0xa5);
const KEYS: TelegramKeys = { key: KEY, authenticationKey: AUTHENTICATION_KEY };

/** Every protocol; of the telegrams nothing but the values differs from run to run. */
export function decodedStreams(): readonly DecodedStream[] {
  const encrypted = { key: KEY, authenticationKey: AUTHENTICATION_KEY };
  return [
    spoken("dsmr", dsmrDecoder, p1Speaker()),
    spoken("dsmr, encrypted", dsmrDecoder, p1Speaker(encrypted)),
    spoken("sml", smlDecoder, smlSpeaker()),
    spoken("dlms, Kaifa", dlmsDecoder, dlmsSpeaker({ layout: "kaifa", framing: "hdlc" })),
    spoken(
      "dlms over M-Bus, encrypted",
      dlmsDecoder,
      dlmsSpeaker({ layout: "landis-gyr", framing: "mbus", ...encrypted }),
    ),
    spoken("iec62056", iec62056Decoder, iec62056Speaker()),
    answered(),
    spoken("vedirect", vedirectDecoder, vedirectSpeaker({ device: "mppt" })),
    spoken("speedwire", speedwireDecoder, speedwireSpeaker()),
  ];
}

function spoken(name: string, decoder: TelegramDecoder, speaker: SimulatedSpeaker): DecodedStream {
  const telegrams = Array.from({ length: TELEGRAMS }, (_, at) => speaker.telegrams(shownAt(at))).flat();
  return { name, decoder, keys: KEYS, telegrams };
}

/** REQ_UD2 to the primary address 1 (EN 13757-2). */
const REQUEST = Uint8Array.of(0x10, 0x5b, 0x01, 0x5c, 0x16);

function answered(): DecodedStream {
  const meter = mbusAnswerer({ primary: 1, identification: "10203040", manufacturer: "KWS" });
  const telegrams = Array.from({ length: TELEGRAMS }, (_, at) => meter.answers(REQUEST, shownAt(at))).flat();
  return { name: "mbus", decoder: mbusDecoder, keys: {}, telegrams };
}

function shownAt(second: number): ShownByMeter {
  return {
    serial: "10203040",
    importT1Mwh: 4_312_840_000 + 1_000 * second,
    importT2Mwh: 3_987_215_000 + 2_000 * second,
    exportT1Mwh: 1_204_466_000,
    exportT2Mwh: 2_204_466_000 + 3_000 * second,
    activePowerMw: 1_000 * (second - TELEGRAMS / 2),
    timeMs: Date.UTC(2026, 5, 1, 12, 0, second),
    voltageMv: [230_100, 231_200, 229_900],
    currentMa: [1_000 + second, 2_000, 3_000],
    frequencyMhz: 50_010,
  };
}
