import { concatBytes, equalBytes, readU64be, u64be } from "./bytes.ts";
import { Problem } from "./problem.ts";
import type { Suite } from "./suite.ts";
import { prefixedHash, rightmostPeaks } from "./tree-level.ts";
import { climbToLeftChild, climbToRightChild, isRightChild, type Path, parentOf } from "./tree-path.ts";

/**
 * The Merkle tree of RFC 6962, section 2.1, over SHA-256:
 *
 *     leaf    SHA-256(00 || leaf)
 *     node    SHA-256(01 || left || right), split at the largest power of two below the size
 *
 * Sizes go up to 2^53-1, so they are halved by arithmetic: the bit operators would cut them to 32 bits.
 */
export const HASH_BYTES = 32;
export const MAX_TREE_SIZE: number = Number.MAX_SAFE_INTEGER;
/** Levels of the largest tree: peaks of a frontier, hashes of one inclusion proof, depth of any recursion. */
export const MAX_TREE_DEPTH = 53;
const NOTHING: Uint8Array = new Uint8Array(0);
/** Fewer leaves than this are added faster one after another. */
const FEW_LEAVES = 4;

// Hashing is synchronous and keeps no reference to its input, so that one scratch array serves every node.
const nodeInput = new Uint8Array(1 + 2 * HASH_BYTES);
nodeInput[0] = 1;

/** Hash of one leaf's bytes, of any length: 32 bytes. */
export function leafHash(suite: Suite, leaf: Uint8Array): Uint8Array {
  return prefixedHash(suite, 0, leaf);
}

/** Hash over two hashes of 32 bytes: 32 bytes. */
export function nodeHash(suite: Suite, left: Uint8Array, right: Uint8Array): Uint8Array {
  nodeInput.set(left, 1);
  nodeInput.set(right, 1 + HASH_BYTES);
  return suite.sha256(nodeInput);
}

/** The largest power of two below a size of at least 2: where RFC 6962 splits a tree. */
export function splitPoint(size: number): number {
  return 2 ** (bitLength(size - 1) - 1);
}

/** Number of binary digits of an integer 0 to 2^53-1. */
export function bitLength(value: number): number {
  const high = Math.floor(value / 2 ** 32);
  return high > 0 ? 64 - Math.clz32(high) : 32 - Math.clz32(value);
}

export function isPowerOfTwo(size: number): boolean {
  return size === 2 ** (bitLength(size) - 1);
}

/** Whether a number can be the size of a tree that has a root: an integer 1 to 2^53-1. */
export function isTreeSize(size: number): boolean {
  return Number.isSafeInteger(size) && size > 0;
}

/**
 * All that has to be kept of a log to append to it and to know its root: one hash for each binary 1 in the
 * size, of complete subtrees, largest first. Clone it to try a batch; drop the clone to forget it.
 */
export class Frontier {
  readonly #suite: Suite;
  #size: number;
  /** The hashes back to back, and room for more: an array for each would cost several times its content. */
  #peaks: Uint8Array<ArrayBufferLike>;
  #count: number;

  /**
   * @param peaks one hash of 32 bytes for each binary 1 in the size, largest subtree first
   * @throws Problem `tree-frontier`
   */
  constructor(suite: Suite, size = 0, peaks: readonly Uint8Array[] = []) {
    requirePeaks(size, peaks);
    this.#suite = suite;
    this.#size = size;
    this.#peaks = peaks.length === 0 ? NOTHING : concatBytes(...peaks);
    this.#count = peaks.length;
  }

  get size(): number {
    return this.#size;
  }

