import type { ChannelRole, MeterReading } from "../../attest/reading.ts";

/** What a frame says of one channel. */
export interface DecodedChannel {
  /** Under the driver's own name; nothing but the evidence where the frame says nothing of the channel. */
  readonly reading: Omit<MeterReading, "resolutionMwh">;
  /** The channel's role unless the installer said another. */
  readonly role: ChannelRole;
  /** Step of the energy registers as the frame has it, in mWh. */
  readonly resolutionMwh?: number;
  /** What the driver describes the channel with out of the same bytes: its manifest has to say it, too. */
  readonly described?: { readonly resolutionMwh?: number; readonly serial?: string };
  /** The same with that setting of the device's configuration the other way: no manifest says how it was set. */
  readonly otherwise?: { readonly setting: string; readonly reading: Omit<MeterReading, "resolutionMwh"> };
}

/** The channels of a frame, or why it cannot be decoded without the device or its configuration. */
export type DecodedFrame =
  | { readonly channels: readonly DecodedChannel[] }
  | { readonly cannotDecode: string };
