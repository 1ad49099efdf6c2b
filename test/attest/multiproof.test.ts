import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { asciiBytes, concatBytes, toHex } from "../../attest/bytes.ts";
import {
  buildCutMultiproof,
  buildMultiproof,
  MAX_MULTIPROOF_LEAVES,
  type MultiproofClaim,
  rootFromMultiproof,
  rootsFromMultiproof,
} from "../../attest/multiproof.ts";
import { nativeSuite as suite } from "../../attest/native.ts";
import { inclusionProof, type NodeSource, rangeHash, SubtreeSource } from "../../attest/node-source.ts";
import { portableSuite } from "../../attest/portable.ts";
import { Problem } from "../../attest/problem.ts";
import { leafHash } from "../../attest/tree.ts";

/** MTH of RFC 6962, 2.1, by its recursive definition, over leaf hashes. */
function naiveRoot(hashes: readonly Uint8Array[]): Uint8Array {
  const [only] = hashes;
  if (only !== undefined && hashes.length === 1) return only;
  let k = 1;
  while (k * 2 < hashes.length) k *= 2;
  const halves = [naiveRoot(hashes.slice(0, k)), naiveRoot(hashes.slice(k))];
  return suite.sha256(concatBytes(Uint8Array.of(1), ...halves));
}

/** The multiproof by its definition: the largest ranges without a target, left to right. */
function naiveProof(
  hashes: readonly Uint8Array[],
  isTarget: (index: number) => boolean,
  at = 0,
): Uint8Array[] {
  if (!hashes.some((_, i) => isTarget(at + i))) return [naiveRoot(hashes)];
  if (hashes.length === 1) return [];
  let k = 1;
  while (k * 2 < hashes.length) k *= 2;
  return [...naiveProof(hashes.slice(0, k), isTarget, at), ...naiveProof(hashes.slice(k), isTarget, at + k)];
}

function hashesOf(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => leafHash(suite, asciiBytes(`leaf ${i}`, "leaf")));
}

function sourceOf(hashes: readonly Uint8Array[]): NodeSource {
  return new SubtreeSource(suite, {
    size: () => hashes.length,
    stored: () => undefined,
    leafHashes: (from, to) => hashes.slice(from, to),
  });
}

interface Case {
  readonly hashes: readonly Uint8Array[];
  readonly indices: readonly number[];
  readonly claim: MultiproofClaim;
  readonly root: Uint8Array;
}

function caseOf(size: number, indices: readonly number[]): Case {
  const hashes = hashesOf(size);
  const proof = buildMultiproof(sourceOf(hashes), size, indices);
  const leaves = indices.map((index) => ({ index, hash: hashes[index] ?? new Uint8Array(0) }));
  return { hashes, indices, claim: { size, leaves, proof }, root: naiveRoot(hashes) };
}

const anyCase = fc.integer({ min: 1, max: 80 }).chain((size) =>
  fc.uniqueArray(fc.integer({ min: 0, max: size - 1 }), { minLength: 1, maxLength: 8 }).map((indices) =>
    caseOf(
      size,
      indices.toSorted((a, b) => a - b),
    ),
  ),
);

function flipBit(bytes: Uint8Array, bit: number): Uint8Array {
  const flipped = bytes.slice();
  const at = Math.floor(bit / 8) % bytes.length;
  flipped[at] = (flipped[at] ?? 0) ^ (1 << (bit % 8));
  return flipped;
}

/** Refused in either way: no root at all, or another one than the signed root. */
function isRefused(claim: MultiproofClaim, root: Uint8Array): boolean {
  try {
    return toHex(rootFromMultiproof(suite, claim)) !== toHex(root);
  } catch (thrown) {
    if (thrown instanceof Problem && thrown.code === "proof-shape") return true;
    throw thrown;
  }
}

