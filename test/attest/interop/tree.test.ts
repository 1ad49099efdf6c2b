import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toHex } from "../../../attest/bytes.ts";
import { buildMultiproof, rootFromMultiproof } from "../../../attest/multiproof.ts";
import {
  consistencyProof,
  inclusionProof,
  type NodeSource,
  rangeHash,
  STORED_SUBTREE_LEAVES,
  SubtreeSource,
} from "../../../attest/node-source.ts";
import {
  Frontier,
  leafHash,
  MAX_TREE_SIZE,
  verifyConsistency,
  verifyInclusion,
} from "../../../attest/tree.ts";
import { damagedProofs, hugeSize, suite, uniformSource } from "../tree-kit.ts";
import { askTlog, type TlogClaim, tlogIsHere } from "./tlog.ts";

const LEAVES = 5000;
/** Every proof of every tree up to here. */
const SMALL = 34;

const leaves = fc.sample(fc.uint8Array({ maxLength: 90 }), LEAVES);
const leafHashes = leaves.map((leaf) => leafHash(suite, leaf));

/** As a journal keeps a log: the leaf hashes, and every complete subtree of 256 leaves. */
function storedSource(): NodeSource {
  const subtrees: Uint8Array[] = [];
  const store = {
    size: () => LEAVES,
    stored: (index: number) => subtrees[index],
    leafHashes: (from: number, to: number) => leafHashes.slice(from, to),
  };
  const source = new SubtreeSource(suite, store);
  for (let from = 0; from + STORED_SUBTREE_LEAVES <= LEAVES; from += STORED_SUBTREE_LEAVES)
    subtrees.push(rangeHash(source, from, from + STORED_SUBTREE_LEAVES));
  return source;
}

const anySize = fc.oneof(
  fc.integer({ min: 1, max: LEAVES }),
  fc.tuple(fc.integer({ min: 6, max: 12 }), fc.integer({ min: -1, max: 1 })).map(([n, d]) => 2 ** n + d),
);
/** A size, and an index below it. */
type Pair = readonly [size: number, index: number];
const anyPair = fc.tuple(anySize, fc.nat()).map(([size, any]): Pair => [size, any % size]);
/** Below 2^53-1, so that one more is a size, too. */
const hugePair = fc.tuple(hugeSize, fc.double({ min: 0, max: 1, noNaN: true })).map(([any, part]): Pair => {
  const size = Math.min(any, MAX_TREE_SIZE - 1);
  return [size, Math.min(size - 1, Math.floor(size * part))];
});
const smallPairs = Array.from({ length: SMALL }, (_, at) =>
  Array.from({ length: at + 1 }, (_, index): Pair => [at + 1, index]),
);

const source = storedSource();
const inclusion = [...smallPairs.flat(), ...fc.sample(anyPair, 400)];
const consistency = inclusion.map(([size, index]): Pair => [size, index + 1]);

