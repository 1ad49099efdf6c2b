import fc from "fast-check";
import { asciiBytes, concatBytes } from "../../attest/bytes.ts";
import { nativeSuite } from "../../attest/native.ts";
import type { NodeSource } from "../../attest/node-source.ts";
import type { Suite } from "../../attest/suite.ts";
import { leafHash, MAX_TREE_SIZE } from "../../attest/tree.ts";

export const suite: Suite = nativeSuite;

/** MTH(D) as RFC 6962, 2.1 defines it, over the leaves themselves and with nothing of the code under test. */
export function naiveRoot(leaves: readonly Uint8Array[]): Uint8Array {
  const [only] = leaves;
  if (only === undefined) return suite.sha256(new Uint8Array(0));
  if (leaves.length === 1) return suite.sha256(concatBytes(Uint8Array.of(0), only));
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return suite.sha256(
    concatBytes(Uint8Array.of(1), naiveRoot(leaves.slice(0, k)), naiveRoot(leaves.slice(k))),
  );
}

export function leavesOf(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => asciiBytes(`leaf ${i}`, "leaf"));
}

/** A source whose nodes are all computed by the naive definition. */
export function naiveSource(leaves: readonly Uint8Array[]): NodeSource {
  return {
    suite,
    size: leaves.length,
    subtree: (level, index) => naiveRoot(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level)),
  };
}

/** A source in which every leaf is the same, so that a level has one hash and any size can be had. */
export function uniformSource(size: number): NodeSource {
  const levels = [leafHash(suite, Uint8Array.of(42))];
  for (let level = 1; level < 54; level++) {
    const below = levels[level - 1] ?? new Uint8Array(0);
    levels.push(suite.sha256(concatBytes(Uint8Array.of(1), below, below)));
  }
  return { suite, size, subtree: (level) => levels[level] ?? new Uint8Array(0) };
}

export function flipBit(bytes: Uint8Array, bit: number): Uint8Array {
  const flipped = bytes.slice();
  const at = Math.floor(bit / 8) % bytes.length;
  flipped[at] = (flipped[at] ?? 0) ^ (1 << (bit % 8));
  return flipped;
}

export const size: fc.Arbitrary<number> = fc.integer({ min: 1, max: 90 });
/** Two numbers, from which a test makes an index below a size. */
export const sizeAndIndex: fc.Arbitrary<readonly [size: number, index: number]> = fc
  .tuple(size, fc.nat())
  .map(([n, any]) => [n, any % n] as const);
/** Sizes beside powers of two up to 2^53-1, where halving in 32 bits or in floats would go wrong. */
export const hugeSize: fc.Arbitrary<number> = fc
  .tuple(fc.integer({ min: 30, max: 53 }), fc.integer({ min: -5, max: 5 }))
  .map(([power, offset]) => Math.min(MAX_TREE_SIZE, 2 ** power + offset));

/** Each proof that differs from the given one by one change. */
export function damagedProofs(proof: readonly Uint8Array[], any: number): Uint8Array[][] {
  const damaged = [
    [...proof, new Uint8Array(32)],
    [new Uint8Array(32), ...proof],
  ];
  for (const [i, hash] of proof.entries()) {
    damaged.push(proof.toSpliced(i, 1), proof.toSpliced(i, 1, flipBit(hash, any % 256)));
    damaged.push(proof.toSpliced(i, 1, hash.subarray(1)), proof.toSpliced(i, 0, hash));
    const next = proof[i + 1];
    if (next !== undefined) damaged.push(proof.toSpliced(i, 2, next, hash));
  }
  return damaged;
}
