import { equalBytes } from "../../../attest/bytes.ts";
import { rootsFromMultiproof } from "../../../attest/multiproof.ts";
import { Problem } from "../../../attest/problem.ts";
import type { Suite } from "../../../attest/suite.ts";
import { Frontier, leafHash, verifyConsistency, verifyInclusion } from "../../../attest/tree.ts";
import { byteListOf, bytesOf, numberOf, numbersOf, recordsOf } from "./fields.ts";
import type { JsonFields } from "./schema.ts";

/** Appends leaves, or hashes of leaves, to a frontier, which may be an empty one. */
export function runFrontier(suite: Suite, input: JsonFields): object {
  const frontier = new Frontier(suite, numberOf(input, "size"), byteListOf(input, "peaks"));
  for (const leaf of byteListOf(input, "leaves")) frontier.append(leafHash(suite, leaf));
  return { size: frontier.size, root: frontier.root(), peaks: frontier.hashes };
}

/** An inclusion proof says yes or no, and nothing more. */
export function runInclusion(suite: Suite, input: JsonFields): object {
  const claim = {
    leafIndex: numberOf(input, "leafIndex"),
    treeSize: numberOf(input, "treeSize"),
    leafHash: bytesOf(input, "leafHash"),
    proof: byteListOf(input, "proof"),
    root: bytesOf(input, "root"),
  };
  if (verifyInclusion(suite, claim)) return {};
  throw new Problem("inclusion", "the leaf is not shown to be there");
}

/** A consistency proof says yes or no, and nothing more. */
export function runConsistency(suite: Suite, input: JsonFields): object {
  const claim = {
    size1: numberOf(input, "size1"),
    size2: numberOf(input, "size2"),
    root1: bytesOf(input, "root1"),
    root2: bytesOf(input, "root2"),
    proof: byteListOf(input, "proof"),
  };
  if (verifyConsistency(suite, claim)) return {};
  throw new Problem("consistency", "the larger tree is not shown to begin with the smaller one");
}

/** The roots that a multiproof leads to; the first is compared with the signed one. */
export function runMultiproof(suite: Suite, input: JsonFields): object {
  const { root, atCut } = rootsFromMultiproof(suite, {
    size: numberOf(input, "size"),
    leaves: recordsOf(input, "leaves").map((leaf) => ({
      index: numberOf(leaf, "index"),
      hash: bytesOf(leaf, "hash"),
    })),
    cuts: numbersOf(input, "cuts"),
    proof: byteListOf(input, "proof"),
  });
  if (!equalBytes(root, bytesOf(input, "root")))
    throw new Problem("proof-root", "the leaves are not in the tree of that root");
  return { cutRoots: [...atCut].map(([size, cutRoot]) => ({ size, root: cutRoot })).sort(bySize) };
}

function bySize(a: { readonly size: number }, b: { readonly size: number }): number {
  return a.size - b.size;
}