interface Claim {
  readonly kind: TlogClaim["kind"];
  readonly size: number;
  readonly index: number;
  readonly root: Uint8Array;
  readonly old: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

const hashAt = (index: number): Uint8Array => leafHashes[index] ?? new Uint8Array(0);

function honestClaims(of: NodeSource, [size, index]: Pair): Claim[] {
  const root = rangeHash(of, 0, size);
  const leaf = { index, old: of.subtree(0, index), proof: inclusionProof(of, size, index) };
  const earlier = index + 1;
  const prefix = {
    index: earlier,
    old: rangeHash(of, 0, earlier),
    proof: consistencyProof(of, earlier, size),
  };
  return [
    { kind: "inclusion", size, root, ...leaf },
    { kind: "consistency", size, root, ...prefix },
  ];
}

/** The claim with one thing of it changed. */
function spoiled(claim: Claim, any: number): Claim[] {
  const { index, size, root, old, proof } = claim;
  const elsewhere = [index - 1, index + 1, size - index, size].map((other) => ({ ...claim, index: other }));
  const grown = [size - 1, size + 1, 2 * size, 0].map((other) => ({ ...claim, size: other }));
  const proofs = damagedProofs(proof, any).map((other) => ({ ...claim, proof: other }));
  return [
    ...elsewhere,
    ...grown,
    { ...claim, root: old, old: root },
    { ...claim, old: hashAt(any % LEAVES) },
    ...proofs,
  ];
}

function ourVerdict({ kind, size, index, root, old, proof }: Claim): boolean {
  return kind === "inclusion"
    ? verifyInclusion(suite, { leafIndex: index, treeSize: size, leafHash: old, proof, root })
    : verifyConsistency(suite, { size1: index, size2: size, root1: old, root2: root, proof });
}

/** Honest claims and what they turn into, of the trees of the log and of trees of up to 2^53-2 equal leaves. */
function anyClaims(): Claim[] {
  const small = fc.sample(fc.tuple(fc.constantFrom(...inclusion), fc.nat()), 100);
  const huge = fc.sample(fc.tuple(hugePair, fc.nat()), 40);
  return [
    ...small.flatMap(([pair, any]) => withSpoiled(honestClaims(source, pair), any)),
    ...huge.flatMap(([pair, any]) => withSpoiled(honestClaims(uniformSource(pair[0]), pair), any)),
  ];
}

/** Each claim, and at most thirty that it was spoiled into. */
function withSpoiled(claims: readonly Claim[], any: number): Claim[] {
  return claims.flatMap((claim) => {
    const all = spoiled(claim, any);
    const step = Math.ceil(all.length / 30);
    return [claim, ...all.filter((_, at) => at % step === any % step)];
  });
}

describe("the tree against golang.org/x/mod/sumdb/tlog", () => {
  if (!tlogIsHere) return void it.skip("gccgo or golang-golang-x-mod-dev is not installed");
  const claims = anyClaims();
  const answer = askTlog({
    ...{ leaves: leaves.map(toHex), inclusion, consistency },
    claims: claims.map((claim) => ({
      ...claim,
      ...{ root: toHex(claim.root), old: toHex(claim.old), proof: claim.proof.map(toHex) },
    })),
  });

  it("has the root of every tree, appended to or computed from what was stored", () => {
    const frontier = new Frontier(suite);
    expect(leafHashes.map(toHex)).toEqual(answer.leafHashes);
    for (const [at, hash] of leafHashes.entries()) {
      frontier.append(hash);
      expect(toHex(frontier.root())).toBe(answer.roots[at]);
      expect(toHex(rangeHash(source, 0, at + 1))).toBe(answer.roots[at]);
    }
  });

  it("proves inclusion with the same hashes", () => {
    for (const [at, [size, index]] of inclusion.entries())
      expect(inclusionProof(source, size, index).map(toHex)).toEqual(answer.inclusion[at]);
    console.log(
      `tlog: ${LEAVES} roots, ${inclusion.length} inclusion proofs, ${consistency.length} of consistency`,
    );
  });

  it("proves consistency with the same hashes", () => {
    for (const [at, [size, earlier]] of consistency.entries())
      expect(consistencyProof(source, earlier, size).map(toHex)).toEqual(answer.consistency[at]);
  });

  it("gives the same verdict on proofs, honest or not", () => {
    expect(claims.filter((claim, at) => ourVerdict(claim) !== answer.claims[at])).toEqual([]);
    const accepted = answer.claims.filter(Boolean).length;
    console.log(`tlog: ${claims.length} claims, ${accepted} accepted`);
    expect(accepted).toBeGreaterThanOrEqual(280);
    expect(accepted).toBeLessThan(claims.length / 2);
  });

  it("leads every multiproof to its root", () => {
    const indices = fc.uniqueArray(fc.nat(LEAVES - 1), { minLength: 1, maxLength: 12 });
    const any = fc.property(anySize, indices, (size, some) => {
      const chosen = [...new Set(some.map((index) => index % size))].sort((a, b) => a - b);
      const proof = buildMultiproof(source, size, chosen);
      const proven = chosen.map((index) => ({ index, hash: hashAt(index) }));
      expect(toHex(rootFromMultiproof(suite, { size, leaves: proven, proof }))).toBe(answer.roots[size - 1]);
    });
    fc.assert(any, { numRuns: 200 });
  });
});
