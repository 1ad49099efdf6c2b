import { concatBytes, equalBytes } from "./bytes.ts";
import { type Checkpoint, openCheckpoint } from "./checkpoint.ts";
import { encodeFault, type Fault } from "./fault.ts";
import { chooseLeaves } from "./fault-choice.ts";
import { verifyFault } from "./fault-verify.ts";
import { type LogIdentity, logIdOf } from "./identity.ts";
import { buildMultiproof } from "./multiproof.ts";
import { type NodeSource, rangeHash } from "./node-source.ts";
import { Problem } from "./problem.ts";
import { joinHashes } from "./proof.ts";
import type { Suite } from "./suite.ts";
import { splitPoint } from "./tree.ts";

/** A signed checkpoint, and what stands under it. A fork at one size needs neither leaves nor tree. */
export interface SignedHistory {
  readonly checkpoint: Uint8Array;
  /** The exact bytes of leaf `seq`. Throws when they are not kept. */
  readonly leaf: (seq: number) => Uint8Array;
  /** The tree over at least the checkpoint's size. */
  readonly tree: () => NodeSource;
}

/**
 * The proof that `one` and `other` are two histories of one log, at their first difference. Throws `fault-nothing`
 * when the smaller is a beginning of the larger, and what opening a checkpoint does.
 */
export function buildForkFault(
  suite: Suite,
  identity: LogIdentity,
  { one, other }: { readonly one: SignedHistory; readonly other: SignedHistory },
): Uint8Array {
  const head = { fault: "fork" as const, ...headOf(identity) };
  const [first, second] = [one, other].map((side) => opened(suite, identity, side));
  const sides = { checkpoint: one.checkpoint, otherCheckpoint: other.checkpoint };
  if (first === undefined || second === undefined) throw nothing();
  if (first.size === second.size && !equalBytes(first.root, second.root))
    return verified(suite, { ...head, ...sides });
  const index = firstDifference({ one: one.tree(), other: other.tree() }, Math.min(first.size, second.size));
  return verified(suite, {
    ...head,
    ...sides,
    leaf: one.leaf(index),
    otherLeaf: other.leaf(index),
    hashes: joinHashes(buildMultiproof(one.tree(), first.size, [index])),
    otherHashes: joinHashes(buildMultiproof(other.tree(), second.size, [index])),
    index,
  });
}

/** The first index at which two trees differ below `size`. Throws `fault-nothing` where they do not. */
function firstDifference(
  { one, other }: { readonly one: NodeSource; readonly other: NodeSource },
  size: number,
): number {
  const differs = (from: number, to: number): boolean =>
    !equalBytes(rangeHash(one, from, to), rangeHash(other, from, to));
  if (!differs(0, size)) throw nothing();
  let [from, to] = [0, size];
  while (to - from > 1) {
    const middle = from + splitPoint(to - from);
    if (differs(from, middle)) to = middle;
    else from = middle;
  }
  return from;
}

function nothing(): Problem {
  return new Problem("fault-nothing", "both checkpoints are over the same history");
}

/**
 * The proof that a checkpoint of the log `identity` is over more than epoch `later.epoch` says was signed there.
 * Throws `fault-nothing` where that is not so.
 */
export function buildTwoEpochsFault(
  suite: Suite,
  identity: LogIdentity,
  {
    checkpoint,
    later,
  }: { readonly checkpoint: Uint8Array; readonly later: SignedHistory & { readonly epoch: number } },
): Uint8Array {
  const laterIdentity = { ...identity, epoch: later.epoch };
  const { size } = opened(suite, laterIdentity, later);
  return verified(suite, {
    ...{ fault: "two-epochs", ...headOf(identity), checkpoint },
    ...{ laterEpoch: later.epoch, laterCheckpoint: later.checkpoint, leaf: later.leaf(1) },
    hashes: joinHashes(buildMultiproof(later.tree(), size, [1])),
  });
}

/**
 * The proof that leaves under `history.checkpoint` break a rule, with as few leaves as are found to do. `seqs` are the
 * leaf that was refused and all that are thought to contradict it, such as {@link suspectSeqs}; what the refused one
 * names, the log manifest and the leaves directly before it are tried by themselves. Throws `fault-nothing` when no
 * rule is broken by what was tried, and what `history.leaf` throws.
 */
export function buildFalseLeafFault(
  suite: Suite,
  identity: LogIdentity,
  { history, seqs }: { readonly history: SignedHistory; readonly seqs: readonly number[] },
): Uint8Array {
  const checkpoint = opened(suite, identity, history);
  const { size } = checkpoint;
  const chosen = chooseLeaves(suite, { identity, checkpoint, leaf: history.leaf }, seqs);
  return verified(suite, {
    ...{ fault: "false-leaf", ...headOf(identity), checkpoint: history.checkpoint },
    leaves: concatBytes(...chosen.seqs.map((seq) => history.leaf(seq))),
    hashes: joinHashes(buildMultiproof(history.tree(), size, chosen.seqs)),
    ...(chosen.raw && { index: chosen.seqs[0] ?? 0 }),
  });
}

function headOf({ network, deviceKey, epoch }: LogIdentity): LogIdentity {
  return { network, deviceKey, epoch };
}

function opened(
  suite: Suite,
  identity: LogIdentity,
  { checkpoint }: Pick<SignedHistory, "checkpoint">,
): Checkpoint {
  const { deviceKey } = identity;
  return openCheckpoint(suite, checkpoint, { deviceKey, logId: logIdOf(suite, identity) });
}

/** A file that a stranger would refuse must not leave this house. */
function verified(suite: Suite, fault: Fault): Uint8Array {
  const bytes = encodeFault(fault);
  verifyFault(suite, bytes);
  return bytes;
}
