import { concatBytes, equalBytes, toHex } from "../../attest/bytes.ts";
import { type Checkpoint, openCheckpoint } from "../../attest/checkpoint.ts";
import { type LogIdentity, logIdOf } from "../../attest/identity.ts";
import type { Leaf } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { LogRules } from "../../attest/log-rules.ts";
import { nativeSuite } from "../../attest/native.ts";
import { Problem } from "../../attest/problem.ts";
import { verifyBatch } from "../../attest/stream-verifier.ts";
import { hashLeaves } from "../../attest/tree-level.ts";
import { at, bytesOf, type Findings, guarded, placed, placeOf } from "../../runtime/fsck-rows.ts";
import { checkIndex } from "./fsck-index.ts";
import { checkSaved, resumed } from "./fsck-notes.ts";
import { checkAnchor } from "./fsck-receipts.ts";
import { type Gap, Releases } from "./fsck-released.ts";
import { EpochTree } from "./fsck-subtrees.ts";
import type { EpochCheck, SavedRules } from "./fsck-types.ts";

/** Leaves that are read, judged and compared at a time. */
const STRETCH_LEAVES = 1024;
const NOTHING = new Uint8Array(0);
const LEAF_HINT =
  "keep the file, and take proofs from a node that holds this log; what is behind this leaf is not held against the rules any more";
const CHECKPOINT_HINT =
  "keep the file; the leaves are checked by themselves, and a node may hold this checkpoint";
const ROOT_HINT =
  "keep the file, and take proofs from a node that holds this log; later roots of this epoch are not compared any more";

/** What a stretch of leaves says, and the tree hash of each. */
interface Judged {
  /** At least those that are no readings. */
  readonly leaves: readonly Leaf[];
  /** 32 bytes each, back to back. */
  readonly hashes: Uint8Array;
}

/** A checkpoint as the journal has it. */
interface CheckpointRow {
  readonly size: number;
  readonly bytes: Uint8Array;
  readonly where: string;
}

/** One epoch on the way from its first leaf to its last. */
export class EpochWalk {
  /** Leaves that were looked at, and those that are released. */
  leaves = 0;
  released = 0;
  /** Rows of the table `released` that stand for them. */
  releasedRows = 0;
  /** Leaves so far that the table `flexibility` has a row of. */
  flexibility = 0;
  /** The leaf at seq 1, once it has been read. */
  second: Leaf | undefined;
  readonly #check: EpochCheck;
  readonly #identity: LogIdentity | undefined;
  readonly #tree: EpochTree;
  readonly #releases: Releases;
  /** Index of the next leaf. */
  #next = 0;
  /** Undefined behind a leaf that is not there or breaks the rules. */
  #rules: LogRules | undefined;
  /** Size of the last checkpoint whose root was that of the leaves. */
  #rooted = 0;
  /** Until a leaf breaks the rules or is missing: that some were released does not count. */
  #isLawful = true;
  /** Until a root is found that is not theirs: all later ones are others, too. */
  #isRooted = true;
  /** The leaf that something was said of last. */
  #reported = -1;

  constructor(check: EpochCheck, identity: LogIdentity | undefined) {
    this.#check = check;
    this.#identity = identity;
    this.#rules = identity && new LogRules(nativeSuite, identity);
    this.#tree = new EpochTree(check);
    this.#releases = new Releases(check);
  }

