import { type NodeSource, rangeHash } from "./node-source.ts";
import { Problem } from "./problem.ts";
import type { Suite } from "./suite.ts";
import { HASH_BYTES, isLeafIndex, isTreeSize, MAX_TREE_DEPTH, nodeHash, splitPoint } from "./tree.ts";

/**
 * One proof for several leaves of one tree: the hashes of the largest ranges that hold none of them, in
 * depth-first, left-to-right order of the split of RFC 6962, 2.1. For leaves 2 and 3 of 7 that is two hashes:
 *
 *            [0,7)
 *        [0,4)    [4,7) <- second
 *     [0,2) [2,4)
 *     first
 *
 * Which ranges these are follows from the size and the indices alone, so nothing but hashes is carried.
 */
export const MAX_MULTIPROOF_LEAVES = 4096;

/** A leaf that the proof is about, by its hash. */
export interface MultiproofLeaf {
  readonly index: number;
  /** 32 bytes. */
  readonly hash: Uint8Array;
}

/** What a multiproof is checked with; the caller compares the root. */
export interface MultiproofClaim {
  readonly size: number;
  /** 1 to {@link MAX_MULTIPROOF_LEAVES}, indices strictly ascending. */
  readonly leaves: readonly MultiproofLeaf[];
  readonly proof: readonly Uint8Array[];
}

/**
 * The multiproof for leaves of the tree of that size, which may be an earlier one of the source.
 * @param indices 1 to {@link MAX_MULTIPROOF_LEAVES}, strictly ascending, below size
 * @throws Problem `proof-shape`; `tree-range` if the source is smaller; what the source throws
 */
export function buildMultiproof(source: NodeSource, size: number, indices: readonly number[]): Uint8Array[] {
  requireTargets(size, indices);
  const build: Build = { source, indices, next: 0, proof: [] };
  collect(build, 0, size);
  return build.proof;
}

interface Build {
  readonly source: NodeSource;
  readonly indices: readonly number[];
  /** Position in indices of the first target that was not yet passed. */
  next: number;
  readonly proof: Uint8Array[];
}

function collect(build: Build, from: number, to: number): void {
  const target = build.indices[build.next];
  if (target === undefined || target >= to) build.proof.push(rangeHash(build.source, from, to));
  else if (to - from === 1) build.next += 1;
  else {
    const middle = from + splitPoint(to - from);
    collect(build, from, middle);
    collect(build, middle, to);
  }
}

/**
 * The root that the leaves and the proof lead to: 32 bytes, to be compared with a signed one.
 * @throws Problem `proof-shape` unless the indices are strictly ascending and below size, every hash has 32
 * bytes, and exactly all hashes are used
 */
export function rootFromMultiproof(suite: Suite, claim: MultiproofClaim): Uint8Array {
  const { size, leaves, proof } = claim;
  const indices = leaves.map((leaf) => leaf.index);
  requireTargets(size, indices);
  requireHashes(leaves, proof);
  const check: Check = { suite, leaves, proof, nextLeaf: 0, nextHash: 0 };
  const root = fold(check, 0, size);
  if (check.nextHash === proof.length) return root;
  throw shape("hashes left over", `${check.nextHash}`, `${proof.length}`);
}

interface Check {
  readonly suite: Suite;
  readonly leaves: readonly MultiproofLeaf[];
  readonly proof: readonly Uint8Array[];
  nextLeaf: number;
  nextHash: number;
}

/** The hash of the leaves from..to-1. At most 53 deep: each half is of a power of two or smaller than one. */
function fold(check: Check, from: number, to: number): Uint8Array {
  const leaf = check.leaves[check.nextLeaf];
  if (leaf === undefined || leaf.index >= to) return takeHash(check);
  if (to - from === 1) {
    check.nextLeaf += 1;
    return leaf.hash;
  }
  const middle = from + splitPoint(to - from);
  const left = fold(check, from, middle);
  return nodeHash(check.suite, left, fold(check, middle, to));
}

function takeHash(check: Check): Uint8Array {
  const hash = check.proof[check.nextHash];
  if (hash === undefined) throw shape("hashes missing", "more", `${check.proof.length}`);
  check.nextHash += 1;
  return hash;
}

function requireTargets(size: number, indices: readonly number[]): void {
  if (!isTreeSize(size)) throw shape("size of the tree", "1 to 2^53-1", String(size));
  if (indices.length === 0 || indices.length > MAX_MULTIPROOF_LEAVES) {
    throw shape("number of leaves", `1 to ${MAX_MULTIPROOF_LEAVES}`, `${indices.length}`);
  }
  let least = 0;
  for (const index of indices) {
    if (!isLeafIndex(index, size) || index < least) {
      throw shape("order of leaf indices", `${least} to ${size - 1}`, String(index));
    }
    least = index + 1;
  }
}

function requireHashes(leaves: readonly MultiproofLeaf[], proof: readonly Uint8Array[]): void {
  const most = leaves.length * MAX_TREE_DEPTH;
  if (proof.length > most) throw shape("number of hashes", `at most ${most}`, `${proof.length}`);
  for (const hash of [...leaves.map((leaf) => leaf.hash), ...proof]) {
    if (hash.length !== HASH_BYTES) throw shape("length of a hash", `${HASH_BYTES} bytes`, `${hash.length}`);
  }
}

function shape(what: string, expected: string, got: string): Problem {
  return new Problem("proof-shape", what, { where: "multiproof", expected, got });
}