describe("multiproof", () => {
  it("is the example of its description", () => {
    const { hashes, claim, root } = caseOf(7, [2, 3]);
    expect(claim.proof).toEqual([naiveRoot(hashes.slice(0, 2)), naiveRoot(hashes.slice(4, 7))]);
    expect(rootFromMultiproof(suite, claim)).toEqual(root);
  });

  it("holds exactly the hashes of its definition and leads to the root, with both suites", () => {
    fc.assert(
      fc.property(anyCase, ({ hashes, indices, claim, root }) => {
        expect(claim.proof).toEqual(naiveProof(hashes, (index) => indices.includes(index)));
        expect(rootFromMultiproof(suite, claim)).toEqual(root);
        expect(rootFromMultiproof(portableSuite, claim)).toEqual(root);
      }),
    );
  });

  it("gives the root of every earlier size that it is cut at, from hashes that the root authenticates", () => {
    const cutCase = fc.integer({ min: 2, max: 70 }).chain((size) => {
      const some = (max: number, least: number): fc.Arbitrary<number[]> =>
        fc
          .uniqueArray(fc.integer({ min: least, max }), { minLength: 1, maxLength: 5 })
          .map((values) => values.toSorted((a, b) => a - b));
      return fc.record({ size: fc.constant(size), indices: some(size - 1, 0), cuts: some(size - 1, 1) });
    });
    fc.assert(
      fc.property(cutCase, ({ size, indices, cuts }) => {
        const hashes = hashesOf(size);
        const proof = buildCutMultiproof(sourceOf(hashes), { size, indices, cuts });
        const leaves = indices.map((index) => ({ index, hash: hashes[index] ?? new Uint8Array(0) }));
        const { root, atCut } = rootsFromMultiproof(suite, { size, leaves, proof, cuts });
        expect(root).toEqual(naiveRoot(hashes));
        expect([...atCut.keys()].toSorted((a, b) => a - b)).toEqual(cuts);
        for (const cut of cuts) expect(atCut.get(cut)).toEqual(naiveRoot(hashes.slice(0, cut)));
      }),
    );
  });

  it.each([
    ["a cut at the size itself", [5]],
    ["a cut at nothing", [0]],
    ["cuts out of order", [3, 2]],
    ["one cut twice", [2, 2]],
    ["too many cuts", Array.from({ length: 17 }, (_, at) => at + 1)],
  ])("refuses %s", (_, cuts) => {
    const { claim, hashes } = caseOf(cuts.length > 5 ? 20 : 5, [0]);
    const refused = expect.objectContaining({ code: "proof-shape" });
    expect(() => rootsFromMultiproof(suite, { ...claim, cuts })).toThrow(refused);
    const targets = { size: claim.size, indices: [0], cuts };
    expect(() => buildCutMultiproof(sourceOf(hashes), targets)).toThrow(refused);
  });

  it("carries the hashes of an inclusion proof when it is about one leaf", () => {
    for (let size = 1; size <= 20; size++) {
      for (let index = 0; index < size; index++) {
        const { hashes, claim } = caseOf(size, [index]);
        const single = inclusionProof(sourceOf(hashes), size, index).map(toHex);
        expect(claim.proof.map(toHex).toSorted()).toEqual(single.toSorted());
      }
    }
  });

  it("needs no hash when it is about every leaf", () => {
    const { claim, root } = caseOf(
      13,
      Array.from({ length: 13 }, (_, i) => i),
    );
    expect(claim.proof).toEqual([]);
    expect(rootFromMultiproof(suite, claim)).toEqual(root);
  });

  it("proves against an earlier size of a log that has grown", () => {
    const hashes = hashesOf(700);
    for (const size of [1, 255, 256, 257, 513, 700]) {
      const indices = [...new Set([0, Math.floor(size / 3), size - 1])];
      const proof = buildMultiproof(sourceOf(hashes), size, indices);
      const leaves = indices.map((index) => ({ index, hash: hashes[index] ?? new Uint8Array(0) }));
      expect(rootFromMultiproof(suite, { size, leaves, proof })).toEqual(naiveRoot(hashes.slice(0, size)));
    }
  });
});