  /** Reads on up to leaf `size` - 1. */
  *leavesTo(size: number): Findings {
    const { saved, looked } = this.#check;
    while (this.#next < size) {
      const stop = saved !== undefined && saved.size > this.#next ? Math.min(size, saved.size) : size;
      const to = Math.min(stop, this.#next + STRETCH_LEAVES);
      const leaves = yield* this.#read(to);
      if (leaves.length > 0) yield* this.#take(leaves);
      if (this.#next < to) yield* this.#skip(size);
      looked(this.#next);
    }
  }

  /** A checkpoint over the leaves so far: its signature, and that it says of them what is so. */
  *checkpoint(size: number, bytes: Uint8Array): Findings<Checkpoint | undefined> {
    const { epoch } = this.#check.extent;
    const row = { size, bytes, where: placeOf("checkpoint", { epoch, size }) };
    const identity = this.#identity;
    if (identity === undefined) return undefined;
    const checkpoint = yield* guarded(() => {
      const rules = this.#isRooted && this.#next === size ? this.#rules : undefined;
      return rules === undefined ? this.#opened(identity, row) : this.#verified(rules, row);
    });
    if (checkpoint !== undefined) yield* this.#booted(checkpoint);
    return checkpoint;
  }

  /** The journal counts starts before anything is signed after one. */
  *#booted({ bootCount }: Checkpoint): Findings {
    const counted = this.#check.bootCount;
    if (counted === undefined || bootCount <= counted) return;
    yield new Problem("fsck-note", "a checkpoint names a later start than the journal has counted", {
      where: placeOf("note", { name: "bootCount" }),
      ...{ expected: `${bootCount} or more`, got: String(counted) },
      hint: "keep the file: the note was changed, or the journal is put together of several",
    });
  }

  /** As a node would take it. */
  #verified(rules: LogRules, row: CheckpointRow): Checkpoint {
    const { size, bytes: checkpoint, where } = row;
    try {
      const verified = verifyBatch(nativeSuite, rules, { leaves: NOTHING, checkpoint });
      this.#rooted = size;
      return verified.checkpoint;
    } catch (cause) {
      if (!(cause instanceof Problem)) throw cause;
      if (cause.code === "checkpoint-root") return this.#opened(rules.identity, row);
      throw placed(cause, where, CHECKPOINT_HINT);
    }
  }

  /** Where the rules do not lead up to it: what it says of the tree, as far as that is known. */
  #opened(identity: LogIdentity, { size, bytes, where }: CheckpointRow): Checkpoint {
    const log = { deviceKey: identity.deviceKey, logId: logIdOf(nativeSuite, identity) };
    const checkpoint = at(where, CHECKPOINT_HINT, () => openCheckpoint(nativeSuite, bytes, log));
    if (checkpoint.size !== size) {
      throw new Problem("checkpoint-size", "the checkpoint is over another size than its row says", {
        ...{ where, expected: String(size), got: String(checkpoint.size), hint: CHECKPOINT_HINT },
      });
    }
    const root = this.#isRooted && this.#next === size ? this.#tree.root() : undefined;
    if (root !== undefined && !equalBytes(root, checkpoint.root))
      throw this.#otherRoot(checkpoint, root, where);
    if (root !== undefined) this.#rooted = size;
    return checkpoint;
  }

