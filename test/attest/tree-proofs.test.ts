import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { nativeSuite } from "../../attest/native.ts";
import { consistencyProof, inclusionProof, rangeHash } from "../../attest/node-source.ts";
import { portableSuite } from "../../attest/portable.ts";
import { leafHash, verifyConsistency, verifyInclusion } from "../../attest/tree.ts";
import { describeVectors, listVectors, readText, reportCount } from "../kit/vectors.ts";
import {
  damagedProofs,
  flipBit,
  hugeSize,
  leavesOf,
  naiveRoot,
  naiveSource,
  sizeAndIndex,
  suite,
  uniformSource,
} from "./tree-kit.ts";

describe("inclusion proofs", () => {
  it("prove every leaf of every tree up to 40", () => {
    const leaves = leavesOf(40);
    const source = naiveSource(leaves);
    for (let n = 1; n <= 40; n++) {
      const root = naiveRoot(leaves.slice(0, n));
      for (let i = 0; i < n; i++) {
        const proof = inclusionProof(source, n, i);
        const hash = source.subtree(0, i);
        expect(verifyInclusion(suite, { leafIndex: i, treeSize: n, leafHash: hash, proof, root })).toBe(true);
      }
    }
  });

  it("prove nothing else: another index, size, leaf, root, order or number of hashes", () => {
    fc.assert(
      fc.property(sizeAndIndex, fc.nat(), ([treeSize, leafIndex], any) => {
        const leaves = leavesOf(treeSize);
        const source = naiveSource(leaves);
        const proof = inclusionProof(source, treeSize, leafIndex);
        const root = naiveRoot(leaves);
        const claim = { leafIndex, treeSize, leafHash: source.subtree(0, leafIndex), proof, root };
        expect(verifyInclusion(suite, claim)).toBe(true);
        for (const index of [leafIndex - 1, leafIndex + 1, treeSize, -1, 0.5, Number.NaN]) {
          expect(verifyInclusion(suite, { ...claim, leafIndex: index })).toBe(false);
        }
        expect(verifyInclusion(suite, { ...claim, root: flipBit(root, any % 256) })).toBe(false);
        expect(verifyInclusion(suite, { ...claim, leafHash: flipBit(claim.leafHash, any % 256) })).toBe(
          false,
        );
        for (const damaged of damagedProofs(proof, any)) {
          expect(verifyInclusion(suite, { ...claim, proof: damaged })).toBe(false);
        }
      }),
    );
  });

  it("hold at sizes near 2^53-1", () => {
    fc.assert(
      fc.property(
        hugeSize,
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (treeSize, part) => {
          const source = uniformSource(treeSize);
          const root = rangeHash(source, 0, treeSize);
          for (const leafIndex of [0, treeSize - 1, Math.floor(part * treeSize)]) {
            const proof = inclusionProof(source, treeSize, leafIndex);
            const claim = { leafIndex, treeSize, leafHash: source.subtree(0, 0), proof, root };
            expect(verifyInclusion(suite, claim)).toBe(true);
            expect(proof.length).toBeLessThanOrEqual(53);
            expect(verifyInclusion(suite, { ...claim, proof: proof.slice(1) })).toBe(false);
            expect(verifyInclusion(suite, { ...claim, root: flipBit(root, 7) })).toBe(false);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it("refuse a path that is longer than the size allows, even to the root that it leads to", () => {
    const source = naiveSource(leavesOf(2));
    const claim = {
      leafHash: source.subtree(0, 1),
      proof: [source.subtree(0, 0)],
      root: source.subtree(1, 0),
    };
    expect(verifyInclusion(suite, { ...claim, leafIndex: 1, treeSize: 2 })).toBe(true);
    expect(verifyInclusion(suite, { ...claim, leafIndex: 0, treeSize: 1 })).toBe(false);
  });

  it("refuses sizes that no log has", () => {
    const hash = leafHash(suite, new Uint8Array(0));
    for (const treeSize of [0, -1, 1.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY]) {
      const claim = { leafIndex: 0, treeSize, leafHash: hash, proof: [], root: hash };
      expect(verifyInclusion(suite, claim)).toBe(false);
    }
  });
});

describe("consistency proofs", () => {
  it("prove every pair of sizes up to 40", () => {
    const leaves = leavesOf(40);
    const source = naiveSource(leaves);
    const roots = leaves.map((_, i) => naiveRoot(leaves.slice(0, i + 1)));
    for (const [i, root1] of roots.entries()) {
      for (const [j, root2] of roots.entries()) {
        if (j < i) continue;
        const sizes = { size1: i + 1, size2: j + 1 };
        const proof = consistencyProof(source, sizes.size1, sizes.size2);
        expect(verifyConsistency(suite, { ...sizes, root1, root2, proof })).toBe(true);
      }
    }
  });

  it("prove nothing else: another history, root, order or number of hashes", () => {
    fc.assert(
      fc.property(sizeAndIndex, fc.nat(), ([size2, index], any) => {
        const size1 = index + 1;
        const leaves = leavesOf(size2);
        const proof = consistencyProof(naiveSource(leaves), size1, size2);
        const roots = { root1: naiveRoot(leaves.slice(0, size1)), root2: naiveRoot(leaves) };
        const claim = { size1, size2, ...roots, proof };
        expect(verifyConsistency(suite, claim)).toBe(true);
        expect(verifyConsistency(suite, { ...claim, root1: flipBit(roots.root1, any % 256) })).toBe(false);
        expect(verifyConsistency(suite, { ...claim, root2: flipBit(roots.root2, any % 256) })).toBe(false);
        for (const damaged of damagedProofs(proof, any)) {
          expect(verifyConsistency(suite, { ...claim, proof: damaged })).toBe(false);
        }
      }),
    );
  });

  it("see one leaf of the past rewritten", () => {
    fc.assert(
      fc.property(sizeAndIndex, fc.nat(), ([size2, index], any) => {
        const size1 = index + 1;
        const leaves = leavesOf(size2);
        const rewritten = leaves.with(any % size1, Uint8Array.of(0));
        const proof = consistencyProof(naiveSource(rewritten), size1, size2);
        const roots = { root1: naiveRoot(leaves.slice(0, size1)), root2: naiveRoot(rewritten) };
        expect(verifyConsistency(suite, { size1, size2, ...roots, proof })).toBe(false);
      }),
    );
  });

  it("hold at sizes near 2^53-1", () => {
    fc.assert(
      fc.property(hugeSize, hugeSize, (a, b) => {
        const [size1, size2] = [Math.min(a, b), Math.max(a, b)];
        const source = uniformSource(size2);
        const roots = { root1: rangeHash(source, 0, size1), root2: rangeHash(source, 0, size2) };
        const proof = consistencyProof(source, size1, size2);
        expect(verifyConsistency(suite, { size1, size2, ...roots, proof })).toBe(true);
        const longer = { size1, size2, ...roots, proof: [...proof, new Uint8Array(32)] };
        expect(verifyConsistency(suite, longer)).toBe(false);
      }),
      { numRuns: 60 },
    );
  });

  it("refuse a path that is longer than the sizes allow, even to the roots that it leads to", () => {
    const source = naiveSource(leavesOf(8));
    const [third, fourth] = [source.subtree(0, 6), source.subtree(0, 7)];
    const [pair, before] = [source.subtree(1, 2), source.subtree(2, 0)];
    const claim = {
      root1: rangeHash(source, 0, 7),
      root2: rangeHash(source, 0, 8),
      proof: [third, fourth, pair, before],
    };
    expect(verifyConsistency(suite, { ...claim, size1: 7, size2: 8 })).toBe(true);
    expect(verifyConsistency(suite, { ...claim, size1: 3, size2: 4 })).toBe(false);
  });

  it("refuses an empty first tree, which proves nothing", () => {
    const root = naiveRoot(leavesOf(3));
    const claim = { size1: 0, size2: 3, root1: naiveRoot([]), root2: root, proof: [] };
    expect(verifyConsistency(suite, claim)).toBe(false);
    expect(verifyConsistency(suite, { ...claim, size1: 3, size2: 2, root1: root })).toBe(false);
  });
});

/** Numbers as text, because JSON.parse would round those above 2^53. */
const count = z
  .string()
  .transform((text) => (Number.isSafeInteger(Number(text)) ? Number(text) : Number.NaN));
const base64 = z
  .string()
  .nullable()
  .transform((text) => new Uint8Array(Buffer.from(text ?? "", "base64")));
const proofShape = z
  .array(base64)
  .nullable()
  .transform((hashes) => hashes ?? []);
const common = { proof: proofShape, wantErr: z.boolean() };
const inclusionShape = z.object({
  leafIdx: count,
  treeSize: count,
  root: base64,
  leafHash: base64,
  ...common,
});
const consistencyShape = z.object({ size1: count, size2: count, root1: base64, root2: base64, ...common });

function parseVector(path: string): unknown {
  return JSON.parse(readText(path).replaceAll(/:\s*(\d+)/g, ': "$1"'));
}

describeVectors("RFC 6962 vectors", () => {
  it.each([nativeSuite, portableSuite])("inclusion", (either) => {
    const paths = listVectors("rfc6962/inclusion");
    for (const path of paths) {
      const { leafIdx, wantErr, ...claim } = inclusionShape.parse(parseVector(path));
      expect(verifyInclusion(either, { ...claim, leafIndex: leafIdx }), path).toBe(!wantErr);
    }
    expect(paths.length).toBe(98);
    reportCount("RFC 6962 inclusion", paths.length);
  });

  it.each([nativeSuite, portableSuite])("consistency", (either) => {
    // Its roots have 12 bytes, which no verifier of 32-byte hashes should take.
    const dummyRoots = "rfc6962/consistency/additional/sizes-are-equal-one-and-proof-is-empty.json";
    const paths = listVectors("rfc6962/consistency");
    for (const path of paths) {
      const { wantErr, ...claim } = consistencyShape.parse(parseVector(path));
      expect(verifyConsistency(either, claim), path).toBe(!wantErr && path !== dummyRoots);
    }
    expect(paths.length).toBe(98);
    expect(paths).toContain(dummyRoots);
    reportCount("RFC 6962 consistency", paths.length);
  });
});
