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
 * Which ranges these are follows from the size, the indices and the cuts alone, so nothing but hashes is carried.
 *
 * A *cut* is an earlier size of the same log, whose root the proof then gives, too: a range that a cut divides is
 * split as one that holds a leaf. The root at a cut is folded from the parts on its left:
 *
 *     root [from, cut) = left                                 cut in the middle
 *                        nodeHash(left, root [middle, cut))   cut behind the middle
 *                        root [from, cut) of the left part    cut before the middle
 */
export const MAX_MULTIPROOF_LEAVES = 4096;
/** For files that say themselves that they may hold as many: the closes of two months, and more. */
export const MAX_LARGE_MULTIPROOF_LEAVES = 65_536;
export const MAX_MULTIPROOF_CUTS = 16;

/** A leaf that the proof is about, by its hash. */
export interface MultiproofLeaf {
  readonly index: number;
  /** 32 bytes. */
  readonly hash: Uint8Array;
}

/** What a multiproof is checked with; the caller compares the root. */
export interface MultiproofClaim {
  readonly size: number;
  /** 1 to `mostLeaves`, indices strictly ascending. */
  readonly leaves: readonly MultiproofLeaf[];
  readonly proof: readonly Uint8Array[];
  /** Up to {@link MAX_MULTIPROOF_CUTS} earlier sizes, strictly ascending, 1 or more and below size. */
  readonly cuts?: readonly number[];
  /** {@link MAX_MULTIPROOF_LEAVES} unless given. */
  readonly mostLeaves?: number;
}

/** What a multiproof leads to. */
export interface MultiproofRoots {
  /** 32 bytes, to be compared with a signed one. */
  readonly root: Uint8Array;
  /** The root of each earlier size that was asked for. */
  readonly atCut: ReadonlyMap<number, Uint8Array>;
}

/** Which leaves a multiproof is for, in the tree of which size, and which earlier sizes. */
export interface MultiproofTargets {
  readonly size: number;
  /** 1 to `mostLeaves`, strictly ascending, below size. */
  readonly indices: readonly number[];
  readonly cuts?: readonly number[];
  /** {@link MAX_MULTIPROOF_LEAVES} unless given. */
  readonly mostLeaves?: number;
}

/** {@link buildCutMultiproof} without cuts. */
export function buildMultiproof(source: NodeSource, size: number, indices: readonly number[]): Uint8Array[] {
  return buildCutMultiproof(source, { size, indices });
}

/**
 * The multiproof for leaves of the tree of that size, which may be an earlier one of the source.
 * @throws Problem `proof-shape`; `tree-range` if the source is smaller; what the source throws
 */
export function buildCutMultiproof(source: NodeSource, targets: MultiproofTargets): Uint8Array[] {
  const { size, indices, cuts = [] } = targets;
  requireTargets(targets);
  requireCuts(size, cuts);
  const build: Build = { source, indices, cuts, next: 0, proof: [] };
  collect(build, 0, size);
  return build.proof;
}

interface Build {
  readonly source: NodeSource;
  readonly indices: readonly number[];
  readonly cuts: readonly number[];
  /** Position in indices of the first target that was not yet passed. */
  next: number;
  readonly proof: Uint8Array[];
}

function collect(build: Build, from: number, to: number): void {
  const target = build.indices[build.next];
  const held = target !== undefined && target < to;
  if (!held && !isCut(build.cuts, from, to)) build.proof.push(rangeHash(build.source, from, to));
  else if (to - from === 1) build.next += 1;
  else {
    const middle = from + splitPoint(to - from);
    collect(build, from, middle);
    collect(build, middle, to);
  }
}

function isCut(cuts: readonly number[], from: number, to: number): boolean {
  return cuts.some((cut) => from < cut && cut < to);
}

/** The root of {@link rootsFromMultiproof}: 32 bytes, to be compared with a signed one. */
export function rootFromMultiproof(suite: Suite, claim: MultiproofClaim): Uint8Array {
  return rootsFromMultiproof(suite, claim).root;
}

/**
 * The roots that the leaves and the proof lead to.
 * @throws Problem `proof-shape` unless the indices are strictly ascending and below size, every hash has 32
 * bytes, and exactly all hashes are used
 */
