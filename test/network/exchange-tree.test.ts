import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { u64be } from "../../attest/bytes.ts";
import { buildMultiproof, rootFromMultiproof } from "../../attest/multiproof.ts";
import { type NodeSource, rangeHash } from "../../attest/node-source.ts";
import { leafHash, nodeHash } from "../../attest/tree.ts";
import { firstDifference } from "../../network/exchange/first-difference.ts";
import { PeerTree, peakPlaces } from "../../network/exchange/peer-tree.ts";
import { suite } from "../attest/fault-kit.ts";

const MOST_LEAVES = 3000;
const memo = new Map<string, Uint8Array>();

/** The tree of a log whose leaves are numbered from 0, those from `differsFrom` on otherwise. */
function treeOf(size: number, differsFrom: number): NodeSource {
  const subtree = (level: number, index: number): Uint8Array => {
    const first = index * 2 ** level;
    const last = first + 2 ** level - 1;
    // A subtree wholly before or wholly behind the difference is the same in every tree of this kind.
    const kind = last < differsFrom ? "same" : first >= differsFrom ? "other" : `${differsFrom}`;
    const name = `${level}:${index}:${kind}`;
    const known = memo.get(name) ?? computed(level, index);
    memo.set(name, known);
    return known;
  };
  const computed = (level: number, index: number): Uint8Array =>
    level === 0
      ? leafHash(suite, u64be(index < differsFrom ? index : index + 2 ** 40))
      : nodeHash(suite, subtree(level - 1, 2 * index), subtree(level - 1, 2 * index + 1));
  return { suite, size, subtree };
}

interface Asked {
  readonly peer: ConstructorParameters<typeof PeerTree>[1];
  count(): number;
}

/** A peer that answers from a tree. */
function peerWith(tree: NodeSource): Asked {
  let count = 0;
  const peer: Asked["peer"] = {
    peaks: async (_log, size) => {
      count += 1;
      return peakPlaces(size).map(({ level, index }) => tree.subtree(level, index));
    },
    subtree: async (_log, { level, index, depth }) => {
      count += 1;
      return Array.from({ length: 2 ** depth }, (_, at) =>
        tree.subtree(level - depth, index * 2 ** depth + at),
      );
    },
  };
  return { peer, count: () => count };
}

const logId = new Uint8Array(32);

describe("two trees, one of them asked for node by node", () => {
  const sizes = fc.oneof(
    fc.integer({ min: 1, max: MOST_LEAVES }),
    fc.constantFrom(1, 2, 3, 255, 256, 257, 1023, 1024, 1025, 2048),
  );

  it("differ first where they do, in few questions, and give the path of that leaf", async () => {
    await fc.assert(
      fc.asyncProperty(sizes, sizes, fc.nat(MOST_LEAVES), async (ourSize, theirSize, differsFrom) => {
        const [ours, theirs] = [treeOf(ourSize, MOST_LEAVES + 1), treeOf(theirSize, differsFrom)];
        const root = rangeHash(theirs, 0, theirSize);
        const { peer, count } = peerWith(theirs);
        const tree = new PeerTree(suite, peer, { logId, size: theirSize, root });
        const size = Math.min(ourSize, theirSize);
        const index = await firstDifference({ ours, theirs: tree }, size);
        expect(index).toBe(differsFrom < size ? differsFrom : undefined);
        const levels = Math.ceil(Math.log2(Math.max(2, theirSize)) / 5);
        expect(count()).toBeLessThanOrEqual(1 + 2 * levels);
        if (index === undefined) return;
        const proof = buildMultiproof(tree.source(), theirSize, [index]);
        const hash = theirs.subtree(0, index);
        expect(rootFromMultiproof(suite, { size: theirSize, leaves: [{ index, hash }], proof })).toEqual(
          root,
        );
        // What the fault's builder hashes beside the path.
        expect(rangeHash(tree.source(), 0, size)).toEqual(rangeHash(theirs, 0, size));
      }),
      { numRuns: 400 },
    );
  });

  it("is not believed where it does not lead to the signed root", async () => {
    const [ours, theirs] = [treeOf(700, 701), treeOf(1000, 400)];
    const { peer } = peerWith(theirs);
    const tree = new PeerTree(suite, peer, {
      logId,
      size: 1000,
      root: rangeHash(treeOf(1000, 401), 0, 1000),
    });
    await expect(firstDifference({ ours, theirs: tree }, 700)).rejects.toMatchObject({
      code: "exchange-answer",
    });
    expect(() => tree.source().subtree(0, 0)).toThrow(expect.objectContaining({ code: "exchange-unasked" }));
  });
});
