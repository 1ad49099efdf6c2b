import { equalBytes, toHex } from "./bytes.ts";
import { type Checkpoint, openCheckpoint } from "./checkpoint.ts";
import { decodeFault, type FalseLeafFault, type ForkFault, type TwoEpochsFault } from "./fault.ts";
import { type ShownKey, shownKey } from "./fault-key.ts";
import { type ShownLeaf, ShownLeaves } from "./fault-leaves.ts";
import { rawContradiction } from "./fault-raw-leaf.ts";
import { type Contradiction, contradictionOf } from "./fault-rules.ts";
import { type LogIdentity, logIdOf } from "./identity.ts";
import { requireKey } from "./key-checks.ts";
import { decodeLeaf, decodeLeafAt } from "./leaf-codec.ts";
import { rootFromMultiproof } from "./multiproof.ts";
import { Problem } from "./problem.ts";
import { splitHashes } from "./proof.ts";
import type { Suite } from "./suite.ts";
import { leafHash } from "./tree.ts";

/** One log, one size, two roots; hashes in hexadecimal. */
export interface TwoRoots {
  readonly rule: "two-roots";
  readonly size: number;
  readonly roots: readonly [string, string];
}

/** One log, one index, two leaves, each under a checkpoint of its own. */
export interface TwoLeaves {
  readonly rule: "two-leaves";
  readonly index: number;
  readonly sizes: readonly [number, number];
  readonly leafHashes: readonly [string, string];
}

/** A checkpoint over more than a later epoch says was ever signed in this one. */
export interface SignedAfterClose {
  readonly rule: "signed-after-close";
  readonly size: number;
  readonly oldSignedSize: number;
  readonly laterEpoch: number;
  readonly laterSize: number;
  /** What the device says why it opened the later epoch: text of the device. */
  readonly reason: string;
}

/** Leaves that no lawful log holds, under a checkpoint over `size` of them. */
export interface FalseLeaf extends Contradiction {
  readonly size: number;
}

export type Misdeed = TwoRoots | TwoLeaves | SignedAfterClose | FalseLeaf;

interface OfLog {
  readonly identity: LogIdentity;
  readonly logId: Uint8Array;
}

/** What a fault file shows by itself, under the key that it names. Whose key that is, is decided outside. */
export type ProvenFault = ProvenMisdeed | ProvenKeyUse;

export interface ProvenMisdeed extends OfLog {
  readonly fault: "fork" | "two-epochs" | "false-leaf";
  readonly finding: Misdeed;
}

/** A use of a key, and all that is shown of the key's life; what follows from it depends on whom one trusts. */
export interface ProvenKeyUse extends OfLog {
  readonly fault: "key";
  readonly checkpoint: Checkpoint;
  readonly key: ShownKey;
}

/**
 * Checks a fault file from its first byte to its last. Nothing in it is trusted: the signatures are, under profile S.
 * Throws a Problem: `fault-nothing` for a file that is sound and shows no fault, and for one that is not sound
 * `fault-format`, `fault-root`, `fault-newer`, `fault-record` or what its parts are refused with.
 */
export function verifyFault(suite: Suite, bytes: Uint8Array): ProvenFault {
  const fault = decodeFault(bytes);
  const { network, deviceKey, epoch } = fault;
  requireKey(suite, deviceKey, "device key");
  const identity = { network, deviceKey, epoch };
  const logId = logIdOf(suite, identity);
  const checkpoint = openCheckpoint(suite, fault.checkpoint, { deviceKey, logId });
  const log = { identity, logId, checkpoint };
  switch (fault.fault) {
    case "fork":
      return { identity, logId, fault: "fork", finding: provenFork(suite, fault, log) };
    case "two-epochs":
      return { identity, logId, fault: "two-epochs", finding: provenTwoEpochs(suite, fault, log) };
    case "false-leaf":
      return { identity, logId, fault: "false-leaf", finding: provenFalseLeaf(suite, fault, log) };
    case "key":
      return { ...log, fault: "key", key: shownKey(suite, fault) };
  }
}

/** The log of the file's head, under the file's first checkpoint. */
interface SignedLog extends OfLog {
  readonly checkpoint: Checkpoint;
}

function provenFork(suite: Suite, fault: ForkFault, log: SignedLog): Misdeed {
  const { deviceKey } = fault;
  const other = openCheckpoint(suite, fault.otherCheckpoint, { deviceKey, logId: log.logId });
  const { leaf, otherLeaf, hashes, otherHashes, index } = fault;
  const parts = [leaf, otherLeaf, hashes, otherHashes, index];
  if (parts.every((part) => part === undefined)) return twoRoots(log.checkpoint, other);
  if (!leaf || !otherLeaf || !hashes || !otherHashes || index === undefined)
    throw new Problem("fault-format", "two leaves come with their hashes and their index, or not at all");
  const first = placedLeaf(suite, { checkpoint: log.checkpoint, leaf, hashes, index });
  const second = placedLeaf(suite, { checkpoint: other, leaf: otherLeaf, hashes: otherHashes, index });
  if (equalBytes(first, second))
    throw new Problem("fault-nothing", "both checkpoints are over the same leaf", { where: `leaf ${index}` });
  const sizes = [log.checkpoint.size, other.size] as const;
  return { rule: "two-leaves", index, sizes, leafHashes: [toHex(first), toHex(second)] };
}