  #otherRoot({ size, root }: Checkpoint, got: Uint8Array, where: string): Problem {
    this.#isRooted = false;
    return new Problem("checkpoint-root", "these leaves are not the ones that were signed", {
      where: `${where}, leaves ${this.#rooted} to ${size - 1}`,
      ...{ expected: `root ${toHex(root)}`, got: `root ${toHex(got)}`, hint: ROOT_HINT },
    });
  }

  /** Leaves from the next one on that stand there one behind the other, below `to`. */
  *#read(to: number): Findings<readonly Uint8Array[]> {
    const { rows, extent } = this.#check;
    const leaves: Uint8Array[] = [];
    for (const row of rows.all("leaves", { epoch: extent.epoch, from: this.#next, to })) {
      const seq = this.#next + leaves.length;
      if (row["seq"] !== seq) break;
      const bytes = plain(row["bytes"]);
      leaves.push(bytes ?? NOTHING);
      if (bytes !== undefined) continue;
      yield* guarded(() => bytesOf(row, "bytes", this.#place(seq)));
      this.#reported = seq;
    }
    return leaves;
  }

  *#take(bytes: readonly Uint8Array[]): Findings {
    const { saved } = this.#check;
    const from = this.#next;
    const judged = yield* this.#judged(bytes);
    this.#next += bytes.length;
    this.leaves += bytes.length;
    this.second ??= judged.leaves.find(({ seq }) => seq === 1);
    yield* this.#tree.addLeaves(from, judged.hashes);
    this.flexibility += yield* checkIndex(this.#check, { from, to: this.#next }, judged.leaves);
    for (const leaf of judged.leaves) if (leaf.kind === "anchor") yield* checkAnchor(this.#check, leaf);
    if (saved?.size === this.#next) yield* this.#compareState(saved);
  }

  /** The saved state. Behind released leaves it is all that is left of the rules, and they go on from there. */
  *#compareState(saved: SavedRules): Findings {
    const [rules, root] = [this.#rules, this.#tree.root()];
    if (rules !== undefined) yield* checkSaved(saved, rules);
    else if (this.#isLawful && this.#identity !== undefined && root !== undefined)
      this.#rules = yield* resumed(saved, this.#identity, root);
  }

  *#judged(bytes: readonly Uint8Array[]): Findings<Judged> {
    const rules = this.#rules;
    const judged = rules && this.#lawful(rules, bytes);
    if (judged !== undefined) return judged;
    if (rules !== undefined) {
      const { seq, cause, byRules } = refusalOf(rules, bytes);
      // One before it may be the one that was changed, so that this one does not follow from it any more.
      const suspects = byRules ? `, leaves ${this.#rooted} to ${seq}` : "";
      if (seq !== this.#reported) yield placed(cause, this.#place(seq) + suspects, LEAF_HINT);
      this.#reported = seq;
      this.#rules = undefined;
      this.#isLawful = false;
    }
    return yield* this.#decoded(bytes);
  }

  /** Undefined unless each of them is one whole leaf that the rules take. */
  #lawful(rules: LogRules, each: readonly Uint8Array[]): Judged | undefined {
    try {
      const next = rules.extended(concatBytes(...each), each.length);
      const { ends, others, hashes } = next.leaves;
      if (!sameEnds(ends, endsOf(each))) return undefined;
      this.#rules = next.rules;
      return { leaves: others, hashes };
    } catch (cause) {
      if (cause instanceof Problem) return undefined;
      throw cause;
    }
  }

  /** Without the rules of the log: what each leaf says by itself. */
  *#decoded(each: readonly Uint8Array[]): Findings<Judged> {
    const leaves: Leaf[] = [];
    for (const [i, bytes] of each.entries()) {
      const seq = this.#next + i;
      if (seq === this.#reported) continue;
      const leaf = yield* guarded(() => at(this.#place(seq), LEAF_HINT, () => decodeLeaf(bytes)));
      if (leaf === undefined) continue;
      leaves.push(leaf);
      if (leaf.seq === seq) continue;
      const detail = {
        where: this.#place(seq),
        expected: `seq ${seq}`,
        got: String(leaf.seq),
        hint: LEAF_HINT,
      };
      yield new Problem("seq", "the leaf is of another place", detail);
    }
    const parts = { bytes: concatBytes(...each), ends: endsOf(each) };
    return { leaves, hashes: hashLeaves(nativeSuite, parts) };
  }

  /** Leaves from the next one on are not there; hashes in their place stand for none on both sides of a signed size. */
  *#skip(most: number): Findings {
    const { rows, extent } = this.#check;
    const from = this.#next;
    const found = rows.one("nextSeq", { epoch: extent.epoch, from })?.["seq"];
    const gap = { from, to: typeof found === "number" ? Math.min(most, Math.ceil(found)) : most };
    this.#rules = undefined;
    yield* this.#release(gap);
    this.#next = gap.to;
  }

  *#release(gap: Gap): Findings {
    const nodes = yield* guarded(() => this.#releases.nodesIn(gap));
    if (nodes === undefined) {
      this.#isLawful = false;
      return;
    }
    for (const node of nodes) yield* this.#tree.addNode(node.from, node);
    yield* checkIndex(this.#check, gap, []);
    this.released += gap.to - gap.from;
    this.releasedRows += nodes.filter(({ hasRow }) => hasRow).length;
  }

  #place(seq: number): string {
    return placeOf("leaf", { epoch: this.#check.extent.epoch, seq });
  }
}

/** A plain array over what SQLite hands out; undefined for what is no byte string. */
function plain(value: unknown): Uint8Array | undefined {
  return value instanceof Uint8Array
    ? new Uint8Array(value.buffer, value.byteOffset, value.length)
    : undefined;
}

/** The first leaf that is none, or that the rules do not take. */
function refusalOf(
  rules: LogRules,
  each: readonly Uint8Array[],
): { readonly seq: number; readonly cause: Problem; readonly byRules: boolean } {
  const trial = rules.clone();
  for (const bytes of each) {
    let leaf: Leaf | undefined;
    try {
      leaf = decodeLeaf(bytes);
      trial.apply(leaf, bytes);
    } catch (cause) {
      if (!(cause instanceof Problem)) throw cause;
      return { seq: trial.size, cause, byRules: leaf !== undefined && cause.code !== "seq" };
    }
  }
  throw new Error("leaves were refused together and taken one by one");
}

function endsOf(each: readonly Uint8Array[]): Uint32Array {
  let end = 0;
  return Uint32Array.from(each, ({ length }) => {
    end += length;
    return end;
  });
}

function sameEnds(a: Uint32Array, b: Uint32Array): boolean {
  return a.length === b.length && a.every((end, i) => end === b[i]);
}