describe("multiproof, changed in one place", () => {
  it("is refused with each hash dropped, doubled, exchanged or flipped", () => {
    fc.assert(
      fc.property(anyCase, fc.integer({ min: 0, max: 255 }), ({ claim, root }, bit) => {
        const { proof } = claim;
        for (const [i, hash] of proof.entries()) {
          const next = proof[i + 1];
          const changed = [
            proof.toSpliced(i, 1),
            proof.toSpliced(i, 0, hash),
            proof.toSpliced(i, 1, flipBit(hash, bit)),
            ...(next === undefined ? [] : [proof.toSpliced(i, 2, next, hash)]),
          ];
          for (const each of changed) expect(isRefused({ ...claim, proof: each }, root)).toBe(true);
        }
        expect(isRefused({ ...claim, proof: [...proof, new Uint8Array(32)] }, root)).toBe(true);
        expect(isRefused({ ...claim, proof: [new Uint8Array(32), ...proof] }, root)).toBe(true);
      }),
    );
  });

  it("is refused with a leaf dropped, moved or flipped", () => {
    fc.assert(
      fc.property(anyCase, fc.integer({ min: 0, max: 255 }), ({ claim, root }, bit) => {
        for (const [i, leaf] of claim.leaves.entries()) {
          const moved = { ...leaf, index: leaf.index + 1 };
          const flipped = { ...leaf, hash: flipBit(leaf.hash, bit) };
          for (const other of [[], [moved], [flipped]]) {
            const leaves = claim.leaves.toSpliced(i, 1, ...other);
            expect(isRefused({ ...claim, leaves }, root)).toBe(true);
          }
        }
      }),
    );
  });

  it("throws when hashes are missing or left over", () => {
    const { claim } = caseOf(50, [3, 17]);
    const refused = expect.objectContaining({ code: "proof-shape" });
    for (const proof of [claim.proof.slice(1), [...claim.proof, new Uint8Array(32)], []]) {
      expect(() => rootFromMultiproof(suite, { ...claim, proof })).toThrow(refused);
    }
  });
});

describe("multiproof, limits", () => {
  const refused = expect.objectContaining({ code: "proof-shape" });
  const hash = new Uint8Array(32);

  it.each([
    ["no leaf", []],
    ["the same leaf twice", [3, 3]],
    ["leaves in descending order", [4, 3]],
    ["a leaf beyond the size", [3, 10]],
    ["a negative index", [-1]],
    ["a fraction", [1.5]],
    ["not a number", [Number.NaN]],
    ["too many leaves", Array.from({ length: MAX_MULTIPROOF_LEAVES + 1 }, (_, i) => i)],
  ])("refuses %s, building and checking", (title, indices) => {
    const size = title === "too many leaves" ? 5000 : 10;
    const leaves = indices.map((index) => ({ index, hash }));
    expect(() => buildMultiproof(sourceOf(hashesOf(size)), size, indices)).toThrow(refused);
    expect(() => rootFromMultiproof(suite, { size, leaves, proof: [hash, hash] })).toThrow(refused);
  });

  it.each([0, -1, 0.5, 2 ** 53, Number.NaN])("refuses size %s", (size) => {
    const claim = { size, leaves: [{ index: 0, hash }], proof: [] };
    expect(() => rootFromMultiproof(suite, claim)).toThrow(refused);
    expect(() => buildMultiproof(sourceOf(hashesOf(3)), size, [0])).toThrow(refused);
  });

  it("refuses hashes that are not 32 bytes, and more hashes than any tree could need", () => {
    const { claim } = caseOf(50, [3]);
    const short = hash.subarray(1);
    expect(() => rootFromMultiproof(suite, { ...claim, leaves: [{ index: 3, hash: short }] })).toThrow(
      refused,
    );
    expect(() => rootFromMultiproof(suite, { ...claim, proof: claim.proof.with(0, short) })).toThrow(refused);
    const many = Array.from({ length: 54 }, () => hash);
    expect(() => rootFromMultiproof(suite, { ...claim, proof: many })).toThrow(refused);
  });

  it("refuses to prove more than the source holds", () => {
    const tooLarge = () => buildMultiproof(sourceOf(hashesOf(3)), 4, [0]);
    expect(tooLarge).toThrow(expect.objectContaining({ code: "tree-range" }));
  });

  it("works at 2^53-1 leaves", () => {
    const size = Number.MAX_SAFE_INTEGER;
    const levels = [leafHash(suite, Uint8Array.of(1))];
    for (let level = 1; level < 53; level++) {
      const below = levels[level - 1] ?? hash;
      levels.push(suite.sha256(concatBytes(Uint8Array.of(1), below, below)));
    }
    const source: NodeSource = { suite, size, subtree: (level) => levels[level] ?? new Uint8Array(0) };
    const indices = [0, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 52 - 1, 2 ** 52, size - 1];
    const proof = buildMultiproof(source, size, indices);
    const leaves = indices.map((index) => ({ index, hash: levels[0] ?? hash }));
    expect(rootFromMultiproof(suite, { size, leaves, proof })).toEqual(rangeHash(source, 0, size));
    expect(isRefused({ size, leaves, proof: proof.slice(1) }, rangeHash(source, 0, size))).toBe(true);
  });
});
