import type { ChannelState } from "../../attest/channel-state.ts";
import { manifestChange } from "./leaves.ts";
import type { LogWriter } from "./log-writer.ts";

/**
 * What kind of change a channel's newest manifest states. The one under which its last register was read lies in the log,
 * perhaps from before a restart.
 */
export function replacementCause(
  { journal, pending }: Pick<LogWriter, "journal" | "pending">,
  epoch: number,
  { last, manifest }: ChannelState,
): number {
  const durable = journal.leavesAt(epoch, journal.channelManifestSeqs(epoch));
  const before = [...durable, ...pending]
    .filter((leaf) => leaf.kind === "channelManifest")
    .findLast((leaf) => leaf.channel === manifest.channel && leaf.seq < (last?.seq ?? 0));
  return manifestChange(before ?? manifest, manifest);
}
