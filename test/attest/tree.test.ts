import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concatBytes, equalBytes, toHex, u64be } from "../../attest/bytes.ts";
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
import { Frontier, leafHash, MAX_TREE_SIZE, verifyInclusion } from "../../attest/tree.ts";
import { refusalOf } from "./refusal.ts";
import { leavesOf, naiveRoot, naiveSource, size, suite, uniformSource } from "./tree-kit.ts";

function frontierOf(leaves: readonly Uint8Array[]): Frontier {
  const frontier = new Frontier(suite);
  for (const leaf of leaves) frontier.append(leafHash(suite, leaf));
  return frontier;
}

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

  it("grows by many leaves at a time as by one after another, whatever its size", () => {
    const { sha256Parts: _, ...oneByOne } = nativeSuite;
    const hashes = leavesOf(200).map((leaf) => leafHash(suite, leaf));
    fc.assert(
      fc.property(
        fc.constantFrom(nativeSuite, oneByOne),
        fc.array(fc.nat(80), { maxLength: 5 }),
        (of, steps) => {
          const grown = new Frontier(of);
          const single = new Frontier(of);
          for (const step of steps) {
            const next = hashes.slice(grown.size, grown.size + step);
            grown.appendAll(concatBytes(...next));
            for (const hash of next) single.append(hash);
            expect(toHex(grown.toBytes())).toBe(toHex(single.toBytes()));
          }
          if (grown.size > 0) expect(grown.root()).toEqual(naiveRoot(leavesOf(grown.size)));
        },
      ),
    );
  });

  it("refuses to grow by half a hash or beyond 2^53-1 leaves, and stays as it was", () => {
    const full = new Frontier(suite, MAX_TREE_SIZE - 1, Array(52).fill(new Uint8Array(32)));
    const before = full.toBytes();
    expect(refusalOf(() => full.appendAll(new Uint8Array(33)))).toBe("tree-hash");
    expect(refusalOf(() => full.appendAll(new Uint8Array(64)))).toBe("tree-full");
    expect(full.toBytes()).toEqual(before);
    full.appendAll(new Uint8Array(32));
    expect(full.size).toBe(MAX_TREE_SIZE);
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
