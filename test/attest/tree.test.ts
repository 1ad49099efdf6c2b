import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { asciiBytes, concatBytes, equalBytes, toHex, u64be } from "../../attest/bytes.ts";
import { nativeSuite } from "../../attest/native.ts";
import {
  consistencyProof,
  inclusionProof,
  type NodeSource,
  rangeHash,
  SubtreeSource,
  type SubtreeStore,
} from "../../attest/node-source.ts";
import { portableSuite } from "../../attest/portable.ts";
import { Frontier, leafHash, MAX_TREE_SIZE, verifyConsistency, verifyInclusion } from "../../attest/tree.ts";
import { describeVectors, listVectors, readText, reportCount } from "../kit/vectors.ts";

const suite = nativeSuite;

/** MTH(D) as RFC 6962, 2.1 defines it, over the leaves themselves and with nothing of the code under test. */
function naiveRoot(leaves: readonly Uint8Array[]): Uint8Array {
  const [only] = leaves;
  if (only === undefined) return suite.sha256(new Uint8Array(0));
  if (leaves.length === 1) return suite.sha256(concatBytes(Uint8Array.of(0), only));
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return suite.sha256(
    concatBytes(Uint8Array.of(1), naiveRoot(leaves.slice(0, k)), naiveRoot(leaves.slice(k))),
  );
}

function leavesOf(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => asciiBytes(`leaf ${i}`, "leaf"));
}

function frontierOf(leaves: readonly Uint8Array[]): Frontier {
  const frontier = new Frontier(suite);
  for (const leaf of leaves) frontier.append(leafHash(suite, leaf));
  return frontier;
}

/** A source whose nodes are all computed by the naive definition. */
function naiveSource(leaves: readonly Uint8Array[]): NodeSource {
  return {
    suite,
    size: leaves.length,
    subtree: (level, index) => naiveRoot(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level)),
  };
}

/** A source in which every leaf is the same, so that a level has one hash and any size can be had. */
function uniformSource(size: number): NodeSource {
  const levels = [leafHash(suite, Uint8Array.of(42))];
  for (let level = 1; level < 54; level++) {
    const below = levels[level - 1] ?? new Uint8Array(0);
    levels.push(suite.sha256(concatBytes(Uint8Array.of(1), below, below)));
  }
  return { suite, size, subtree: (level) => levels[level] ?? new Uint8Array(0) };
}

function flipBit(bytes: Uint8Array, bit: number): Uint8Array {
  const flipped = bytes.slice();
  const at = Math.floor(bit / 8) % bytes.length;
  flipped[at] = (flipped[at] ?? 0) ^ (1 << (bit % 8));
  return flipped;
}

const size = fc.integer({ min: 1, max: 90 });
/** Two numbers, from which a test makes an index below a size. */
const sizeAndIndex = fc.tuple(size, fc.nat()).map(([n, any]) => [n, any % n] as const);
/** Sizes beside powers of two up to 2^53-1, where halving in 32 bits or in floats would go wrong. */
const hugeSize = fc
  .tuple(fc.integer({ min: 30, max: 53 }), fc.integer({ min: -5, max: 5 }))
  .map(([power, offset]) => Math.min(MAX_TREE_SIZE, 2 ** power + offset));

describe("hashes", () => {
  it.each([nativeSuite, portableSuite])("gives the leaf hash of RFC 6962 over no bytes", (either) => {
    const expected = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
    expect(toHex(leafHash(either, new Uint8Array(0)))).toBe(expected);
  });

  it("hashes leaves of every length alike, those beyond the limit of a leaf among them", () => {
    for (const length of [0, 1, 31, 4095, 4096, 4097, 9000]) {
      const leaf = new Uint8Array(length).fill(length % 251);
      expect(leafHash(suite, leaf)).toEqual(naiveRoot([leaf]));
    }
  });
});

