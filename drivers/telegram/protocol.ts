import type { Problem } from "../../attest/problem.ts";
import type { MeterReading } from "../../attest/reading.ts";
import type { ChannelDescription, Doubt, MeterIdentity } from "../driver.ts";
import type { SerialFormat } from "../line/address.ts";
import type { Framer } from "./telegram.ts";

/** A reading without the digest of its evidence, which whoever holds the bytes adds. */
export type UnprovenReading = Omit<MeterReading, "evidence">;

/** What one whole telegram says of a meter. */
export interface MeterTelegram {
  /** Absent where this telegram does not name its meter: it is the one's that was identified. */
  readonly identity?: MeterIdentity;
  /** True where no checksum vouches for the identity. */
  readonly unvouched?: boolean;
  /** All channels that the meter has, also those of which this telegram says nothing. */
  readonly channels: readonly ChannelDescription[];
  /** `resolutionMwh` is the step of this telegram's registers; it is left out of the reading where it is the channel's. */
  readonly readings: readonly UnprovenReading[];
  readonly absent: readonly string[];
  readonly doubts?: readonly Doubt[];
  /** What the readings were decoded from, where it is not the telegram as it came: deciphered, for instance. */
  readonly evidence?: Uint8Array;
}

/**
 * What a driver for a meter that speaks by itself knows of its protocol. One object serves one meter: it may remember
 * what earlier telegrams showed.
 */
export interface TelegramProtocol {
  /** What a telegram is, for whoever looks at one: "dsmr telegram". */
  readonly what: string;
  /** What to check when bytes come and no telegram is among them. */
  readonly wiringHint: string;
  /** Codes of problems that no further telegram mends, such as a missing key; {@link MeterTelegram}s end there. */
  readonly finalCodes: readonly string[];
  /**
   * A meter in order may send telegrams for so long, ms, of which none is a reading of it; absent where that is no more than
   * it may be silent.
   */
  readonly courseMs?: number;
  createFramer(): Framer;
  /**
   * Throws the Problem with which a telegram is refused. A telegram that says nothing of energy or power is refused, too,
   * unless it belongs to the protocol's course: then it gives undefined.
   */
  decode(telegram: Uint8Array): MeterTelegram | undefined;
  /** Why none of the telegrams of late was a reading, where the protocol knows. */
  whyNone?(): Problem | undefined;
  /** Another meter may be on the line from here on: whatever was remembered of the one before is void. */
  forget(): void;
}

/** How a scan finds meters that speak by themselves: it listens for them. */
export interface Listening {
  /** The driver's name in the catalogue. */
  readonly driver: string;
  /** Settings at which such meters speak, the most frequent first; the first one is the driver's default. */
  readonly formats: readonly SerialFormat[];
  /** A meter speaks at least so often, ms. */
  readonly periodMs: number;
  createProtocol(): TelegramProtocol;
}
