import { leafSalt } from "../../attest/identity.ts";
import type { ChannelManifest, Leaf, Unplaced } from "../../attest/leaf.ts";
import { encodeLeaf } from "../../attest/leaf-codec.ts";
import type { LogRules } from "../../attest/log-rules.ts";
import { hmacSha256, nativeSuite } from "../../attest/native.ts";
import { Frontier } from "../../attest/tree.ts";
import { type Journal, type Release, SUBTREE_LEAVES } from "../journal/journal.ts";
import type { Carry } from "../journal/journal-reader.ts";
import { type HeldLeaves, Unwritten } from "./unwritten.ts";

export interface LogWriterOptions {
  readonly journal: Journal;
  readonly saltKey: Uint8Array;
  /** The log's rules as of its last durable leaf; empty for a new log. */
  readonly rules: LogRules;
  /** Hashes of the leaves behind the last complete subtree of 256. */
  readonly openBlock: readonly Uint8Array[];
}

/** How many leaves may have to be replayed at the next start. */
const SNAPSHOT_LEAVES = 2048;

/**
 * Gives leaves their place, their salt and their bytes, holds them to the rules of the log, and makes them durable
 * together. What a commit could not write waits for the next one.
 */
export class LogWriter {
  readonly #options: LogWriterOptions;
  readonly #unwritten: Unwritten;
  #journal: Journal;
  #block: Frontier;
  #durableSize: number;
  #snapshotSize: number;
  /** How far leaves of the epoch before have been appended again, with those that wait. */
  #carry: Carry | "done" | undefined;

  constructor(options: LogWriterOptions) {
    const { rules, openBlock } = options;
    this.#options = options;
    this.#journal = options.journal;
    this.#unwritten = new Unwritten(manifestsOf(rules));
    this.#block = new Frontier(nativeSuite);
    for (const hash of openBlock) this.#block.append(hash);
    this.#durableSize = rules.size;
    this.#snapshotSize = rules.size;
  }

  get journal(): Journal {
    return this.#journal;
  }

  /** Leaves that are durable in the journal. */
  get durableSize(): number {
    return this.#durableSize;
  }

  /** Leaves that wait for the next commit. */
  get pending(): readonly Leaf[] {
    return this.#unwritten.pending.map(({ leaf }) => leaf);
  }

  /** Part of the room for leaves that wait which is taken: 0 to 1. */
  get fullness(): number {
    return this.#unwritten.fullness;
  }

  /** Throws `journal-stuck` while too many leaves wait, or the name of the fault where the rules refuse it. */
  append(unplaced: Unplaced): void {
    const { rules, saltKey } = this.#options;
    this.#unwritten.requireRoom();
    const seq = rules.size;
    const salt = leafSalt(hmacSha256, { saltKey, logId: rules.logId, seq });
    const leaf: Leaf = { ...unplaced, seq, salt };
    const bytes = encodeLeaf(leaf);
    const hash = rules.apply(leaf, bytes);
    this.#unwritten.add({ leaf, bytes });
    this.#extendBlock(hash);
  }

  /** Whether something is released with the next commit. */
  get hasReleases(): boolean {
    return this.#unwritten.parts().releases.length > 0;
  }

  /** Goes with the next commit, in which the leaf that states it must be. */
  addRelease(release: Release): void {
    this.#unwritten.addRelease(release);
  }

  /** What of the epoch before has still to come behind the leaves that wait. */
  carryOn(carry: Carry | "done"): void {
    this.#carry = carry;
  }

  /** Makes everything durable. Throws what the database throws; the leaves then stay pending. */
  commit({ snapshot = false }: { readonly snapshot?: boolean } = {}): void {
    const { rules } = this.#options;
    const { leaves, subtrees, releases } = this.#unwritten.parts();
    const carry = this.#carry;
    // What was released cannot be replayed, so that the saved state must not be older.
    const forced = snapshot || carry !== undefined || releases.length > 0;
    const saves = forced || rules.size - this.#snapshotSize >= SNAPSHOT_LEAVES;
    if (leaves.length === 0 && !saves) return;
    try {
      this.#journal.commit({
        ...{ epoch: rules.identity.epoch, leaves, subtrees, releases },
        notes: saves ? { rules: rules.toText() } : {},
        ...(carry === undefined ? {} : { carry }),
      });
    } catch (cause) {
      if (leaves.length === 0 || !this.#isThere()) throw cause;
    }
    this.#written(rules.size);
    this.#carry = undefined;
    if (saves) this.#snapshotSize = rules.size;
  }

  /** A checkpoint over the first `size` leaves is durable. */
  signed(size: number): void {
    this.#unwritten.signed(size);
  }

  /** What would be lost with the journal's file: the leaves that nobody has signed for, as far as they are remembered. */
  held(): HeldLeaves {
    return this.#unwritten.held();
  }

  /** Goes on with a journal that holds the first `size` leaves: those that were durable, or those that waited, too. */
  resume(journal: Journal, size: number): void {
    this.#journal = journal;
    this.#written(size);
    this.#snapshotSize = 0;
  }

  /** What failed behind the commit left it as it is: all of the leaves are there, or none. */
  #isThere(): boolean {
    const { rules } = this.#options;
    try {
      return this.#journal.size(rules.identity.epoch) === rules.size;
    } catch {
      return false;
    }
  }

  #written(size: number): void {
    this.#unwritten.written(size);
    this.#durableSize = size;
  }

  #extendBlock(hash: Uint8Array): void {
    this.#block.append(hash);
    if (this.#block.size < SUBTREE_LEAVES) return;
    const { size } = this.#options.rules;
    this.#unwritten.addSubtree({ position: size / SUBTREE_LEAVES - 1, hash: this.#block.root() });
    this.#block = new Frontier(nativeSuite);
  }
}

function manifestsOf(rules: LogRules): Map<number, ChannelManifest> {
  return new Map([...rules.channels].map(([number, { manifest }]) => [number, manifest]));
}
