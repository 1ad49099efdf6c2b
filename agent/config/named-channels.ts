import type { ControlSettings } from "../control/settings.ts";
import type { FlexibilityConfig } from "../flexibility/host.ts";

/** A channel that the configuration names outside of `devices`, by the driver's name of it. */
export interface NamedChannel {
  /** The key that names it. */
  readonly where: string;
  readonly device: string;
  readonly channel: string;
}

/** The channels of `control` and `flexibility`. Whether the devices have them is known once they answer. */
export function namedChannels({
  control,
  flexibility,
}: {
  readonly control?: ControlSettings | undefined;
  readonly flexibility?: FlexibilityConfig | undefined;
}): NamedChannel[] {
  const { siteMeter, resources = [] } = control ?? {};
  return [
    ...(siteMeter === undefined ? [] : [{ where: "control.siteMeter", ...siteMeter }]),
    ...resources.flatMap(({ device, channel }, index) =>
      channel === undefined ? [] : [{ where: `control.resources.${index}.channel`, device, channel }],
    ),
    ...(flexibility?.offers ?? []).map(({ device, channel }, index) => ({
      where: `flexibility.offers.${index}.resource`,
      ...{ device, channel },
    })),
  ].map(({ where, device, channel }) => ({ where, device, channel }));
}