export function rootsFromMultiproof(suite: Suite, claim: MultiproofClaim): MultiproofRoots {
  const { size, leaves, proof, cuts = [], mostLeaves } = claim;
  const indices = leaves.map((leaf) => leaf.index);
  requireTargets({ size, indices, ...(mostLeaves !== undefined && { mostLeaves }) });
  requireCuts(size, cuts);
  requireHashes(claim);
  const atCut = new Map<number, Uint8Array>();
  const check: Check = { suite, leaves, proof, cuts, atCut, nextLeaf: 0, nextHash: 0 };
  const root = fold(check, 0, size);
  if (check.nextHash === proof.length) return { root, atCut };
  throw shape("hashes left over", `${check.nextHash}`, `${proof.length}`);
}

interface Check {
  readonly suite: Suite;
  readonly leaves: readonly MultiproofLeaf[];
  readonly proof: readonly Uint8Array[];
  readonly cuts: readonly number[];
  readonly atCut: Map<number, Uint8Array>;
  nextLeaf: number;
  nextHash: number;
}

/** The hash of the leaves from..to-1. At most 53 deep: each half is of a power of two or smaller than one. */
function fold(check: Check, from: number, to: number): Uint8Array {
  const leaf = check.leaves[check.nextLeaf];
  const held = leaf !== undefined && leaf.index < to;
  if (!held && !isCut(check.cuts, from, to)) return takeHash(check);
  if (held && to - from === 1) {
    check.nextLeaf += 1;
    return leaf.hash;
  }
  const middle = from + splitPoint(to - from);
  const left = fold(check, from, middle);
  const right = fold(check, middle, to);
  noteCuts(check, { from, middle, to }, left);
  return nodeHash(check.suite, left, right);
}

/** What the root at each cut within [from, to) is, as far as this range goes; those on the left are noted already. */
function noteCuts(
  check: Check,
  range: { readonly from: number; readonly middle: number; readonly to: number },
  left: Uint8Array,
): void {
  for (const cut of check.cuts) {
    if (cut === range.middle) check.atCut.set(cut, left);
    const right = cut > range.middle && cut < range.to ? check.atCut.get(cut) : undefined;
    if (right !== undefined) check.atCut.set(cut, nodeHash(check.suite, left, right));
  }
}

function takeHash(check: Check): Uint8Array {
  const hash = check.proof[check.nextHash];
  if (hash === undefined) throw shape("hashes missing", "more", `${check.proof.length}`);
  check.nextHash += 1;
  return hash;
}

function requireCuts(size: number, cuts: readonly number[]): void {
  if (cuts.length > MAX_MULTIPROOF_CUTS)
    throw shape("number of cuts", `at most ${MAX_MULTIPROOF_CUTS}`, `${cuts.length}`);
  let least = 1;
  for (const cut of cuts) {
    if (!isTreeSize(cut) || cut >= size || cut < least)
      throw shape("earlier size", `ascending sizes below ${size}`, `${cut}`);
    least = cut + 1;
  }
}

function requireTargets({ size, indices, mostLeaves = MAX_MULTIPROOF_LEAVES }: MultiproofTargets): void {
  if (!isTreeSize(size)) throw shape("size of the tree", "1 to 2^53-1", String(size));
  if (indices.length === 0 || indices.length > mostLeaves) {
    throw shape("number of leaves", `1 to ${mostLeaves}`, `${indices.length}`);
  }
  let least = 0;
  for (const index of indices) {
    if (!isLeafIndex(index, size) || index < least) {
      throw shape("order of leaf indices", `${least} to ${size - 1}`, String(index));
    }
    least = index + 1;
  }
}

function requireHashes({ leaves, proof, cuts = [] }: MultiproofClaim): void {
  const most = (leaves.length + cuts.length) * MAX_TREE_DEPTH;
  if (proof.length > most) throw shape("number of hashes", `at most ${most}`, `${proof.length}`);
  for (const hash of [...leaves.map((leaf) => leaf.hash), ...proof]) {
    if (hash.length !== HASH_BYTES) throw shape("length of a hash", `${HASH_BYTES} bytes`, `${hash.length}`);
  }
}

function shape(what: string, expected: string, got: string): Problem {
  return new Problem("proof-shape", what, { where: "multiproof", expected, got });
}
