import type { ChannelManifest } from "../../attest/leaf.ts";
import { Problem } from "../../attest/problem.ts";
import {
  type Commit,
  type Release,
  type SealedLeaf,
  type StoredSubtree,
  SUBTREE_LEAVES,
} from "../journal/journal.ts";

/** Leaves in their order, and what the channels meant before the first of them. */
export interface HeldLeaves {
  readonly manifests: ReadonlyMap<number, ChannelManifest>;
  readonly leaves: readonly SealedLeaf[];
}

/** Leaves that may wait for a failing disk before readings are refused. */
export const MOST_PENDING = 20_000;
/** Of the leaves that are written and not signed the newest are kept, in case the file is lost. */
const MOST_UNSIGNED = 4096;

/** What the disk has still to take, and the newest of what it took and nobody has signed for. */
export class Unwritten {
  #pending: SealedLeaf[] = [];
  #subtrees: StoredSubtree[] = [];
  #releases: Release[] = [];
  #unsigned: SealedLeaf[] = [];
  readonly #manifests: Map<number, ChannelManifest>;

  /** @param manifests what the channels mean before the first leaf to come */
  constructor(manifests: ReadonlyMap<number, ChannelManifest>) {
    this.#manifests = new Map(manifests);
  }

  get pending(): readonly SealedLeaf[] {
    return this.#pending;
  }

  /** Part of the room for leaves that wait which is taken: 0 to 1. */
  get fullness(): number {
    return this.#pending.length / MOST_PENDING;
  }

  /** Throws `journal-stuck` while too many wait. */
  requireRoom(): void {
    if (this.#pending.length < MOST_PENDING) return;
    throw new Problem(
      "journal-stuck",
      "too many leaves wait for the disk; readings are refused until it takes them",
      {
        expected: `at most ${MOST_PENDING}`,
        hint: "free space on the journal's file system or replace the card",
      },
    );
  }

  add(leaf: SealedLeaf): void {
    this.#pending.push(leaf);
  }

  addSubtree(subtree: StoredSubtree): void {
    this.#subtrees.push(subtree);
  }

  /** Goes with the next commit. */
  addRelease(release: Release): void {
    this.#releases.push(release);
  }

  /** What the next commit writes. */
  parts(): Required<Pick<Commit, "leaves" | "subtrees" | "releases">> {
    return { leaves: this.#pending, subtrees: this.#subtrees, releases: this.#releases };
  }

  /** The journal holds the first `size` leaves of the log. */
  written(size: number): void {
    const at = this.#pending.findIndex(({ leaf }) => leaf.seq >= size);
    const taken = at === -1 ? this.#pending : this.#pending.slice(0, at);
    this.#pending = at === -1 ? [] : this.#pending.slice(at);
    this.#subtrees = this.#subtrees.filter(({ position }) => (position + 1) * SUBTREE_LEAVES > size);
    this.#releases = [];
    this.#unsigned.push(...taken);
    this.#forget(Math.max(0, this.#unsigned.length - MOST_UNSIGNED));
  }

  /** A checkpoint over the first `size` leaves is durable. */
  signed(size: number): void {
    const at = this.#unsigned.findIndex(({ leaf }) => leaf.seq >= size);
    this.#forget(at === -1 ? this.#unsigned.length : at);
  }

  held(): HeldLeaves {
    return { manifests: this.#manifests, leaves: [...this.#unsigned, ...this.#pending] };
  }

  #forget(count: number): void {
    for (const { leaf } of this.#unsigned.splice(0, count))
      if (leaf.kind === "channelManifest") this.#manifests.set(leaf.channel, leaf);
  }
}
