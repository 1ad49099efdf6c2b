import { equalBytes } from "../../attest/bytes.ts";
import { openCheckpoint } from "../../attest/checkpoint.ts";
import { type LogIdentity, logIdOf } from "../../attest/identity.ts";
import type { ChannelManifest, EpochOpen, Leaf } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { nativeSuite } from "../../attest/native.ts";
import { rangeHash, STORED_SUBTREE_LEAVES } from "../../attest/node-source.ts";
import { Journal } from "./journal.ts";
import type { Carry, JournalReader } from "./journal-reader.ts";
import { lastReceipted } from "./last-receipted.ts";
import { journalTree } from "./proof-source.ts";
import { type Stretch, soundness } from "./sound-blocks.ts";

/** What a file that was set aside still has. */
export interface Salvaged extends Continued {
  /** The newest epoch that it had begun, signed or not. */
  readonly newestEpoch: number;
}

/** Which log an epoch continues, and which leaves of it are to be appended to it again. */
export interface Continued {
  readonly names: Pick<EpochOpen, "oldLogId" | "oldSize" | "oldRoot">;
  readonly oldEpoch: number;
  readonly leaves: Stretch;
}

type Device = Pick<LogIdentity, "network" | "deviceKey">;

/** Older checkpoints that are looked at when the newest ones do not stand for what a damaged file holds. */
const MOST_CHECKPOINTS = 32;

/**
 * What the epoch behind `epoch` continues: the log as a node last receipted it, and above that every leaf (evidence format,
 * "Breaks"). Where no node has receipted anything, only what was never signed: the rest stands by itself.
 */
export function continuedIn(journal: JournalReader, device: Device, epoch: number): Continued {
  return continuedUpTo(journal, { device, epoch }, journal.size(epoch));
}

/**
 * The same for a file that was set aside, of which only that is taken which a signature of this device vouches for: of its
 * newest epoch that was signed at all. What one behind it had taken over by then nobody has; it is taken over again.
 * Undefined where nothing of the kind can be read.
 */
export function salvaged(path: string, device: Device): Salvaged | undefined {
  try {
    const journal = new Journal(path, "reader");
    try {
      const epochs = journal.epochs();
      const epoch = epochs.find((one) => journal.lastCheckpoint(one) !== undefined) ?? 0;
      const signed = soundSize(journal, { ...device, epoch });
      if (signed === undefined) return undefined;
      return { ...continuedUpTo(journal, { device, epoch }, signed), newestEpoch: epochs[0] ?? epoch };
    } finally {
      journal.close();
    }
  } catch {
    // It is damaged: whatever shows on the way ends it.
    return undefined;
  }
}

function continuedUpTo(
  journal: JournalReader,
  { device, epoch }: { readonly device: Device; readonly epoch: number },
  end: number,
): Continued {
  const names = lastReceipted(journal, device);
  const inEpoch = journal.receiptedBy(epoch).map(({ size }) => size);
  const signed = journal.lastCheckpoint(epoch)?.size ?? 0;
  const from = names.oldLogId === undefined ? signed : Math.max(0, ...inEpoch);
  return { names, oldEpoch: epoch, leaves: { from: Math.min(from, end), to: end } };
}

/** The largest signed size for which the hashes of the file stand. */
function soundSize(journal: JournalReader, identity: LogIdentity): number | undefined {
  const { epoch, deviceKey } = identity;
  const logId = logIdOf(nativeSuite, identity);
  const tree = journalTree(journal, epoch);
  for (const { bytes } of journal.checkpointsDown(epoch, MOST_CHECKPOINTS)) {
    try {
      const { size, root } = openCheckpoint(nativeSuite, new Uint8Array(bytes), { deviceKey, logId });
      if (equalBytes(rangeHash(tree, 0, size), root)) return size;
    } catch {
      // Of another log, or over leaves that are not there any more: an older one may do.
    }
  }
  return undefined;
}

/** Leaves of an epoch that is over, in the journal itself or in one that was set aside. */
export class CarriedLeaves {
  readonly #journal: () => JournalReader;
  readonly #epoch: number;
  readonly #close: () => void;

  private constructor(journal: () => JournalReader, epoch: number, close: () => void) {
    this.#journal = journal;
    this.#epoch = epoch;
    this.#close = close;
  }

  /**
   * Throws `database-…` where the file that was set aside cannot be opened.
   *
   * @param journal as it is open whenever something is read
   */
  static open(journal: () => JournalReader, { path, oldEpoch }: Carry): CarriedLeaves {
    if (path === "") return new CarriedLeaves(journal, oldEpoch, () => undefined);
    const aside = new Journal(path, "reader");
    return new CarriedLeaves(
      () => aside,
      oldEpoch,
      () => aside.close(),
    );
  }

  /**
   * The leaves from `from` on, at most up to the end of their block and to `to`. Undefined where the block is not what
   * was sealed.
   */
  read({ from, to }: Stretch): { readonly leaves: Leaf[] | undefined; readonly to: number } {
    const journal = this.#journal();
    const complete = Math.floor(journal.size(this.#epoch) / STORED_SUBTREE_LEAVES);
    const position = Math.floor(from / STORED_SUBTREE_LEAVES);
    const end = Math.min(to, (position + 1) * STORED_SUBTREE_LEAVES);
    if (position < complete && soundness(journal, this.#epoch, position) === "damaged")
      return { leaves: undefined, to: end };
    return { leaves: journal.leaves(this.#epoch, from, end).map(decodeLeaf), to: end };
  }

  /** What the channels meant before that leaf. */
  manifestsBefore(seq: number): Map<number, ChannelManifest> {
    const found = new Map<number, ChannelManifest>();
    for (const from of this.#journal().channelManifestSeqs(this.#epoch)) {
      if (from >= seq) continue;
      const [leaf] = this.read({ from, to: from + 1 }).leaves ?? [];
      // Which channel it was of nobody can say any more.
      if (leaf?.kind !== "channelManifest") found.clear();
      else found.set(leaf.channel, leaf);
    }
    return found;
  }

  /** Whether a channel changed its meaning among those leaves. */
  hasManifests({ from, to }: Stretch): boolean {
    return this.#journal()
      .channelManifestSeqs(this.#epoch)
      .some((seq) => seq >= from && seq < to);
  }

  close(): void {
    this.#close();
  }
}
