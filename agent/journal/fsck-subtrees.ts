import { equalBytes, toHex } from "../../attest/bytes.ts";
import { nativeSuite } from "../../attest/native.ts";
import { STORED_LEVEL } from "../../attest/node-source.ts";
import { Problem } from "../../attest/problem.ts";
import { bitLength, Frontier, HASH_BYTES, nodeHash } from "../../attest/tree.ts";
import { bytesOf, type Findings, guarded, placeOf } from "../../runtime/fsck-rows.ts";
import type { EpochCheck } from "./fsck-types.ts";
import { SUBTREE_LEAVES } from "./journal.ts";

const HINT =
  "one of these leaves or the stored hash was changed: if the next checkpoint's root stands, it is the hash, and only proofs suffer";

/** Hash of a complete subtree of 2^level leaves. */
export interface Node {
  readonly level: number;
  readonly hash: Uint8Array;
}

/**
 * The tree over an epoch out of leaves and of hashes that stand for released ones. Each block of 256 is held against the
 * hash that is stored over it.
 */
export class EpochTree {
  readonly #check: EpochCheck;
  /** Complete blocks, as the peaks of a frontier, largest first. */
  readonly #blocks: Node[] = [];
  /** What has been seen of the block that is not complete yet; undefined where its begin was not. */
  #block: Frontier | Node[] | undefined;
  #next = 0;
  /** Whether every leaf so far was there, or a hash in its place. */
  #isWhole = true;

  constructor(check: EpochCheck) {
    this.#check = check;
  }

  /** Leaves from `from` on by their hashes, 32 bytes each, back to back. */
  *addLeaves(from: number, hashes: Uint8Array): Findings {
    this.#goTo(from);
    const end = from + hashes.length / HASH_BYTES;
    for (let at = from; at < end; ) {
      const to = Math.min(end, at - (at % SUBTREE_LEAVES) + SUBTREE_LEAVES);
      if (at % SUBTREE_LEAVES === 0) this.#block = new Frontier(nativeSuite);
      const part = hashes.subarray(HASH_BYTES * (at - from), HASH_BYTES * (to - from));
      if (this.#block instanceof Frontier) this.#block.appendAll(part);
      else if (this.#block !== undefined) addEach(this.#block, part);
      yield* this.#endAt(to);
      at = to;
    }
  }

  /** One hash in place of 2^level leaves from `from` on, which is a multiple of that many; level is 8 at most. */
  *addNode(from: number, node: Node): Findings {
    this.#goTo(from);
    if (from % SUBTREE_LEAVES === 0) this.#block = [];
    if (this.#block instanceof Frontier) this.#block = nodesOf(this.#block);
    if (this.#block !== undefined) addNode(this.#block, node);
    yield* this.#endAt(from + 2 ** node.level);
  }

  /** Root over all that was added; undefined when something between was not. */
  root(): Uint8Array | undefined {
    if (!this.#isWhole) return undefined;
    const open = this.#block instanceof Frontier ? nodesOf(this.#block) : (this.#block ?? []);
    const [last, ...rest] = [...this.#blocks, ...open].reverse();
    return rest.reduce<Uint8Array | undefined>(
      (root, { hash }) => root && nodeHash(nativeSuite, hash, root),
      last?.hash,
    );
  }

  /** What lies between is not there. */
  #goTo(from: number): void {
    if (from === this.#next) return;
    this.#isWhole = false;
    this.#block = undefined;
  }

  *#endAt(next: number): Findings {
    this.#next = next;
    if (next % SUBTREE_LEAVES > 0) return;
    const block = this.#block;
    this.#block = undefined;
    const hash = block instanceof Frontier ? block.root() : block?.[0]?.hash;
    if (hash === undefined) return;
    addNode(this.#blocks, { level: STORED_LEVEL, hash });
    yield* guarded(() => this.#require(next / SUBTREE_LEAVES - 1, hash));
  }

  #require(position: number, hash: Uint8Array): void {
    const { rows, extent } = this.#check;
    const where = placeOf("subtree", { epoch: extent.epoch, position });
    const row = rows.one("subtree", { epoch: extent.epoch, position });
    const stored = row && bytesOf(row, "hash", where);
    if (stored !== undefined && equalBytes(stored, hash)) return;
    const first = position * SUBTREE_LEAVES;
    throw new Problem("fsck-subtree", "the hash stored over these leaves is not theirs", {
      where: `${where}, leaves ${first} to ${first + SUBTREE_LEAVES - 1}`,
      expected: toHex(hash),
      got: stored === undefined ? "nothing" : toHex(stored),
      hint: HINT,
    });
  }
}

/** Adds a subtree behind others, and joins what thereby becomes complete. */
function addNode(nodes: Node[], { level, hash }: Node): void {
  let added: Node = { level, hash };
  for (let left = nodes.at(-1); left?.level === added.level; left = nodes.at(-1)) {
    nodes.pop();
    added = { level: added.level + 1, hash: nodeHash(nativeSuite, left.hash, added.hash) };
  }
  nodes.push(added);
}

function addEach(nodes: Node[], hashes: Uint8Array): void {
  for (let at = 0; at < hashes.length; at += HASH_BYTES)
    addNode(nodes, { level: 0, hash: hashes.slice(at, at + HASH_BYTES) });
}

/** One subtree for each binary 1 in the size, largest first. */
function nodesOf({ size, hashes }: Frontier): Node[] {
  let left = size;
  return hashes.map((hash) => {
    const level = bitLength(left) - 1;
    left -= 2 ** level;
    return { level, hash };
  });
}
