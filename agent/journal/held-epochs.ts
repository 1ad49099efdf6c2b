import { equalBytes } from "../../attest/bytes.ts";
import { type LogIdentity, logIdOf } from "../../attest/identity.ts";
import type { ChannelManifest } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { nativeSuite } from "../../attest/native.ts";
import { Problem } from "../../attest/problem.ts";
import { nearest } from "../../runtime/nearest.ts";
import type { ChannelReach, JournalReader } from "./journal-reader.ts";
import type { OpenedLog } from "./open-log.ts";

/** One epoch of the device's key that the journal holds. */
export interface HeldEpoch {
  readonly identity: LogIdentity;
  readonly logId: Uint8Array;
  /** Numbers of its channels, by name. */
  readonly channels: ReadonlyMap<string, number>;
  /** Leaves that are signed or will be: of an epoch that a later one follows, what no checkpoint covers is lost. */
  readonly size: number;
}

/** Every epoch of the device that the journal holds, newest first. */
export function heldEpochs(log: Pick<OpenedLog, "journal" | "identity" | "rules">): HeldEpoch[] {
  const { journal, identity, rules } = log;
  return journal.epochs().flatMap((epoch) => {
    const its = { ...identity, epoch };
    if (!isOwn(journal, its)) return [];
    const isNewest = epoch === identity.epoch;
    const manifests = isNewest
      ? [...rules.channels.values()].map(({ manifest }) => manifest)
      : manifestsOf(journal, epoch);
    return {
      identity: its,
      logId: logIdOf(nativeSuite, its),
      channels: new Map(manifests.map(({ name, channel }) => [name, channel])),
      size: isNewest ? Number.MAX_SAFE_INTEGER : (journal.lastCheckpoint(epoch)?.size ?? 0),
    };
  });
}

/** The named channel as far as it can be proven in that epoch; undefined when the epoch has none of that name. */
export function reachOf(held: HeldEpoch, name: string): ChannelReach | undefined {
  const channel = held.channels.get(name);
  return channel === undefined ? undefined : { epoch: held.identity.epoch, channel, size: held.size };
}

/**
 * The name of the channel that a user means: a name of any epoch, else a number as the newest epoch counts that has
 * it, else the only channel there is. Throws `channel-unknown` with those there are.
 */
export function channelNamed(epochs: readonly HeldEpoch[], wanted: string | undefined): string {
  const names = [...new Set(epochs.flatMap(({ channels }) => [...channels.keys()]))];
  const only = wanted === undefined && names.length === 1 ? names[0] : undefined;
  const chosen = only ?? names.find((name) => name === wanted) ?? nameOfNumber(epochs, wanted);
  if (chosen !== undefined) return chosen;
  const meant = wanted === undefined ? undefined : nearest(wanted, names);
  throw new Problem(
    "channel-unknown",
    wanted === undefined ? "say which channel with --channel" : "no such channel",
    {
      expected: names.join(", ") || "a channel that has been sealed",
      got: wanted ?? "nothing",
      ...(meant === undefined ? {} : { hint: `did you mean "${meant}"?` }),
    },
  );
}

function nameOfNumber(epochs: readonly HeldEpoch[], wanted: string | undefined): string | undefined {
  const pairs = epochs.flatMap(({ channels }) => [...channels]);
  return pairs.find(([, number]) => String(number) === wanted)?.[0];
}

/** Whoever puts another key beside a journal begins an epoch in it; the earlier ones are not this device's. */
function isOwn(journal: JournalReader, { network, deviceKey, epoch }: LogIdentity): boolean {
  return journal
    .leaves(epoch, 0, 1)
    .map(decodeLeaf)
    .some(
      (leaf) =>
        leaf.kind === "logManifest" && leaf.network === network && equalBytes(leaf.deviceKey, deviceKey),
    );
}

/** The manifest in force of each channel. */
function manifestsOf(journal: JournalReader, epoch: number): readonly ChannelManifest[] {
  const inForce = new Map<number, ChannelManifest>();
  for (const seq of journal.channelManifestSeqs(epoch)) {
    const [leaf] = journal.leaves(epoch, seq, seq + 1).map((bytes) => decodeLeaf(bytes));
    if (leaf?.kind === "channelManifest") inForce.set(leaf.channel, leaf);
  }
  return [...inForce.values()];
}
