import { LruCache } from "./lru-cache.ts";
import { Problem } from "./problem.ts";
import type { Suite } from "./suite.ts";
import {
  bitLength,
  HASH_BYTES,
  isLeafIndex,
  isPowerOfTwo,
  isTreeSize,
  nodeHash,
  splitPoint,
} from "./tree.ts";

/** Where the prover's side takes its hashes from: a journal, a node's store, or an array in a test. */
export interface NodeSource {
  readonly suite: Suite;
  /** Number of leaves. May grow between calls; what it once returned never changes. */
  readonly size: number;
  /**
   * Hash of the complete subtree of 2^level leaves that starts at leaf index * 2^level. Asked only for
   * subtrees that end at or below the size.
   */
  subtree(level: number, index: number): Uint8Array;
}

/**
 * MTH(D[from:to]) of RFC 6962, 2.1: the hash over the leaves from..to-1 of a range that is a node of some tree,
 * so that `from` is a multiple of the largest power of two that fits into the range.
 * @throws Problem `tree-range`
 */
export function rangeHash(source: NodeSource, from: number, to: number): Uint8Array {
  requireRange(source, from, to);
  return hashRange(source, from, to);
}

function hashRange(source: NodeSource, from: number, to: number): Uint8Array {
  const length = to - from;
  if (isPowerOfTwo(length)) return source.subtree(bitLength(length) - 1, from / length);
  const middle = from + splitPoint(length);
  return nodeHash(source.suite, hashRange(source, from, middle), hashRange(source, middle, to));
}

function requireRange(source: NodeSource, from: number, to: number): void {
  const length = to - from;
  const inside = from >= 0 && to <= source.size && isTreeSize(length) && Number.isSafeInteger(from);
  if (inside && from % 2 ** (bitLength(length) - 1) === 0) return;
  throw new Problem("tree-range", "not a range of leaves that has a hash", {
    expected: `an aligned range within ${source.size} leaves`,
    got: `${from} to ${to}`,
  });
}

/**
 * PATH(m, D[size]) of RFC 6962, 2.1.1: sibling hashes from the leaf up to the root of the tree of that size,
 * which may be an earlier one.
 * @throws Problem `tree-range`
 */
export function inclusionProof(source: NodeSource, size: number, leafIndex: number): Uint8Array[] {
  requireRange(source, 0, size);
  requireLeafIndex(leafIndex, size);
  const fromTop: Uint8Array[] = [];
  let from = 0;
  let to = size;
  while (to - from > 1) {
    const middle = from + splitPoint(to - from);
    if (leafIndex < middle) {
      fromTop.push(hashRange(source, middle, to));
      to = middle;
    } else {
      fromTop.push(hashRange(source, from, middle));
      from = middle;
    }
  }
  return fromTop.reverse();
}

/**
 * Refuses an index that is no leaf of a tree of that size.
 * @throws Problem `tree-range`
 */
function requireLeafIndex(index: number, size: number): void {
  if (isLeafIndex(index, size)) return;
  throw new Problem("tree-range", "no such leaf", { expected: `0 to ${size - 1}`, got: String(index) });
}

/**
 * PROOF(size1, D[size2]) of RFC 6962, 2.1.2. Empty for equal sizes.
 * @throws Problem `tree-range` unless 1 <= size1 <= size2 <= the source's size
 */
export function consistencyProof(source: NodeSource, size1: number, size2: number): Uint8Array[] {
  requireRange(source, 0, size2);
  requireLeafIndex(size1 - 1, size2);
  const fromTop: Uint8Array[] = [];
  let from = 0;
  let to = size2;
  while (size1 < to) {
    const middle = from + splitPoint(to - from);
    if (size1 <= middle) {
      fromTop.push(hashRange(source, middle, to));
      to = middle;
    } else {
      fromTop.push(hashRange(source, from, middle));
      from = middle;
    }
  }
  // From leaf 0 on the last subtree is the whole first tree, whose root the verifier already has.
  if (from > 0) fromTop.push(hashRange(source, from, to));
  return fromTop.reverse();
}

/** Level of the stored subtrees: 256 leaves each. */
export const STORED_LEVEL = 8;
export const STORED_SUBTREE_LEAVES: number = 2 ** STORED_LEVEL;

