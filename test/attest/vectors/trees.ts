import { bad, type Case, type Draft, good } from "./draft.ts";
import { someHash } from "./keys.ts";
import { carried, cutHash, leafHash, nodeHash, path, rangeHash, subproof, treeHash } from "./tree-shapes.ts";

/** Trees and what is proven of them, small ones and some beyond 2^32 leaves. */
const HUGE = 2 ** 33 + 5;

export function treeDrafts(): Draft[] {
  return [...frontiers(), ...inclusions(), ...consistencies(), ...multiproofs()];
}

const sevenLeaves = Array.from({ length: 7 }, (_, at) => Uint8Array.of(0xa0, at));
const sevenHashes = sevenLeaves.map(leafHash);

function frontiers(): Draft[] {
  const [a, b, c, d, e, f, g] = sevenHashes.map((hash) => [hash]);
  if (!a || !b || !c || !d || !e || !f || !g) throw new Error("seven leaves");
  const peaks = [treeHash([...a, ...b, ...c, ...d]), treeHash([...e, ...f]), ...g];
  const seven = good("frontier", "", {
    about: "Seven leaves appended to an empty tree.",
    input: { size: 0, peaks: [], leaves: sevenLeaves },
    expect: { size: 7, root: treeHash(sevenHashes), peaks },
  });
  const last = good("frontier", "one", {
    about: "One leaf: its hash is the root.",
    input: { size: 0, peaks: [], leaves: sevenLeaves.slice(0, 1) },
    expect: { size: 1, root: sevenHashes[0], peaks: a },
  });
  return [seven, last, ...hugeFrontiers(), ...frontierFaults(seven)];
}

function hugeFrontiers(): Draft[] {
  const half = someHash("half");
  const before = [someHash("2^32 leaves"), someHash("2 leaves"), someHash("1 leaf")];
  const [whole, two, one] = before;
  const [leaf = new Uint8Array(0)] = sevenLeaves;
  if (!whole || !two || !one) throw new Error("three peaks");
  const four = nodeHash(two, nodeHash(one, leafHash(leaf)));
  return [
    good("frontier", "beyond-32-bits", {
      about: "The leaf that makes 2^32 + 4 of 2^32 + 3.",
      input: { size: 2 ** 32 + 3, peaks: before, leaves: [leaf] },
      expect: { size: 2 ** 32 + 4, root: nodeHash(whole, four), peaks: [whole, four] },
    }),
    good("frontier", "doubles", {
      about: "A second half of one leaf joins 1 leaf to 2.",
      input: { size: 1, peaks: [half], leaves: [leaf] },
      expect: { size: 2, root: nodeHash(half, leafHash(leaf)), peaks: [nodeHash(half, leafHash(leaf))] },
    }),
  ];
}

function frontierFaults(from: Case): Draft[] {
  const full = Array.from({ length: 53 }, (_, at) => someHash(`peak ${at}`));
  return [
    bad(from, "peak-missing", {
      ...{ about: "Three leaves have two peaks, and here is one.", code: "tree-frontier" },
      input: { size: 3, peaks: [someHash("peak")] },
    }),
    bad(from, "peak-short", {
      ...{ about: "A peak of 31 bytes.", code: "tree-frontier" },
      input: { size: 1, peaks: [someHash("peak").slice(1)] },
    }),
    bad(from, "empty", {
      ...{ about: "A tree without a leaf has no root.", code: "tree-empty", input: { leaves: [] } },
    }),
    bad(from, "full", {
      ...{ about: "A log of 2^53-1 leaves takes no other one.", code: "tree-full" },
      input: { size: Number.MAX_SAFE_INTEGER, peaks: full },
    }),
  ];
}

function inclusion(leafIndex: number, treeSize: number): object {
  const shape = { leaves: new Map([[leafIndex, someHash("the leaf")]]), cuts: [] };
  const proof = path(shape, leafIndex, { from: 0, to: treeSize });
  const root = rangeHash(shape, 0, treeSize);
  return { leafIndex, treeSize, leafHash: someHash("the leaf"), proof, root };
}

function inclusions(): Draft[] {
  const make = (variant: string, about: string, input: object): Draft =>
    good("inclusion", variant, { about, input, expect: {} });
  const seven = make("", "Leaf 4 of 7.", inclusion(4, 7));
  const { proof } = seven.input;
  const hashes = Array.isArray(proof) ? proof : [];
  const refused = (fault: string, about: string, input: object): Draft =>
    bad(seven, fault, { about, code: "inclusion", input });
  return [
    seven,
    make("only", "The only leaf: the proof is empty.", inclusion(0, 1)),
    make("last", "The last leaf of 5, which stands alone under the root.", inclusion(4, 5)),
    make("beyond-32-bits", "A leaf of a tree of 2^33 + 5.", inclusion(2 ** 32 + 1, HUGE)),
    refused("missing", "One hash is missing.", { proof: hashes.slice(1) }),
    refused("surplus", "One hash too many.", { proof: [...hashes, someHash("more")] }),
    refused("other-leaf", "Another leaf's hash.", { leafHash: someHash("another leaf") }),
    refused("other-place", "The leaf's neighbour.", { leafIndex: 5 }),
    refused("outside", "An index that is the size.", { leafIndex: 7 }),
    refused("other-root", "Another root.", { root: someHash("another root") }),
  ];
}

