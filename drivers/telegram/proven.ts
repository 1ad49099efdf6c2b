import type { MeterReading } from "../../attest/reading.ts";
import { digestOf } from "../digest.ts";
import type { ChannelDescription, Snapshot } from "../driver.ts";
import type { MeterTelegram, UnprovenReading } from "./protocol.ts";

/** What a meter is known by beside its telegrams. */
export interface KnownMeter {
  /** What its telegrams are: "dsmr telegram". */
  readonly what: string;
  readonly channels: ReadonlyMap<string, ChannelDescription>;
}

/** What a telegram says, proven by its bytes or by what it names instead of them. */
export function provenSnapshot(
  { readings, absent, doubts = [], evidence }: MeterTelegram,
  telegram: Uint8Array,
  { what, channels }: KnownMeter,
): Snapshot {
  const bytes = evidence ?? telegram;
  const digest = digestOf(bytes);
  return {
    readings: readings.map((reading) => proven(reading, digest, channels)),
    flexibility: [],
    absent,
    ...(doubts.length === 0 ? {} : { doubts }),
    frames: [{ digest, bytes, what }],
  };
}

/** A step that is the channel's own is left out. */
function proven(
  { resolutionMwh, ...rest }: UnprovenReading,
  evidence: Uint8Array,
  channels: KnownMeter["channels"],
): MeterReading {
  const known = channels.get(rest.channel)?.resolutionMwh;
  const resolution = resolutionMwh === undefined || resolutionMwh === known ? {} : { resolutionMwh };
  return { ...rest, ...resolution, evidence };
}