/** Below this level above the stored ones, 15 hashes and 16 look-ups give the node again. */
const MEMO_LEVEL = 12;
/** Enough for every node from that level up in a log of 33 million leaves, a year at one a second. */
const MEMO_NODES = 16_384;

/** What a journal or a node keeps of a log. */
export interface SubtreeStore {
  /** Number of leaves now. */
  readonly size: () => number;
  /** Hash of the complete subtree over leaves index * 256 to index * 256 + 255, if it was stored. */
  readonly stored: (index: number) => Uint8Array | undefined;
  /** Hashes of the leaves from..to-1, at most 256 of them. */
  readonly leafHashes: (from: number, to: number) => readonly Uint8Array[];
}

/** A {@link NodeSource} over stored subtrees of 256 leaves and leaf hashes; higher levels are computed. */
export class SubtreeSource implements NodeSource {
  readonly suite: Suite;
  readonly #store: SubtreeStore;
  readonly #memo = new LruCache<number, Uint8Array>(MEMO_NODES);

  constructor(suite: Suite, store: SubtreeStore) {
    this.suite = suite;
    this.#store = store;
  }

  get size(): number {
    return this.#store.size();
  }

  /**
   * @throws Problem `tree-range` for a subtree that is not complete, `tree-node-missing` where the store gave
   * too few leaf hashes or one that is not 32 bytes
   */
  subtree(level: number, index: number): Uint8Array {
    requireRange(this, index * 2 ** level, (index + 1) * 2 ** level);
    return this.#node(level, index);
  }

  #node(level: number, index: number): Uint8Array {
    if (level < STORED_LEVEL) return this.#fromLeaves(level, index);
    if (level === STORED_LEVEL) return this.#stored(index) ?? this.#fromLeaves(level, index);
    return level < MEMO_LEVEL ? this.#fromChildren(level, index) : this.#remembered(level, index);
  }

  #stored(index: number): Uint8Array | undefined {
    const hash = this.#store.stored(index);
    if (hash !== undefined) requireNodes([hash], 1, `subtree ${index} of ${STORED_SUBTREE_LEAVES} leaves`);
    return hash;
  }

  #fromLeaves(level: number, index: number): Uint8Array {
    const from = index * 2 ** level;
    const to = from + 2 ** level;
    const hashes = this.#store.leafHashes(from, to);
    requireNodes(hashes, to - from, `leaves ${from} to ${to - 1}`);
    return foldComplete(this.suite, hashes);
  }

  #fromChildren(level: number, index: number): Uint8Array {
    const left = this.#node(level - 1, 2 * index);
    return nodeHash(this.suite, left, this.#node(level - 1, 2 * index + 1));
  }

  /** A complete subtree never changes, so what was computed once stays true. */
  #remembered(level: number, index: number): Uint8Array {
    const name = index * 64 + level; // index is below 2^41 here
    return this.#memo.getOrCompute(name, () => this.#fromChildren(level, index));
  }
}

/** The root over 2^n hashes of one level. */
function foldComplete(suite: Suite, hashes: readonly Uint8Array[]): Uint8Array {
  let level = hashes;
  while (level.length > 1) level = parentsOf(suite, level);
  return level[0] ?? new Uint8Array(0);
}

function parentsOf(suite: Suite, children: readonly Uint8Array[]): Uint8Array[] {
  const parents: Uint8Array[] = [];
  let left: Uint8Array | undefined;
  for (const child of children) {
    if (left === undefined) left = child;
    else {
      parents.push(nodeHash(suite, left, child));
      left = undefined;
    }
  }
  return parents;
}

function requireNodes(hashes: readonly Uint8Array[], count: number, where: string): void {
  if (hashes.length === count && hashes.every((hash) => hash.length === HASH_BYTES)) return;
  throw new Problem("tree-node-missing", "the store does not hold these hashes", {
    where,
    expected: `${count} of ${HASH_BYTES} bytes`,
    got: `${hashes.filter((hash) => hash.length === HASH_BYTES).length}`,
    hint: "thinned leaves can be proven only through subtrees that were kept whole",
  });
}
