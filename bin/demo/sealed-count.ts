import { Journal } from "../../agent/journal/journal.ts";
import type { ChannelManifest, Leaf, ReadingLeaf } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";

const PAGE_LEAVES = 1000;

/** What the journal holds of one channel. */
export interface SealedChannel {
  readonly manifest: ChannelManifest;
  /** Readings that are durable. */
  readonly sealed: number;
  /** Readings under a size that the node has receipted. */
  readonly receipted: number;
  readonly last?: ReadingLeaf;
}

interface EpochPlace {
  at: number;
  readonly names: Map<number, string>;
  /** Readings that no receipt covers yet, oldest first. */
  waiting: { readonly seq: number; readonly name: string }[];
}

interface Counted {
  manifest: ChannelManifest;
  sealed: number;
  receipted: number;
  last?: ReadingLeaf;
}

/** Counts the reading leaves of an agent's journal, leaf by leaf, also while the agent writes it. */
export class SealedCount {
  readonly #journal: Journal;
  readonly #nodeKey: Uint8Array;
  readonly #epochs = new Map<number, EpochPlace>();
  readonly #channels = new Map<string, Counted>();

  /** Throws what opening a journal throws. */
  constructor(journalPath: string, nodeKey: Uint8Array) {
    this.#journal = new Journal(journalPath, "reader");
    this.#nodeKey = nodeKey;
  }

  /** Takes up what has been written since. */
  refresh(): void {
    const newest = Number(this.#journal.note("epoch") ?? 0);
    for (let epoch = 1; epoch <= newest; epoch += 1) this.#refreshEpoch(epoch);
  }

  get channels(): readonly SealedChannel[] {
    return [...this.#channels.values()];
  }

  get sealed(): number {
    return this.channels.reduce((sum, channel) => sum + channel.sealed, 0);
  }

  get receipted(): number {
    return this.channels.reduce((sum, channel) => sum + channel.receipted, 0);
  }

  /** Up to which size the node's receipts of an epoch reach, as the journal holds them. */
  receiptedSize(epoch: number): number {
    return this.#journal.receiptedSize(epoch, this.#nodeKey);
  }

  close(): void {
    this.#journal.close();
  }

  #refreshEpoch(epoch: number): void {
    const place = this.#epochs.get(epoch) ?? { at: 0, names: new Map<number, string>(), waiting: [] };
    this.#epochs.set(epoch, place);
    const size = this.#journal.size(epoch);
    while (place.at < size) {
      const to = Math.min(place.at + PAGE_LEAVES, size);
      for (const bytes of this.#journal.leaves(epoch, place.at, to)) this.#take(place, decodeLeaf(bytes));
      place.at = to;
    }
    const receipted = this.receiptedSize(epoch);
    const open = place.waiting.findIndex(({ seq }) => seq >= receipted);
    const covered = place.waiting.splice(0, open === -1 ? place.waiting.length : open);
    for (const { name } of covered) this.#counted(name).receipted += 1;
  }

  #take(place: EpochPlace, leaf: Leaf): void {
    if (leaf.kind === "channelManifest") {
      place.names.set(leaf.channel, leaf.name);
      const known = this.#channels.get(leaf.name);
      this.#channels.set(leaf.name, { sealed: 0, receipted: 0, ...known, manifest: leaf });
    }
    if (leaf.kind !== "reading") return;
    const name = place.names.get(leaf.channel) ?? "";
    const counted = this.#counted(name);
    counted.sealed += 1;
    counted.last = leaf;
    place.waiting.push({ seq: leaf.seq, name });
  }

  /** The log's rules have every reading behind the manifest of its channel. */
  #counted(name: string): Counted {
    const counted = this.#channels.get(name);
    if (counted === undefined) throw new Error(`the journal has a reading before the manifest of ${name}`);
    return counted;
  }
}
