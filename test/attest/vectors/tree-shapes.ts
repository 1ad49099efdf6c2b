import { sha256, someHash } from "./keys.ts";

/**
 * Trees, from the definition of RFC 6962 and the drawings of the format, not from attest/. Where a tree is too large
 * to have its leaves, every range that no leaf and no smaller tree divides has a made-up hash.
 */
export function leafHash(leaf: Uint8Array): Uint8Array {
  return sha256(Uint8Array.of(0), leaf);
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(Uint8Array.of(1), left, right);
}

/** The largest power of two below a size, without bit operators, which would cut it to 32 bits. */
function split(size: number): number {
  let power = 1;
  while (power * 2 < size) power *= 2;
  return power;
}

/** MTH of RFC 6962, 2.1, over hashes of leaves. */
export function treeHash(hashes: readonly Uint8Array[]): Uint8Array {
  const [only] = hashes;
  if (only === undefined) throw new Error("no tree");
  if (hashes.length === 1) return only;
  const middle = split(hashes.length);
  return nodeHash(treeHash(hashes.slice(0, middle)), treeHash(hashes.slice(middle)));
}

/** The shape of one tree of made-up hashes: where it must be divided, and what its leaves hash to. */
export interface Shape {
  readonly leaves: ReadonlyMap<number, Uint8Array>;
  readonly cuts: readonly number[];
  /** The hash of a range that nothing divides; made up unless given. */
  readonly whole?: (from: number, to: number) => Uint8Array;
}

/** The hash of [from, to), divided no further than leaves and cuts ask for. */
export function rangeHash(shape: Shape, from: number, to: number): Uint8Array {
  const own = to - from === 1 ? shape.leaves.get(from) : undefined;
  if (own !== undefined) return own;
  if (isWhole(shape, from, to)) return shape.whole?.(from, to) ?? someHash(`range ${from} to ${to}`);
  const middle = from + split(to - from);
  return nodeHash(rangeHash(shape, from, middle), rangeHash(shape, middle, to));
}

function isWhole({ leaves, cuts }: Shape, from: number, to: number): boolean {
  const held = [...leaves.keys()].some((index) => from <= index && index < to);
  return !held && !cuts.some((cut) => from < cut && cut < to);
}

/** The root of [from, cut) by the three lines of the format. */
export function cutHash(shape: Shape, cut: number, range: { from: number; to: number }): Uint8Array {
  const { from, to } = range;
  const middle = from + split(to - from);
  if (cut < middle) return cutHash(shape, cut, { from, to: middle });
  const left = rangeHash(shape, from, middle);
  return cut === middle ? left : nodeHash(left, cutHash(shape, cut, { from: middle, to }));
}

/** PATH of RFC 6962, 2.1.1: the leaf's own sibling first. */
export function path(shape: Shape, index: number, range: { from: number; to: number }): Uint8Array[] {
  const { from, to } = range;
  if (to - from === 1) return [];
  const middle = from + split(to - from);
  if (index < middle) return [...path(shape, index, { from, to: middle }), rangeHash(shape, middle, to)];
  return [...path(shape, index, { from: middle, to }), rangeHash(shape, from, middle)];
}

/** SUBPROOF of RFC 6962, 2.1.2, over [from, to). */
export function subproof(shape: Shape, size1: number, range: { from: number; to: number }): Uint8Array[] {
  const { from, to } = range;
  if (size1 === to) return from === 0 ? [] : [rangeHash(shape, from, to)];
  const middle = from + split(to - from);
  if (size1 <= middle) return [...subproof(shape, size1, { from, to: middle }), rangeHash(shape, middle, to)];
  return [...subproof(shape, size1, { from: middle, to }), rangeHash(shape, from, middle)];
}

/** The pseudo code of the format: the hashes that a proof carries, in order. */
export function carried(shape: Shape, from: number, to: number): Uint8Array[] {
  if (isWhole(shape, from, to)) return [rangeHash(shape, from, to)];
  if (to - from === 1) return [];
  const middle = from + split(to - from);
  return [...carried(shape, from, middle), ...carried(shape, middle, to)];
}
