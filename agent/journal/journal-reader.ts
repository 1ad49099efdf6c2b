import { concatBytes, fromHex } from "../../attest/bytes.ts";
import type { Leaf } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { Problem } from "../../attest/problem.ts";
import type { SqliteDatabase } from "../../runtime/database.ts";
import { JournalRows } from "./journal-rows.ts";
import { requireSound, type Stretch } from "./sound-blocks.ts";

/** Leaves and the checkpoint that covers them, as the uplink sends them. */
export interface JournalBatch {
  readonly firstSeq: number;
  readonly size: number;
  readonly leaves: Uint8Array;
  readonly checkpoint: Uint8Array;
}

/** One channel of one epoch, as far as its first `size` leaves go. */
export interface ChannelReach {
  readonly epoch: number;
  readonly channel: number;
  readonly size: number;
}

/** Where closes begin and end, ms since 1970, ascending. */
export interface CloseBoundaries {
  readonly begins: readonly number[];
  readonly ends: readonly number[];
}

/** A leaf by its place and its time. */
export interface TimedLeaf {
  readonly seq: number;
  readonly ms: number;
}

interface SizedRow {
  readonly size: number;
  readonly bytes: Uint8Array;
}

/** Everything that can be asked of a journal. */
export class JournalReader {
  readonly path: string;
  protected readonly rows: JournalRows;

  constructor(path: string, database: SqliteDatabase) {
    this.path = path;
    this.rows = new JournalRows(database);
  }

  /** What showed the file to be damaged or its device to fail; undefined while nothing did. */
  get fault(): unknown {
    return this.rows.fault;
  }

  /** Remembers what showed otherwise that the journal does not hold what was sealed. */
  blame(cause: unknown): void {
    this.rows.blame(cause);
  }

  /** Reads the journal as it stands at one instant, although its owner may be writing. */
  atOnce<T>(read: () => T): T {
    return this.rows.atOnce(read);
  }

  note(name: string): string | undefined {
    return this.rows.one<{ value: string }>("getNote", { name })?.value;
  }

  /** Number of durable leaves of the epoch. */
  size(epoch: number): number {
    return this.rows.one<{ size: number }>("size", { epoch })?.size ?? 0;
  }

  /** Bytes of the leaves from..to-1, in order. */
  leaves(epoch: number, from: number, to: number): Uint8Array[] {
    return this.rows
      .all<{ bytes: Uint8Array }>("leaves", { epoch, from, to })
      .map(({ bytes }) => new Uint8Array(bytes));
  }

  /** The leaves at those places, decoded; what is not held is left out. */
  leavesAt(epoch: number, seqs: readonly number[]): Leaf[] {
    return seqs.flatMap((seq) => this.leaves(epoch, seq, seq + 1).map((bytes) => decodeLeaf(bytes)));
  }

  lastCheckpoint(epoch: number): SizedRow | undefined {
    return this.rows.one<SizedRow>("lastCheckpoint", { epoch });
  }

  /** The newest checkpoints of the epoch, newest first. */
  checkpointsDown(epoch: number, limit: number): SizedRow[] {
    return this.rows.all<SizedRow>("checkpointsDown", { epoch, limit });
  }

  checkpointAt(epoch: number, size: number): Uint8Array | undefined {
    return this.rows.one<SizedRow>("checkpointAt", { epoch, size })?.bytes;
  }

  /** Up to which size the node has receipted this epoch; 0 for never. */
  receiptedSize(epoch: number, nodeKey: Uint8Array): number {
    return this.rows.one<{ size: number }>("receiptedSize", { epoch, nodeKey })?.size ?? 0;
  }

  /** Keys of all nodes whose receipts the journal holds, in any epoch. */
  receiptNodes(): Uint8Array[] {
    return this.rows
      .all<{ nodeKey: Uint8Array }>("receiptNodes", {})
      .map(({ nodeKey }) => new Uint8Array(nodeKey));
  }

