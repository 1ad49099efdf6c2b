import { isoTime } from "../../attest/iso-time.ts";
import { Problem } from "../../attest/problem.ts";
import { type HeldEpoch, reachOf } from "./held-epochs.ts";
import type { JournalReader, TimedLeaf } from "./journal-reader.ts";

/** A flexibility reading by its place in the journal and its time. */
export interface FoundReading extends TimedLeaf {
  readonly held: HeldEpoch;
}

/**
 * The channel's last flexibility reading at or before `atMs`, in whichever epoch. Throws `proof-no-reading` with the
 * first one after it, or with the channels that have any.
 *
 * @param epochs what the journal holds, newest first
 */
export function flexibilityAt(
  journal: JournalReader,
  epochs: readonly HeldEpoch[],
  wanted: { readonly channel: string; readonly atMs: number },
): FoundReading {
  const { channel, atMs } = wanted;
  const latest = each(journal, epochs, { side: "before", channel, ms: atMs }).reduce<
    FoundReading | undefined
  >((best, found) => (best === undefined || found.ms > best.ms ? found : best), undefined);
  if (latest !== undefined) return latest;
  const later = each(journal, epochs, { side: "after", channel, ms: atMs }).map(({ ms }) => ms);
  throw new Problem("proof-no-reading", "the channel has no flexibility reading at or before that time", {
    where: `channel ${channel}`,
    ...(later.length === 0
      ? { hint: `channels that have one: ${withAny(journal, epochs).join(", ") || "none"}` }
      : { expected: `${isoTime(Math.min(...later))}, the first one, or later` }),
    got: isoTime(atMs),
  });
}

interface Side {
  readonly side: "before" | "after";
  readonly channel: string;
  readonly ms: number;
}

/** The nearest reading of each epoch. */
function each(
  journal: JournalReader,
  epochs: readonly HeldEpoch[],
  { side, channel, ms }: Side,
): FoundReading[] {
  return epochs.flatMap((held) => {
    const reach = reachOf(held, channel);
    const found = reach && journal.flexibility(side, reach, ms);
    return found === undefined ? [] : [{ ...found, held }];
  });
}

function withAny(journal: JournalReader, epochs: readonly HeldEpoch[]): string[] {
  const names = new Set(epochs.flatMap(({ channels }) => [...channels.keys()]));
  return [...names].filter(
    (channel) => each(journal, epochs, { side: "before", channel, ms: Number.MAX_SAFE_INTEGER }).length > 0,
  );
}
