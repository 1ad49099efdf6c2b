import type { ChannelState } from "../../attest/channel-state.ts";
import type { FlexChannel } from "./host.ts";

/** What the configuration says of a device's channels, by the driver's names of them. */
export interface NamedDevice {
  readonly id: string;
  readonly channels: Readonly<Record<string, { readonly name?: string }>>;
}

/** Which device stands behind each channel of a log, by the channel's name in it; a channel without one is left out. */
export function flexChannels(
  channels: ReadonlyMap<number, Pick<ChannelState, "manifest">>,
  devices: readonly NamedDevice[],
): FlexChannel[] {
  return [...channels].flatMap(([number, { manifest }]) => {
    const found = devices.flatMap((device) => placeOf(device, manifest.name) ?? [])[0];
    return found === undefined ? [] : [{ ...found, number }];
  });
}

function placeOf({ id, channels }: NamedDevice, name: string): Omit<FlexChannel, "number"> | undefined {
  const named = Object.entries(channels).find(([, { name: given }]) => given === name)?.[0];
  if (named !== undefined) return { device: id, channel: named };
  const own = name.startsWith(`${id}/`) ? name.slice(id.length + 1) : undefined;
  // A channel that was given another name does not go by its own any more.
  return own === undefined || channels[own]?.name !== undefined ? undefined : { device: id, channel: own };
}