function twoRoots(one: Checkpoint, other: Checkpoint): TwoRoots {
  if (one.size !== other.size)
    throw new Problem("fault-nothing", "checkpoints of two sizes contradict each other only by a leaf", {
      expected: `size ${one.size}`,
      got: String(other.size),
    });
  if (equalBytes(one.root, other.root))
    throw new Problem("fault-nothing", "both checkpoints are over the same history");
  return { rule: "two-roots", size: one.size, roots: [toHex(one.root), toHex(other.root)] };
}

interface PlacedLeaf {
  readonly checkpoint: Checkpoint;
  readonly leaf: Uint8Array;
  readonly hashes: Uint8Array;
  readonly index: number;
}

/** The hash of a leaf that is at that index under that checkpoint. Throws `fault-root` or `proof-…`. */
function placedLeaf(suite: Suite, { checkpoint, leaf, hashes, index }: PlacedLeaf): Uint8Array {
  const hash = leafHash(suite, leaf);
  requirePlaces(suite, checkpoint, { leaves: [{ index, hash }], hashes });
  return hash;
}

function requirePlaces(
  suite: Suite,
  { size, root }: Checkpoint,
  claim: {
    readonly leaves: readonly { readonly index: number; readonly hash: Uint8Array }[];
    readonly hashes: Uint8Array;
  },
): void {
  const proof = splitHashes(claim.hashes);
  if (equalBytes(rootFromMultiproof(suite, { size, leaves: claim.leaves, proof }), root)) return;
  throw new Problem("fault-root", "the leaves are not in the log that the checkpoint signs");
}

function provenTwoEpochs(suite: Suite, fault: TwoEpochsFault, log: SignedLog): SignedAfterClose {
  const { network, deviceKey, laterEpoch } = fault;
  const nothing = (what: string): Problem => new Problem("fault-nothing", what);
  if (laterEpoch <= fault.epoch) throw nothing("the epoch that is said to be later is not");
  const logId = logIdOf(suite, { network, deviceKey, epoch: laterEpoch });
  const later = openCheckpoint(suite, fault.laterCheckpoint, { deviceKey, logId });
  placedLeaf(suite, { checkpoint: later, leaf: fault.leaf, hashes: fault.hashes, index: 1 });
  const leaf = decodeLeaf(fault.leaf);
  if (leaf.kind !== "epochOpen" || leaf.oldLogId === undefined || !equalBytes(leaf.oldLogId, log.logId))
    throw nothing("the later epoch does not close this log");
  if (leaf.oldSignedSize === undefined)
    throw nothing("the later epoch does not say up to which size this log was signed");
  const { size } = log.checkpoint;
  const oldSignedSize = Math.max(leaf.oldSignedSize, leaf.oldSize ?? 0);
  if (size <= oldSignedSize) throw nothing("the checkpoint is one that the later epoch knows of");
  return {
    ...{ rule: "signed-after-close", size, oldSignedSize, laterEpoch, laterSize: later.size },
    reason: leaf.reason,
  };
}

function provenFalseLeaf(suite: Suite, fault: FalseLeafFault, log: SignedLog): FalseLeaf {
  const { leaves: bytes, hashes, index } = fault;
  const { checkpoint } = log;
  const { size } = checkpoint;
  if (index !== undefined) {
    placedLeaf(suite, { checkpoint, leaf: bytes, hashes, index });
    return { ...rawContradiction(bytes, index), size };
  }
  const all = leavesIn(suite, bytes);
  requirePlaces(suite, checkpoint, {
    leaves: all.map(({ leaf, hash }) => ({ index: leaf.seq, hash })),
    hashes,
  });
  const found = contradictionOf(new ShownLeaves(log, all));
  if (found !== undefined) return { ...found, size };
  throw new Problem("fault-nothing", "a lawful log can hold these leaves");
}

/** The leaves that stand back to back in `bytes`. Throws `cbor-…`, `leaf-…` or `field`. */
function leavesIn(suite: Suite, bytes: Uint8Array): ShownLeaf[] {
  const all: ShownLeaf[] = [];
  for (let at = 0; at < bytes.length; ) {
    const { leaf, end } = decodeLeafAt(bytes, at);
    all.push({ leaf, hash: leafHash(suite, bytes.subarray(at, end)) });
    at = end;
  }
  return all;
}
