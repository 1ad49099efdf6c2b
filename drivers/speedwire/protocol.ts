import type { Problem } from "../../attest/problem.ts";
import type { MeterTelegram, TelegramProtocol } from "../telegram/protocol.ts";
import type { Framer } from "../telegram/telegram.ts";
import { MeterChoice, type SideBySide } from "./choice.ts";
import { SpeedwireFramer } from "./framing.ts";
import { identityOf } from "./identity.ts";
import { channelOf, doubtsOf, readingOf } from "./reading.ts";
import { parseSpeedwire, type SpeedwireTelegram } from "./telegram.ts";

/** What is known of the meter before it speaks. */
export interface SpeedwireSettings {
  /** Serial number of the one that is meant; without it there must be only one. */
  readonly serial?: number | undefined;
  /** Meters of this network that an earlier driver heard side by side. */
  readonly sideBySide?: SideBySide;
}

/** An SMA Energy Meter or Sunny Home Manager 2.0 in the local network. */
export function speedwireProtocol(settings: SpeedwireSettings = {}): TelegramProtocol {
  return new SpeedwireProtocol(settings);
}

/** A telegram that overtook another by more than this is none: the meter began to count anew. */
const LATE_MS = 10_000;

class SpeedwireProtocol implements TelegramProtocol {
  readonly what = "speedwire telegram";
  readonly wiringHint =
    "check that the meter is in the same network, that switches and Wi-Fi pass multicast (IGMP) of 239.12.255.254, that the firewall lets UDP port 9522 in, and that speedwire encryption is off";
  readonly finalCodes: readonly string[] = ["speedwire-several", "speedwire-serial"];
  readonly #settings: SpeedwireSettings;
  #choice: MeterChoice;
  #last: { readonly tickerMs: number; readonly bytes: Uint8Array } | undefined;
  #finer = false;

  constructor(settings: SpeedwireSettings) {
    this.#settings = settings;
    this.#choice = new MeterChoice(settings.serial, settings.sideBySide);
  }

  createFramer(): Framer {
    return new SpeedwireFramer();
  }

  decode(bytes: Uint8Array): MeterTelegram | undefined {
    const telegram = parseSpeedwire(bytes);
    if (!this.#choice.takes(telegram) || this.#isOld(telegram, bytes)) return undefined;
    const reading = readingOf(telegram, this.#finer);
    this.#finer = reading.finer;
    this.#last = { tickerMs: telegram.tickerMs, bytes };
    const channel = channelOf(reading);
    return {
      identity: identityOf(telegram),
      channels: [channel],
      readings: [{ channel: channel.name, ...reading.values }],
      absent: reading.absent,
      doubts: doubtsOf(telegram),
    };
  }

  whyNone(): Problem | undefined {
    return this.#choice.whyNone();
  }

  forget(): void {
    this.#choice = new MeterChoice(this.#settings.serial, this.#settings.sideBySide);
    this.#last = undefined;
    this.#finer = false;
  }

  /** The same datagram by another interface or by unicast, or one that another overtook. */
  #isOld({ tickerMs }: SpeedwireTelegram, bytes: Uint8Array): boolean {
    if (this.#last === undefined) return false;
    const behindMs = (this.#last.tickerMs - tickerMs) >>> 0;
    if (behindMs !== 0) return behindMs <= LATE_MS;
    return Buffer.compare(this.#last.bytes, bytes) === 0;
  }
}
