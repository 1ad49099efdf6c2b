import { STORED_SUBTREE_LEAVES } from "../../attest/node-source.ts";
import { readSaved } from "../../attest/saved-rules.ts";
import type { Suite } from "../../attest/suite.ts";
import { Frontier, HASH_BYTES } from "../../attest/tree.ts";

/** How a log grows: its size before, the hashes of the new leaves back to back, and what its rules were saved as before. */
export interface Growth {
  readonly fromSize: number;
  readonly hashes: Uint8Array;
  /** Asked for only where leaves from before count. */
  readonly rulesBefore: () => string | undefined;
}

/** A subtree of 256 leaves by its number, and its hash. */
export interface Subtree {
  readonly place: number;
  readonly hash: Uint8Array;
}

/**
 * The subtrees of 256 leaves that a log's growth completes. The first may have begun before: the frontier in the saved rules
 * stands for its leaves, so that they are neither read nor hashed again.
 */
export function completedSubtrees(suite: Suite, growth: Growth): readonly Subtree[] {
  const { fromSize, hashes } = growth;
  const before = fromSize % STORED_SUBTREE_LEAVES;
  const whole = Math.floor((before + hashes.length / HASH_BYTES) / STORED_SUBTREE_LEAVES);
  const place = Math.floor(fromSize / STORED_SUBTREE_LEAVES);
  return Array.from({ length: whole }, (_, at) => {
    const tree = at === 0 ? begunTree(suite, growth) : new Frontier(suite);
    const from = HASH_BYTES * Math.max(0, at * STORED_SUBTREE_LEAVES - before);
    tree.appendAll(hashes.subarray(from, HASH_BYTES * ((at + 1) * STORED_SUBTREE_LEAVES - before)));
    return { place: place + at, hash: tree.root() };
  });
}

/** The leaves behind the last complete subtree, as a tree of their own: it has the last peaks of the whole tree. */
function begunTree(suite: Suite, { fromSize, rulesBefore }: Growth): Frontier {
  const size = fromSize % STORED_SUBTREE_LEAVES;
  const text = size === 0 ? undefined : rulesBefore();
  if (text === undefined) return new Frontier(suite);
  const peaks = size.toString(2).replaceAll("0", "").length;
  return new Frontier(suite, size, readSaved(text).peaks.slice(-peaks));
}