describe("frontier", () => {
  it("has the root of the recursive definition at every size", () => {
    const leaves = leavesOf(130);
    const frontier = new Frontier(suite);
    for (const [i, leaf] of leaves.entries()) {
      frontier.append(leafHash(suite, leaf));
      expect(frontier.size).toBe(i + 1);
      expect(toHex(frontier.root())).toBe(toHex(naiveRoot(leaves.slice(0, i + 1))));
    }
  });

  it("refuses a root of nothing", () => {
    expect(() => new Frontier(suite).root()).toThrow(expect.objectContaining({ code: "tree-empty" }));
  });

  it("is not changed by what happens to its clone", () => {
    const frontier = frontierOf(leavesOf(7));
    const before = frontier.toBytes();
    const clone = frontier.clone();
    for (const leaf of leavesOf(9)) clone.append(leafHash(suite, leaf));
    expect(frontier.toBytes()).toEqual(before);
    expect(clone.size).toBe(16);
  });

  it("continues from its bytes as if nothing had happened", () => {
    fc.assert(
      fc.property(size, size, (first, second) => {
        const leaves = leavesOf(first + second);
        const restored = Frontier.fromBytes(suite, frontierOf(leaves.slice(0, first)).toBytes());
        for (const leaf of leaves.slice(first)) restored.append(leafHash(suite, leaf));
        expect(restored.toBytes()).toEqual(frontierOf(leaves).toBytes());
        expect(toHex(restored.root())).toBe(toHex(naiveRoot(leaves)));
      }),
    );
  });

  it("keeps nothing of an empty log but its size", () => {
    expect(Frontier.fromBytes(suite, new Uint8Array(8)).size).toBe(0);
    expect(new Frontier(suite).toBytes()).toEqual(new Uint8Array(8));
  });

  it("refuses bytes whose hashes do not fit the size", () => {
    const bytes = frontierOf(leavesOf(11)).toBytes();
    const damaged = [
      bytes.subarray(0, -1),
      concatBytes(bytes, new Uint8Array(32)),
      concatBytes(u64be(8), bytes.subarray(8)),
      new Uint8Array(8).fill(255),
      new Uint8Array(7),
    ];
    const codes = ["tree-frontier", "tree-frontier", "tree-frontier", "bytes-integer", "bytes-short"];
    for (const [i, each] of damaged.entries()) {
      expect(() => Frontier.fromBytes(suite, each)).toThrow(expect.objectContaining({ code: codes[i] }));
    }
    for (const bad of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
      expect(() => new Frontier(suite, bad)).toThrow(expect.objectContaining({ code: "tree-frontier" }));
    }
  });

  it("refuses a hash that is not 32 bytes", () => {
    const frontier = new Frontier(suite);
    expect(() => frontier.append(new Uint8Array(31))).toThrow(expect.objectContaining({ code: "tree-hash" }));
    expect(frontier.size).toBe(0);
  });

  it("counts to 2^53-1 and no further", () => {
    const source = uniformSource(MAX_TREE_SIZE);
    const frontier = hugeFrontier(source, MAX_TREE_SIZE - 1);
    expect(frontier.hashes.length).toBe(52);
    frontier.append(source.subtree(0, 0));
    expect(frontier.hashes.length).toBe(53);
    expect(toHex(frontier.root())).toBe(toHex(rangeHash(source, 0, MAX_TREE_SIZE)));
    expect(() => frontier.append(source.subtree(0, 0))).toThrow(
      expect.objectContaining({ code: "tree-full" }),
    );
    expect(Frontier.fromBytes(suite, frontier.toBytes()).root()).toEqual(frontier.root());
  });

  it("merges all levels beyond 32 bits", () => {
    for (const power of [31, 32, 33, 52]) {
      const source = uniformSource(MAX_TREE_SIZE);
      const frontier = hugeFrontier(source, 2 ** power - 1);
      frontier.append(source.subtree(0, 0));
      expect(frontier.hashes).toEqual([source.subtree(power, 0)]);
    }
  });
});

function hugeFrontier(source: NodeSource, leaves: number): Frontier {
  const peaks: Uint8Array[] = [];
  for (let level = 52; level >= 0; level--) {
    if (Math.floor(leaves / 2 ** level) % 2 === 1) peaks.push(source.subtree(level, 0));
  }
  return new Frontier(suite, leaves, peaks);
}

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

