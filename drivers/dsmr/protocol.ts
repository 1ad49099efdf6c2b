import type { ChannelDescription, MeterIdentity } from "../driver.ts";
import type { TelegramKeys } from "../telegram/decoder.ts";
import { GRID_CHANNEL } from "../telegram/obis-reading.ts";
import type { MeterTelegram, TelegramProtocol, UnprovenReading } from "../telegram/protocol.ts";
import { RegisterBasis } from "../telegram/register-basis.ts";
import type { Framer } from "../telegram/telegram.ts";
import { PrintedObjects } from "./continuity.ts";
import { type OpenTelegram, TelegramOpener } from "./deciphering.ts";
import { P1Framer } from "./framing.ts";
import { identityOf } from "./identity.ts";
import { decodeReading } from "./reading.ts";
import { parseTelegram, type Telegram } from "./telegram.ts";

/** What a {@link P1Protocol} is told about its meter. */
export interface P1Settings {
  /** The meter's winter time ahead of UTC. */
  readonly winterOffsetMinutes: number;
  readonly keys?: TelegramKeys | undefined;
}

/** DSMR P1 and its relatives, plain or encrypted. */
export class P1Protocol implements TelegramProtocol {
  readonly what = "dsmr telegram";
  readonly wiringHint =
    "check the data request pin, 115200 8N1 (DSMR 4 and 5) or 9600 7E1 (DSMR 2.2 and 3), and whether the signal is inverted";
  readonly finalCodes: readonly string[] = ["dsmr-encrypted"];
  readonly #winterOffsetMinutes: number;
  readonly #opener: TelegramOpener;
  readonly #printed = new PrintedObjects();
  readonly #basis = new RegisterBasis();

  constructor({ winterOffsetMinutes, keys = {} }: P1Settings) {
    this.#winterOffsetMinutes = winterOffsetMinutes;
    this.#opener = new TelegramOpener(keys);
  }

  createFramer(): Framer {
    return new P1Framer();
  }

  /**
   * Decodes one telegram of the framer; of an encrypted one, what was deciphered is the evidence, so that it decodes
   * again without the key.
   *
   * @throws Problem `dsmr-…` with which the telegram is refused
   */
  decode(bytes: Uint8Array): MeterTelegram {
    const opened = this.#opener.open(bytes);
    const telegram = parseTelegram(opened.raw);
    const { reading, absent } = decodeReading(telegram, this.#winterOffsetMinutes);
    const identity = identified(telegram, opened);
    this.#printed.require(identity, telegram);
    const evidence = opened.ciphering === undefined ? {} : { evidence: opened.raw.bytes };
    return {
      identity,
      unvouched: telegram.checksum === "absent" && opened.ciphering === undefined,
      channels: [describeChannel(reading, telegram)],
      readings: [reading],
      absent,
      doubts: this.#basis.doubts(identity, telegram.objects.keys()),
      ...evidence,
    };
  }

  /** The counter of encrypted telegrams is kept: it belongs to the key and to the meter's system title. */
  forget(): void {
    this.#printed.forget();
    this.#basis.forget();
  }
}

/** Meters in Austria print no number of their own; the system title is theirs alone (IEC 62056-5-3). */
function identified(telegram: Telegram, { ciphering }: OpenTelegram): MeterIdentity {
  const identity = identityOf(telegram);
  return { ...identity, serial: identity.serial || (ciphering?.systemTitle ?? "") };
}

function describeChannel(reading: UnprovenReading, { objects }: Telegram): ChannelDescription {
  const { importMwh, exportMwh, activePowerMw, resolutionMwh } = reading;
  const quantities: ("import" | "export" | "power")[] = [];
  if (importMwh !== undefined) quantities.push("import");
  if (exportMwh !== undefined) quantities.push("export");
  // Printed, and perhaps at rest just now.
  if (activePowerMw !== undefined || objects.has("1-0:1.7.0") || objects.has("1-1:1.7.0"))
    quantities.push("power");
  return {
    name: GRID_CHANNEL,
    role: "grid",
    quantities,
    ...(resolutionMwh === undefined ? {} : { resolutionMwh }),
    signSource:
      "DSMR 5.0.2 P1, 6.12: 1.8 and 1.7 are delivered to the client (import), 2.8 and 2.7 by the client",
    // Each direction has a power of its own.
    signVerified: true,
  };
}
