import { equalBytes } from "../../attest/bytes.ts";
import type { NodeSource } from "../../attest/node-source.ts";
import { Problem } from "../../attest/problem.ts";
import type { Suite } from "../../attest/suite.ts";
import { bitLength, Frontier, nodeHash } from "../../attest/tree.ts";
import type { PeerQuestions } from "./peer.ts";
import { MOST_LEVELS } from "./questions.ts";
import { notAnAnswer } from "./transport.ts";

/** What a device has signed of a log. */
export interface SignedTree {
  readonly logId: Uint8Array;
  readonly size: number;
  readonly root: Uint8Array;
}

/** A complete subtree: 2^level leaves from leaf index * 2^level on. */
export interface Place {
  readonly level: number;
  readonly index: number;
}

/** The complete subtrees that the first `size` leaves of a tree consist of, largest first. */
export function peakPlaces(size: number): readonly Place[] {
  const places: Place[] = [];
  for (let from = 0; from < size; ) {
    const level = bitLength(size - from) - 1;
    places.push({ level, index: from / 2 ** level });
    from += 2 ** level;
  }
  return places;
}

/**
 * The tree under a device's signed checkpoint, node by node as a peer shows it. Each node is checked against the one above
 * it, up to the signed root: the peer can keep nodes back, but show no wrong ones.
 */
export class PeerTree {
  readonly #suite: Suite;
  readonly #peer: Pick<PeerQuestions, "peaks" | "subtree">;
  readonly #signed: SignedTree;
  readonly #nodes = new Map<string, Uint8Array>();

  constructor(suite: Suite, peer: Pick<PeerQuestions, "peaks" | "subtree">, signed: SignedTree) {
    this.#suite = suite;
    this.#peer = peer;
    this.#signed = signed;
  }

  /** The hash of a complete subtree within the signed size. Throws what {@link PeerQuestions} does. */
  async node(place: Place): Promise<Uint8Array> {
    if (this.#nodes.size === 0) await this.#askPeaks();
    for (;;) {
      const known = this.#nodes.get(nameOf(place));
      if (known !== undefined) return known;
      await this.#askBelow(this.#knownAbove(place));
    }
  }

  /** What has been asked for until now, as proofs are built from. It throws `exchange-unasked` beyond that. */
  source(): NodeSource {
    const subtree = (level: number, index: number): Uint8Array => {
      const known = this.#nodes.get(nameOf({ level, index }));
      if (known !== undefined) return known;
      throw new Problem("exchange-unasked", "the peer was not asked for that node");
    };
    return { suite: this.#suite, size: this.#signed.size, subtree };
  }

  async #askPeaks(): Promise<void> {
    const { logId, size, root } = this.#signed;
    const places = peakPlaces(size);
    const hashes = await this.#peer.peaks(logId, size);
    if (hashes.length !== places.length)
      throw notAnAnswer(`${places.length} hashes`, String(hashes.length), "peaks");
    if (!equalBytes(new Frontier(this.#suite, size, hashes).root(), root)) throw untrue("the signed root");
    for (const [at, hash] of hashes.entries()) this.#keep(places[at], hash);
  }

  /** The lowest known subtree that holds the place; every place lies under a peak. */
  #knownAbove(place: Place): Place {
    for (let { level, index } = place; level < 53; level++, index = Math.floor(index / 2))
      if (this.#nodes.has(nameOf({ level, index }))) return { level, index };
    throw new Problem("tree-range", "no such subtree under the checkpoint", { where: nameOf(place) });
  }

  /** As many levels as one answer has: whoever asks for one node goes on to those below it. */
  async #askBelow(above: Place): Promise<void> {
    const depth = Math.min(MOST_LEVELS, above.level);
    let hashes = await this.#peer.subtree(this.#signed.logId, { ...above, depth });
    const levels = [hashes];
    for (let at = 0; at < depth; at++) {
      hashes = this.#parents(hashes);
      levels.push(hashes);
    }
    const [root] = hashes;
    const expected = this.#nodes.get(nameOf(above));
    if (root === undefined || expected === undefined || !equalBytes(root, expected))
      throw untrue("the node above");
    for (const [up, nodes] of levels.entries()) {
      const level = above.level - depth + up;
      const first = above.index * 2 ** (depth - up);
      for (const [at, hash] of nodes.entries()) this.#keep({ level, index: first + at }, hash);
    }
  }

  #parents(children: readonly Uint8Array[]): readonly Uint8Array[] {
    return Array.from({ length: children.length / 2 }, (_, at) => {
      const [left, right] = children.slice(2 * at, 2 * at + 2);
      return left && right ? nodeHash(this.#suite, left, right) : new Uint8Array(0);
    });
  }

  #keep(place: Place | undefined, hash: Uint8Array): void {
    if (place !== undefined) this.#nodes.set(nameOf(place), hash);
  }
}

function nameOf({ level, index }: Place): string {
  return `${level}:${index}`;
}

function untrue(what: string): Problem {
  return notAnAnswer(`hashes of which ${what} follows`, "others");
}