function consistency(size1: number, size2: number): object {
  const shape = { leaves: new Map(), cuts: [size1] };
  const range = { from: 0, to: size2 };
  const root2 = rangeHash(shape, 0, size2);
  const root1 = size1 === size2 ? root2 : cutHash(shape, size1, range);
  return { size1, size2, root1, root2, proof: subproof(shape, size1, range) };
}

function consistencies(): Draft[] {
  const make = (variant: string, about: string, input: object): Draft =>
    good("consistency", variant, { about, input, expect: {} });
  const seven = make("", "A log of 3 leaves that grew to 7.", consistency(3, 7));
  const refused = (fault: string, about: string, input: object): Draft =>
    bad(seven, fault, { about, code: "consistency", input });
  const { proof } = seven.input;
  const hashes = Array.isArray(proof) ? proof : [];
  const { root2 } = seven.input;
  return [
    seven,
    make("same", "A log that did not grow: the proof is empty.", consistency(7, 7)),
    make("power", "From 4 leaves, whose root is a node of the larger tree.", consistency(4, 7)),
    make("beyond-32-bits", "From 2^32 + 3 leaves to 2^33 + 5.", consistency(2 ** 32 + 3, HUGE)),
    refused("other-root", "Another history: the smaller tree has another root.", {
      root1: someHash("another root"),
    }),
    refused("missing", "One hash is missing.", { proof: hashes.slice(1) }),
    refused("surplus", "One hash too many.", { proof: [...hashes, someHash("more")] }),
    refused("empty", "Every tree begins with the empty one, so that shows nothing.", {
      ...{ size1: 0, root1: root2, proof: [] },
    }),
    refused("shrunk", "A log that became smaller.", { size1: 7, size2: 3 }),
  ];
}

function multiproof(
  variant: string,
  about: string,
  tree: { size: number; indices: readonly number[]; cuts: readonly number[] },
): Draft {
  const { size, indices, cuts } = tree;
  const leaves = new Map(indices.map((index) => [index, someHash(`leaf ${index}`)]));
  const shape = { leaves, cuts };
  const range = { from: 0, to: size };
  const cutRoots = cuts.map((cut) => ({ size: cut, root: cutHash(shape, cut, range) }));
  const shown = [...leaves].map(([index, hash]) => ({ index, hash }));
  const proof = carried(shape, 0, size);
  const input = { size, leaves: shown, cuts, proof, root: rangeHash(shape, 0, size) };
  return good("multiproof", variant, { about, input, expect: { cutRoots } });
}

function multiproofs(): Draft[] {
  const two = multiproof("", "Leaves 2 and 3 of 7.", { size: 7, indices: [2, 3], cuts: [] });
  const cut = multiproof("cuts", "Leaf 5 of 7, and the roots at 1, 4 and 6 leaves.", {
    ...{ size: 7, indices: [5], cuts: [1, 4, 6] },
  });
  return [
    two,
    cut,
    multiproof("only", "The only leaf: no hash is carried.", { size: 1, indices: [0], cuts: [] }),
    multiproof("all", "All leaves of 5.", { size: 5, indices: [0, 1, 2, 3, 4], cuts: [3] }),
    multiproof("beyond-32-bits", "Three leaves and two cuts in a tree of 2^33 + 5.", {
      ...{ size: HUGE, indices: [7, 2 ** 32, 2 ** 33 + 4], cuts: [2 ** 32 + 1, 2 ** 33] },
    }),
    ...multiproofFaults(two, cut),
  ];
}

function multiproofFaults(two: Draft, cut: Draft): Draft[] {
  const hashes = Array.isArray(two.input["proof"]) ? two.input["proof"] : [];
  const leaves = Array.isArray(two.input["leaves"]) ? two.input["leaves"] : [];
  const rows: readonly (readonly [string, string, object])[] = [
    ["missing", "One hash is missing.", { proof: hashes.slice(1) }],
    ["surplus", "One hash too many.", { proof: [...hashes, someHash("more")] }],
    ["short", "A hash of 31 bytes.", { proof: [someHash("short").slice(1), ...hashes.slice(1)] }],
    ["order", "The leaves in descending order.", { leaves: [...leaves].reverse() }],
    ["no-leaf", "No leaf at all.", { leaves: [] }],
    ["empty", "A tree of size 0.", { size: 0 }],
  ];
  const cutRows: readonly (readonly [string, string, object])[] = [
    ["cut-order", "Cuts out of order.", { cuts: [4, 1, 6] }],
    ["cut-zero", "A cut at 0, where there is no tree.", { cuts: [0, 1, 4, 6] }],
    ["cut-size", "A cut at the size itself.", { cuts: [1, 4, 6, 7] }],
    ["cut-missing", "A cut less than the hashes are for.", { cuts: [4, 6] }],
  ];
  return [
    ...rows.map(([fault, about, input]) => bad(two, fault, { about, code: "proof-shape", input })),
    ...cutRows.map(([fault, about, input]) => bad(cut, fault, { about, code: "proof-shape", input })),
    bad(two, "other-root", {
      ...{ about: "The leaves are in another tree.", code: "proof-root" },
      input: { root: someHash("another root") },
    }),
    bad(two, "exchanged", {
      ...{ about: "Two hashes that stand in each other's place.", code: "proof-root" },
      input: { proof: [...hashes].reverse() },
    }),
  ];
}