/** Each proof that differs from the given one by one change. */
function damagedProofs(proof: readonly Uint8Array[], any: number): Uint8Array[][] {
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

/** A store over leaves that keeps subtrees of 256 only up to some index, as after a crash. */
function storeOf(leaves: readonly Uint8Array[], keptSubtrees: number): SubtreeStore {
  const hashes = leaves.map((leaf) => leafHash(suite, leaf));
  const naive = naiveSource(leaves);
  return {
    size: () => leaves.length,
    stored: (index) => (index < keptSubtrees ? naive.subtree(8, index) : undefined),
    leafHashes: (from, to) => hashes.slice(from, to),
  };
}

describe("proofs out of stored subtrees", () => {
  const leaves = leavesOf(256 * 37 + 91);

  it("has the nodes of the recursive definition on every level, stored or not", () => {
    const naive = naiveSource(leaves);
    const source = new SubtreeSource(suite, storeOf(leaves, 20));
    for (let level = 0; 2 ** level <= leaves.length; level++) {
      const last = Math.floor(leaves.length / 2 ** level) - 1;
      for (const index of new Set([0, Math.floor(last / 2), last])) {
        expect(toHex(source.subtree(level, index))).toBe(toHex(naive.subtree(level, index)));
        expect(toHex(source.subtree(level, index))).toBe(toHex(naive.subtree(level, index)));
      }
    }
  });

  it("reads at most 256 leaf hashes at once and stored subtrees in place of leaves", () => {
    const store = storeOf(leaves, 37);
    const asked: number[] = [];
    const source = new SubtreeSource(suite, {
      ...store,
      leafHashes: (from, to) => {
        asked.push(to - from);
        return store.leafHashes(from, to);
      },
    });
    const proof = inclusionProof(source, leaves.length, 1000);
    const root = naiveRoot(leaves);
    const hash = leafHash(suite, leaves[1000] ?? new Uint8Array(0));
    const claim = { leafIndex: 1000, treeSize: leaves.length, leafHash: hash, proof, root };
    expect(verifyInclusion(suite, claim)).toBe(true);
    expect(Math.max(...asked)).toBeLessThanOrEqual(256);
    expect(asked.reduce((sum, count) => sum + count)).toBeLessThan(256 + 91);
  });

  it("refuses nodes beyond the size and says what is missing", () => {
    const source = new SubtreeSource(suite, storeOf(leaves, 37));
    const refused = expect.objectContaining({ code: "tree-range" });
    expect(() => source.subtree(8, 37)).toThrow(refused);
    expect(() => source.subtree(0, leaves.length)).toThrow(refused);
    expect(() => source.subtree(0, -1)).toThrow(refused);
    expect(() => source.subtree(-1, 0)).toThrow(refused);
    const thinned = new SubtreeSource(suite, { ...storeOf(leaves, 37), leafHashes: () => [] });
    expect(equalBytes(thinned.subtree(8, 3), source.subtree(8, 3))).toBe(true);
    const missing = expect.objectContaining({ code: "tree-node-missing" });
    expect(() => thinned.subtree(0, 3)).toThrow(missing);
    const short = new SubtreeSource(suite, { ...storeOf(leaves, 0), stored: () => new Uint8Array(31) });
    expect(() => short.subtree(8, 0)).toThrow(missing);
  });

  it("refuses ranges and indices that have no hash", () => {
    const source = naiveSource(leaves.slice(0, 10));
    const refused = expect.objectContaining({ code: "tree-range" });
    for (const [from, to] of [
      [0, 11],
      [3, 3],
      [1, 3],
      [-2, 0],
      [2, 6],
      [0.5, 1.5],
    ] as const) {
      expect(() => rangeHash(source, from, to)).toThrow(refused);
    }
    expect(() => inclusionProof(source, 10, 10)).toThrow(refused);
    expect(() => inclusionProof(source, 11, 0)).toThrow(refused);
    expect(() => consistencyProof(source, 0, 5)).toThrow(refused);
    expect(() => consistencyProof(source, 6, 5)).toThrow(refused);
  });

  it("bounds what it remembers and still gives the same nodes", () => {
    let looked = 0;
    const uniform = uniformSource(2 ** 53 - 1);
    const source = new SubtreeSource(suite, {
      size: () => 2 ** 40,
      stored: () => {
        looked++;
        return uniform.subtree(8, 0);
      },
      leafHashes: () => [],
    });
    const nodes = 16_384 + 100;
    for (let index = 0; index < nodes; index++) source.subtree(12, index);
    expect(looked).toBe(nodes * 16);
    source.subtree(12, nodes - 1);
    expect(looked).toBe(nodes * 16);
    expect(source.subtree(12, 0)).toEqual(uniform.subtree(12, 0));
    expect(looked).toBe((nodes + 1) * 16);
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
