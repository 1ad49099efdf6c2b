import { equalBytes, toHex } from "../../attest/bytes.ts";
import type { Tombstone } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { STORED_LEVEL } from "../../attest/node-source.ts";
import { Problem } from "../../attest/problem.ts";
import { bytesOf, placeOf, type Row, shown, wholeOf } from "../../runtime/fsck-rows.ts";
import type { Node } from "./fsck-subtrees.ts";
import type { EpochCheck } from "./fsck-types.ts";
import { SUBTREE_LEAVES } from "./journal.ts";

const GAP_HINT =
  "keep the file, and take proofs from a node that holds this log; what is behind this leaf is only decoded";

/** Leaves `from` to `to` - 1, which are not there. */
export interface Gap {
  readonly from: number;
  readonly to: number;
}

/** A hash that stands for released leaves. */
export interface Released extends Node {
  readonly from: number;
  /** Whether it has a row of its own, and is not that of a whole block. */
  readonly hasRow: boolean;
}

/** What was released of one epoch. Gaps are asked for in ascending order. */
export class Releases {
  readonly #check: EpochCheck;
  /** Those that are known, by the leaf behind their last one; the ones before `#first` are behind all later gaps. */
  #tombstones: Tombstone[] = [];
  #first = 0;
  #scanned = 0;

  constructor(check: EpochCheck) {
    this.#check = check;
  }

  /**
   * The hashes that stand for missing leaves, in order, where these were released: a tombstone behind them says so, every
   * leaf is under a hash, and they had been receipted before. Throws what is wrong otherwise.
   */
  nodesIn(gap: Gap): readonly Released[] {
    const tombstone = this.#over(gap);
    const nodes: Released[] = [];
    for (let from = gap.from; from < gap.to; ) {
      const node = nodeAt(this.#check, from, gap.to);
      nodes.push(node);
      from += 2 ** node.level;
    }
    requireReceipted(this.#check, gap, tombstone);
    return nodes;
  }

  /** The tombstone with which all of them were said to be gone; it may be newer than the check, as their going is then. */
  #over(gap: Gap): Tombstone {
    const known = this.#covering(gap).tombstone;
    if (known !== undefined) return known;
    this.#scan(gap.to);
    const { tombstone, left } = this.#covering(gap);
    if (tombstone !== undefined) return tombstone;
    throw new Problem("fsck-gap", "leaves are missing, and no tombstone says that they were released", {
      where: placeOf("leaf", { epoch: this.#check.extent.epoch, seq: left.from }),
      ...{ expected: `leaf ${left.from}`, got: `leaf ${left.to} next`, hint: GAP_HINT },
    });
  }

  /** The first tombstone by which all are covered; else the first leaves that none covers. */
  #covering(gap: Gap): { readonly tombstone?: Tombstone; readonly left: Gap } {
    const uncovered = new Map<number, number>([[gap.from, gap.to]]);
    while (endOf(this.#tombstones[this.#first]) <= gap.from) this.#first += 1;
    for (let at = this.#first; at < this.#tombstones.length; at++) {
      const tombstone = this.#tombstones[at];
      if (tombstone !== undefined) cutOut(uncovered, tombstone);
      if (tombstone !== undefined && uncovered.size === 0) return { tombstone, left: gap };
    }
    const [[from, to] = [gap.from, gap.to]] = uncovered;
    return { left: { from, to } };
  }

  /** Looks for tombstones that are not known yet. */
  #scan(from: number): void {
    const { rows, extent } = this.#check;
    const found = rows.all("tombstones", { epoch: extent.epoch, from: Math.max(from, this.#scanned) });
    const last = found.at(-1);
    if (last !== undefined) this.#scanned = Number(last["seq"]) + 1;
    const added = found.flatMap((row) => tombstoneOf(row) ?? []);
    const all = [...this.#tombstones.slice(this.#first), ...added];
    this.#tombstones = all.sort((a, b) => endOf(a) - endOf(b));
    this.#first = 0;
  }
}

function endOf(tombstone: Tombstone | undefined): number {
  return tombstone === undefined ? Number.POSITIVE_INFINITY : tombstone.firstSeq + tombstone.count;
}

function tombstoneOf(row: Row): Tombstone | undefined {
  try {
    const leaf = decodeLeaf(bytesOf(row, "bytes", ""));
    return leaf.kind === "tombstone" ? leaf : undefined;
  } catch (cause) {
    if (cause instanceof Problem) return undefined; // said of it where it is looked at by itself
    throw cause;
  }
}

/** Takes what a tombstone covers out of ranges, each by its first leaf and the one behind its last. */
function cutOut(ranges: Map<number, number>, { firstSeq, count }: Tombstone): void {
  const end = firstSeq + count;
  for (const [from, to] of [...ranges]) {
    if (end <= from || firstSeq >= to) continue;
    ranges.delete(from);
    if (from < firstSeq) ranges.set(from, firstSeq);
    if (end < to) ranges.set(end, to);
  }
}

/** The hash in place of leaves from `from` on, none of which is at or behind `to`; of a whole block also the block's. */
function nodeAt({ rows, extent }: EpochCheck, from: number, to: number): Released {
  const { epoch } = extent;
  const where = placeOf("released", { epoch, seq: from });
  const row = rows.one("released", { epoch, seq: from });
  const block = rows.one("subtree", { epoch, position: from / SUBTREE_LEAVES });
  const kept = row ?? (block && { ...block, level: STORED_LEVEL });
  if (kept === undefined) {
    throw new Problem("fsck-released", "a leaf was released, and no hash stands in its place", {
      ...{ where, expected: "the hash of a subtree that begins here", got: "no row", hint: GAP_HINT },
    });
  }
  const [level, hash] = [wholeOf(kept, "level", where), bytesOf(kept, "hash", where)];
  const leaves = 2 ** level;
  if (level <= STORED_LEVEL && from % leaves === 0 && from + leaves <= to && hash.length === 32)
    return { from, level, hash, hasRow: row !== undefined };
  throw new Problem("fsck-released", "the hash does not stand for leaves that are gone", {
    where,
    expected: `32 bytes, of a subtree of 2^level leaves from ${from} to ${to - 1} at most`,
    got: `${shown(hash)}, level ${level}`,
    hint: GAP_HINT,
  });
}

/** Nothing is released before it is receipted; a receipt that was there by then is over less than the tombstone's place. */
function requireReceipted(
  { rows, extent, trust }: EpochCheck,
  { from, to }: Gap,
  tombstone: Tombstone,
): void {
  const { epoch } = extent;
  const where = placeOf("leaf", { epoch, seq: from });
  const over = rows
    .all("receiptedBy", { epoch, from: to, most: tombstone.seq })
    .map((row) => bytesOf(row, "nodeKey", placeOf("receipt", { epoch })));
  const lacking = trust.nodeKeys.find((key) => !over.some((other) => equalBytes(key, other)));
  if (over.length > 0 && lacking === undefined) return;
  throw new Problem("fsck-released", "leaves were released before they were receipted", {
    where,
    expected: `receipts over ${to} leaves or more that are older than the tombstone at leaf ${tombstone.seq}`,
    got: lacking === undefined ? "none" : `none of node ${toHex(lacking)}`,
    hint: "keep the file; if no node holds these leaves, they are lost",
  });
}
