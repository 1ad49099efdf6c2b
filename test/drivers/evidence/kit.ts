import { expect } from "vitest";
import type { MeterReading } from "../../../attest/reading.ts";
import type { ChannelDescription, RawFrame, Snapshot } from "../../../drivers/driver.ts";
import type { DecodedChannel, DecodedFrame } from "../../../drivers/evidence/decoded.ts";

/** The one frame that every reading of a snapshot names. */
export function frameOf({ frames = [], readings, flexibility }: Snapshot): RawFrame {
  const [frame, ...more] = frames;
  if (frame === undefined || more.length > 0) throw new Error(`${frames.length} frames`);
  for (const { evidence } of [...readings, ...flexibility]) expect(evidence).toEqual(frame.digest);
  return frame;
}

/** The channels of a frame that can be decoded. */
export function channelsOf(decoded: DecodedFrame): readonly DecodedChannel[] {
  if ("cannotDecode" in decoded) throw new Error(decoded.cannotDecode);
  return decoded.channels;
}

/** Expects each reading to be decoded to the same values, and nothing of channels that have none. */
export function expectSame(
  decoded: readonly DecodedChannel[],
  { readings }: Snapshot,
  described: readonly ChannelDescription[],
): void {
  expect(readings.length).toBeGreaterThan(0);
  for (const live of readings) {
    const { resolutionMwh, ...values } = live;
    const again = decoded.find(({ reading }) => reading.channel === live.channel);
    expect(again?.reading).toEqual(values);
    if (live.importMwh === undefined && live.exportMwh === undefined) continue;
    const known = described.find(({ name }) => name === live.channel)?.resolutionMwh;
    expect(again?.resolutionMwh).toBe(resolutionMwh ?? known);
  }
  const silent = decoded.filter(
    ({ reading }) => !readings.some(({ channel }) => channel === reading.channel),
  );
  for (const { reading } of silent) expect(valuesIn(reading)).toEqual([]);
}

function valuesIn({ channel: _c, evidence: _e, ...values }: Partial<MeterReading>): string[] {
  return Object.keys(values);
}