  /**
   * The next batch for a node that holds `from` leaves: up to `most` leaves, and as many checkpoints in one as
   * fit; at least up to the next checkpoint. Undefined when nothing signed lies beyond. Throws `journal-released`
   * where leaves of it are gone, and `journal-damaged` where they are not those that were sealed.
   */
  batchAfter(epoch: number, from: number, most: number): JournalBatch | undefined {
    const within = this.rows.one<SizedRow>("checkpointWithin", { epoch, from, to: from + most });
    const row = within ?? this.rows.one<SizedRow>("checkpointAfter", { epoch, from });
    if (row === undefined) return undefined;
    const leaves = concatBytes(...this.#wholeLeaves(epoch, { from, to: row.size }));
    return { firstSeq: from, size: row.size, leaves, checkpoint: new Uint8Array(row.bytes) };
  }

  /** The smallest receipted checkpoint over more than `seq` leaves with its receipts, else the smallest one. */
  checkpointOver(epoch: number, seq: number): { bytes: Uint8Array; receipts: Uint8Array[] } | undefined {
    const receipted =
      this.rows.one<{ size: number | null }>("receiptedAfter", { epoch, from: seq })?.size ?? undefined;
    const bytes =
      receipted === undefined
        ? this.rows.one<SizedRow>("checkpointAfter", { epoch, from: seq })?.bytes
        : this.checkpointAt(epoch, receipted);
    if (bytes === undefined) return undefined;
    return {
      bytes: new Uint8Array(bytes),
      receipts: receipted === undefined ? [] : this.#receiptsAt(epoch, receipted),
    };
  }

  /** The checkpoint of exactly this size, with its receipts. */
  keptCheckpoint(
    epoch: number,
    size: number,
  ): { readonly bytes: Uint8Array; readonly receipts: readonly Uint8Array[] } | undefined {
    const bytes = this.checkpointAt(epoch, size);
    return bytes && { bytes, receipts: this.#receiptsAt(epoch, size) };
  }

  receiptByHash(hash: Uint8Array): Uint8Array | undefined {
    const row = this.rows.one<{ bytes: Uint8Array }>("receiptByHash", { hash });
    return row === undefined ? undefined : new Uint8Array(row.bytes);
  }

  /** The receipt over the most leaves of the newest epoch that has any. */
  newestReceipt(): { readonly epoch: number; readonly bytes: Uint8Array } | undefined {
    const row = this.rows.one<{ epoch: number; bytes: Uint8Array }>("newestReceipt", {});
    return row && { epoch: row.epoch, bytes: new Uint8Array(row.bytes) };
  }

  /** Epochs that the journal holds leaves of, newest first. */
  epochs(): number[] {
    return this.rows.all<{ epoch: number }>("epochs", {}).map(({ epoch }) => epoch);
  }

  /** Every channel manifest, ascending. */
  channelManifestSeqs(epoch: number): number[] {
    return this.rows.all<{ seq: number }>("channelManifests", { epoch }).map(({ seq }) => seq);
  }

  closeSeqs(epoch: number, span: { channel: number; fromMs: number; toMs: number }): number[] {
    return this.rows.all<{ seq: number }>("closes", { epoch, ...span }).map(({ seq }) => seq);
  }

  /** Leaves from offers to settlements whose time lies in [fromMs, toMs], by seq. */
  lifecycleSeqs(epoch: number, span: { readonly fromMs: number; readonly toMs: number }): number[] {
    return this.rows.all<{ seq: number }>("lifecycle", { epoch, ...span }).map(({ seq }) => seq);
  }

  /** A node's signed list of its dispatches under a commitment; undefined where none has come. */
  dispatchList(epoch: number, commitmentSeq: number): Uint8Array | undefined {
    const kept = this.note(dispatchListNote(epoch, commitmentSeq));
    return kept === undefined ? undefined : fromHex(kept, "dispatch list");
  }

  /** The newest closes of all channels among the first `size` leaves, newest first. */
  recentCloseSeqs(epoch: number, limit: number, size: number = Number.MAX_SAFE_INTEGER): number[] {
    return this.rows.all<{ seq: number }>("recentCloses", { epoch, limit, size }).map(({ seq }) => seq);
  }

  /** The begins of closes around `fromMs` and the ends of closes around `toMs`, at most two of each. */
  boundaries(reach: ChannelReach, span: { fromMs: number; toMs: number }): CloseBoundaries {
    const times = (name: string, ms: number): number[] =>
      this.rows.all<{ ms: number }>(name, { ...reach, ms }).map((row) => row.ms);
    return { begins: times("closeBegins", span.fromMs), ends: times("closeEnds", span.toMs) };
  }

  /** Where the channel's first close begins. */
  firstCloseBegin(reach: ChannelReach): number | undefined {
    return this.rows.one<{ ms: number }>("firstClose", reach)?.ms;
  }

  /** Where the last close ends of those that end at or before `ms`. */
  lastCloseEnd(reach: ChannelReach, ms: number): number | undefined {
    return this.rows.one<{ ms: number }>("lastClose", { ...reach, ms })?.ms;
  }

  /** The channel's last flexibility reading at or before `ms`, or its first one after it. */
  flexibility(side: "before" | "after", reach: ChannelReach, ms: number): TimedLeaf | undefined {
    const name = side === "before" ? "flexibilityBefore" : "flexibilityAfter";
    return this.rows.one<TimedLeaf>(name, { ...reach, ms });
  }

  anchorSeqBelow(epoch: number, seq: number): number | undefined {
    return this.rows.one<{ seq: number }>("anchorsBelow", { epoch, seq })?.seq;
  }

  subtree(epoch: number, position: number): Uint8Array | undefined {
    const row = this.rows.one<{ hash: Uint8Array }>("getSubtree", { epoch, position });
    return row === undefined ? undefined : new Uint8Array(row.hash);
  }

  /** The hash that stands for a subtree of released leaves; undefined unless there is one of just that place. */
  releasedHash(epoch: number, seq: number, level: number): Uint8Array | undefined {
    const row = this.rows.one<{ hash: Uint8Array }>("releasedHash", { epoch, seq, level });
    return row && new Uint8Array(row.hash);
  }

  /** The first leaf that no release has looked at yet: a multiple of the leaves of a stored subtree. */
  releasedTo(epoch: number): number {
    return this.rows.one<{ seq: number }>("releasedTo", { epoch })?.seq ?? 0;
  }

  /** Sizes that were signed, above `from` and up to `to`, ascending. */
  signedSizes(epoch: number, { from, to }: Stretch): number[] {
    return this.rows.all<{ size: number }>("signedSizes", { epoch, from, to }).map(({ size }) => size);
  }

  /** Nodes that have receipted the epoch, and up to which size. */
  receiptedBy(epoch: number): { readonly nodeKey: Uint8Array; readonly size: number }[] {
    return this.rows
      .all<{ nodeKey: Uint8Array; size: number }>("receiptedBy", { epoch })
      .map(({ nodeKey, size }) => ({ nodeKey: new Uint8Array(nodeKey), size }));
  }

  /** Reads the rows that stand beside those leaves, so that damage to them shows. */
  touch(epoch: number, { from, to }: Stretch): void {
    this.rows.one("touch", { epoch, from, to });
  }

  /** What the newest epoch has still to take over from the one before it. */
  carry(): Carry | undefined {
    return this.rows.one<Carry>("getCarry");
  }

  /** Nodes whose answer is not waited for in the epoch. */
  passedOver(epoch: number): Uint8Array[] {
    return this.rows
      .all<{ nodeKey: Uint8Array }>("passedOver", { epoch })
      .map(({ nodeKey }) => new Uint8Array(nodeKey));
  }

  #receiptsAt(epoch: number, size: number): Uint8Array[] {
    return this.rows
      .all<{ bytes: Uint8Array }>("receiptsAt", { epoch, size })
      .map(({ bytes }) => new Uint8Array(bytes));
  }

  #wholeLeaves(epoch: number, stretch: Stretch): Uint8Array[] {
    const { from, to } = stretch;
    const leaves = this.leaves(epoch, from, to);
    if (leaves.length < to - from) {
      throw new Problem("journal-released", "leaves that are asked for were released", {
        where: `leaf ${from} of epoch ${epoch}`,
        expected: `leaves ${from} to ${to - 1}`,
        got: `${leaves.length} of them`,
        hint: "only what every node had receipted is released: has a node lost its store, or was one added?",
      });
    }
    try {
      requireSound(this, epoch, stretch);
    } catch (cause) {
      this.rows.blame(cause);
      throw cause;
    }
    return leaves;
  }
}

/** Leaves of an earlier epoch that are still to be appended to a later one. */
export interface Carry {
  /** The epoch that takes them over. */
  readonly epoch: number;
  /** The journal that holds them, where that is a file that was set aside; else empty. */
  readonly path: string;
  readonly oldEpoch: number;
  readonly nextSeq: number;
  readonly endSeq: number;
}

/** The note that holds the list. */
export function dispatchListNote(epoch: number, commitmentSeq: number): string {
  return `dispatchList ${epoch} ${commitmentSeq}`;
}