  /** The hashes of the complete subtrees, largest first; at most 53. */
  get hashes(): readonly Uint8Array[] {
    return Array.from({ length: this.#count }, (_, at) => this.#peak(at).slice());
  }

  clone(): Frontier {
    const copy = new Frontier(this.#suite);
    copy.#size = this.#size;
    copy.#count = this.#count;
    copy.#peaks = this.#held();
    return copy;
  }

  /**
   * Adds one leaf by its hash.
   * @throws Problem `tree-full` at size 2^53-1, `tree-hash` unless the hash has 32 bytes
   */
  append(hash: Uint8Array): void {
    if (this.#size >= MAX_TREE_SIZE) throw treeFull();
    requireHash(hash);
    let merged = hash;
    for (let rest = this.#size; rest % 2 === 1; rest = (rest - 1) / 2) {
      this.#count -= 1;
      merged = nodeHash(this.#suite, this.#peak(this.#count), merged);
    }
    this.#push(merged);
    this.#size += 1;
  }

  /**
   * Adds leaves by their hashes, 32 bytes each, back to back: level by level what one after another would give.
   * @throws Problem `tree-full` beyond size 2^53-1, `tree-hash` unless the hashes have 32 bytes each
   */
  appendAll(hashes: Uint8Array): void {
    const added = hashes.length / HASH_BYTES;
    if (!Number.isInteger(added)) throw wrongHash(hashes.length % HASH_BYTES);
    if (this.#size + added > MAX_TREE_SIZE) throw treeFull();
    if (added < FEW_LEAVES) {
      for (let at = 0; at < hashes.length; at += HASH_BYTES)
        this.append(hashes.subarray(at, at + HASH_BYTES));
      return;
    }
    const popLeft = (into: Uint8Array): void => {
      this.#count -= 1;
      into.set(this.#peak(this.#count));
    };
    const grown = rightmostPeaks(this.#suite, { first: this.#size, hashes, popLeft });
    this.#peaks = concatBytes(this.#held(), ...grown);
    this.#count += grown.length;
    this.#size += added;
  }

  /**
   * The Merkle tree hash (RFC 6962, 2.1): 32 bytes.
   * @throws Problem `tree-empty` at size 0, over which nothing may ever be signed
   */
  root(): Uint8Array {
    if (this.#count === 0) throw new Problem("tree-empty", "an empty log has no root to sign");
    let root: Uint8Array = this.#peak(this.#count - 1).slice();
    for (let at = this.#count - 2; at >= 0; at--) root = nodeHash(this.#suite, this.#peak(at), root);
    return root;
  }

  /** u64be size || hashes: 8 + 32 bytes for each binary 1 in the size. */
  toBytes(): Uint8Array {
    return concatBytes(u64be(this.#size), this.#held());
  }

  /**
   * Reads what {@link Frontier.toBytes} wrote.
   * @throws Problem `tree-frontier`, `bytes-short`, `bytes-integer`
   */
  static fromBytes(suite: Suite, bytes: Uint8Array): Frontier {
    const size = readU64be(bytes);
    const peaks: Uint8Array[] = [];
    for (let at = 8; at < bytes.length; at += HASH_BYTES) peaks.push(bytes.subarray(at, at + HASH_BYTES));
    return new Frontier(suite, size, peaks);
  }

  #held(): Uint8Array {
    return this.#peaks.slice(0, HASH_BYTES * this.#count);
  }

  #peak(at: number): Uint8Array {
    return this.#peaks.subarray(HASH_BYTES * at, HASH_BYTES * (at + 1));
  }

  #push(hash: Uint8Array): void {
    const at = HASH_BYTES * this.#count;
    if (at === this.#peaks.length) {
      // By one: a log has seldom more peaks than it ever had, and frontiers are kept by the thousand.
      this.#peaks = concatBytes(this.#peaks, hash);
    } else {
      this.#peaks.set(hash, at);
    }
    this.#count += 1;
  }
}

function treeFull(): Problem {
  return new Problem("tree-full", "the log holds 2^53-1 leaves");
}

function requirePeaks(size: number, peaks: readonly Uint8Array[]): void {
  const expected = size === 0 || isTreeSize(size) ? countOnes(size) : undefined;
  if (peaks.length === expected && peaks.every((peak) => peak.length === HASH_BYTES)) return;
  throw new Problem("tree-frontier", `not a frontier of ${size} leaves`, {
    expected: expected === undefined ? "a size of 0 to 2^53-1" : `${expected} hashes of ${HASH_BYTES} bytes`,
    got: `hashes of ${peaks.map((peak) => peak.length).join(", ") || "no"} bytes`,
  });
}

function countOnes(value: number): number {
  let ones = 0;
  for (let rest = value; rest > 0; rest = Math.floor(rest / 2)) ones += rest % 2;
  return ones;
}

/**
 * Refuses a hash that is not 32 bytes long.
 * @throws Problem `tree-hash`
 */
export function requireHash(hash: Uint8Array): void {
  if (hash.length !== HASH_BYTES) throw wrongHash(hash.length);
}

function wrongHash(length: number): Problem {
  return new Problem("tree-hash", "wrong length of a hash", {
    expected: `${HASH_BYTES} bytes`,
    got: String(length),
  });
}

/** Everything of one inclusion proof (RFC 9162, 2.1.3). */
export interface InclusionClaim {
  /** From 0. */
  readonly leafIndex: number;
  readonly treeSize: number;
  readonly leafHash: Uint8Array;
  /** Sibling hashes, the leaf's own first. */
  readonly proof: readonly Uint8Array[];
  readonly root: Uint8Array;
}

/** Whether the leaf is at that index under that root (RFC 9162, 2.1.3.2). False for anything malformed. */
export function verifyInclusion(suite: Suite, claim: InclusionClaim): boolean {
  const { leafIndex, treeSize, proof, root } = claim;
  if (!isTreeSize(treeSize) || !isLeafIndex(leafIndex, treeSize)) return false;
  if (!areHashes([claim.leafHash, root], proof)) return false;
  let path = { node: leafIndex, last: treeSize - 1 };
  let hash = claim.leafHash;
  for (const sibling of proof) {
    if (path.last === 0) return false;
    if (isRightChild(path)) {
      hash = nodeHash(suite, sibling, hash);
      path = climbToRightChild(path);
    } else {
      hash = nodeHash(suite, hash, sibling);
    }
    path = parentOf(path);
  }
  return path.last === 0 && equalBytes(hash, root);
}

/** Everything of one consistency proof (RFC 9162, 2.1.4). */
export interface ConsistencyClaim {
  readonly size1: number;
  readonly size2: number;
  readonly root1: Uint8Array;
  readonly root2: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

/**
 * Whether the tree of size2 begins with the tree of size1 (RFC 9162, 2.1.4.2). Equal sizes take an empty proof
 * and equal roots; an empty first tree is refused, because every tree begins with it. False for anything
 * malformed.
 */
export function verifyConsistency(suite: Suite, claim: ConsistencyClaim): boolean {
  const { size1, size2, root1, root2, proof } = claim;
  if (!isTreeSize(size1) || !isTreeSize(size2) || size1 > size2) return false;
  if (!areHashes([root1, root2], proof)) return false;
  if (size1 === size2) return proof.length === 0 && equalBytes(root1, root2);
  const [seed, ...siblings] = isPowerOfTwo(size1) ? [root1, ...proof] : proof;
  if (seed === undefined) return false;
  const start = climbToLeftChild({ node: size1 - 1, last: size2 - 1 });
  const roots = foldConsistency(suite, { start, seed, siblings });
  return roots !== undefined && equalBytes(roots.first, root1) && equalBytes(roots.second, root2);
}

interface ConsistencyPath {
  readonly start: Path;
  readonly seed: Uint8Array;
  readonly siblings: readonly Uint8Array[];
}

/** Steps 5 to 7 of RFC 9162, 2.1.4.2: both roots that the path leads to, or undefined if its length is wrong. */
function foldConsistency(
  suite: Suite,
  { start, seed, siblings }: ConsistencyPath,
): { readonly first: Uint8Array; readonly second: Uint8Array } | undefined {
  let path = start;
  let first = seed;
  let second = seed;
  for (const sibling of siblings) {
    if (path.last === 0) return undefined;
    if (isRightChild(path)) {
      first = nodeHash(suite, sibling, first);
      second = nodeHash(suite, sibling, second);
      path = climbToRightChild(path);
    } else {
      second = nodeHash(suite, second, sibling);
    }
    path = parentOf(path);
  }
  return path.last === 0 ? { first, second } : undefined;
}

/** Whether a number can be the index of a leaf in a tree of that size. */
export function isLeafIndex(index: number, size: number): boolean {
  return Number.isSafeInteger(index) && index >= 0 && index < size;
}

function areHashes(fixed: readonly Uint8Array[], proof: readonly Uint8Array[]): boolean {
  if (proof.length > MAX_TREE_DEPTH + 1) return false;
  return [...fixed, ...proof].every((hash) => hash.length === HASH_BYTES);
}
