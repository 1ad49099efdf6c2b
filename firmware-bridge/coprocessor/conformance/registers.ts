import type { ChannelDescription } from "../../../drivers/driver.ts";
import { firstOf, pairs, type Seen } from "./seen.ts";

export const REGISTERS = ["importMwh", "exportMwh"] as const;
export type Register = (typeof REGISTERS)[number];

/** What is wrong with the registers by themselves. */
export function registersFault(
  described: readonly ChannelDescription[],
  seen: readonly Seen[],
): string | undefined {
  return firstOf(described, (channel) =>
    firstOf(REGISTERS, (key) => {
      const { name, resolutionMwh = 1 } = channel;
      const values = registerValues(channel, key, seen);
      const uneven = values.find((value) => value % resolutionMwh !== 0);
      if (uneven !== undefined)
        return `channel ${name}: ${key} ${uneven} is no multiple of the step ${resolutionMwh}`;
      const fall = pairs(values).find(([before, now]) => wentOn(channel, before, now) < 0);
      return fall === undefined ? undefined : `channel ${name}: ${key} fell from ${fall[0]} to ${fall[1]}`;
    }),
  );
}

/** By how much a register went on, mWh: one that wraps where it is described to has not fallen. */
export function wentOn({ rolloverMwh }: ChannelDescription, before: number, now: number): number {
  if (now >= before || rolloverMwh === undefined) return now - before;
  const wrapped = now - before + rolloverMwh;
  return wrapped >= 0 && wrapped < rolloverMwh / 2 ? wrapped : now - before;
}

function registerValues(
  { name }: ChannelDescription,
  key: Register,
  seen: readonly Seen[],
): readonly number[] {
  return seen.flatMap(({ snapshot }) =>
    snapshot.channels.flatMap(({ reading }) => (reading.channel === name ? (reading[key] ?? []) : [])),
  );
}
