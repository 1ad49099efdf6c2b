import { compareBytes, equalBytes } from "./bytes.ts";
import { type Checkpoint, openCheckpoint } from "./checkpoint.ts";
import { type LogIdentity, logIdOf } from "./identity.ts";
import { requireKey } from "./key-checks.ts";
import type {
  Anchor,
  ChannelManifest,
  Discontinuity,
  EpochOpen,
  IntervalClose,
  Leaf,
  LogManifest,
} from "./leaf.ts";
import { decodeLeafAt } from "./leaf-codec.ts";
import type { FlexibilityLeaf } from "./leaf-flexibility.ts";
import { MAX_MULTIPROOF_LEAVES, type MultiproofRoots, rootsFromMultiproof } from "./multiproof.ts";
import { Problem } from "./problem.ts";
import { type ProofPart, splitHashes } from "./proof.ts";
import { openReceipt, type Receipt, receiptKeyHint } from "./receipt.ts";
import type { Suite } from "./suite.ts";
import { leafHash } from "./tree.ts";

/** Seq of the leaf by which an epoch names the one before it. */
export const EPOCH_OPEN_SEQ = 1;

/** A node's word on a log, checked under the key it names; whether that key is trusted is decided outside. */
export interface Witness {
  readonly nodeKey: Uint8Array;
  readonly receivedAtMs: number;
}

/** A receipt over the first `size` leaves: what lies below is older than it. */
export interface ProvenReceipt extends Witness {
  readonly size: number;
  /** By which rules the node had checked. */
  readonly ruleVersion: number;
}

/** A receipt that the log took up at leaf `seq`: what follows is younger than it. */
export interface ProvenAnchor extends Witness {
  readonly seq: number;
  readonly ruleVersion: number;
}

/** One log of the proof: what its device signed, and the leaves that are proven to be in it. */
export interface ProvenLog {
  readonly identity: LogIdentity;
  readonly logId: Uint8Array;
  readonly checkpoint: Checkpoint;
  readonly logManifest: LogManifest;
  readonly channelManifests: readonly NamedManifest[];
  readonly leaves: SortedLeaves;
  readonly receipts: readonly ProvenReceipt[];
  readonly anchors: readonly ProvenAnchor[];
}

/** A channel manifest with the hash by which other leaves name it. */
export interface NamedManifest {
  readonly manifest: ChannelManifest;
  readonly hash: Uint8Array;
}

/** The leaves by what they are for, each by seq. */
export interface SortedLeaves {
  readonly closes: readonly IntervalClose[];
  readonly discontinuities: ReadonlyMap<number, Discontinuity>;
  readonly anchors: readonly Anchor[];
  readonly flexibility: readonly FlexibilityLeaf[];
  readonly epochOpen?: EpochOpen;
}

/**
 * Checks what a proof shows of one log, but not yet what it claims: the manifest, the device's signature, the leaves'
 * places, receipts and anchors. Throws a Problem whose code names the fault.
 */
export function provenLog(suite: Suite, part: ProofPart): ProvenLog {
  const { leaves, ...open } = openPart(suite, part);
  const sorted = sortLeaves(leaves);
  return {
    ...open,
    leaves: sorted,
    anchors: shownAnchors(suite, part, { ...open, anchors: sorted.anchors }),
  };
}

/** One log of a proof before its leaves are sorted by what they are for. */
export interface OpenPart extends Omit<ProvenLog, "leaves" | "anchors" | "receipts"> {
  /** By seq. */
  readonly leaves: readonly Leaf[];
  readonly receipts: readonly OpenedReceipt[];
}

/**
 * Checks what every proof shows of a log, whatever it claims: the manifests, the device's signature, the leaves' places,
 * the receipts. Throws a Problem whose code names the fault.
 */
export function openPart(
  suite: Suite,
  part: ProofPart,
  mostLeaves: number = MAX_MULTIPROOF_LEAVES,
): OpenPart {
  const [first, ...rest] = hashedLeaves(suite, part.manifests);
  const logManifest = requireLogManifest(first);
  const identity = identityOf(logManifest);
  requireKey(suite, identity.deviceKey, "device key");
  const logId = logIdOf(suite, identity);
  const checkpoint = openCheckpoint(suite, part.checkpoint, { deviceKey: identity.deviceKey, logId });
  if (first === undefined || !equalBytes(first.hash, checkpoint.manifestHash))
    throw new Problem("proof-manifest", "the checkpoint signs another log manifest");
  const receipts = (part.receipts ?? []).map((bytes) =>
    checkedReceipt(suite, bytes, { manifestHash: checkpoint.manifestHash, identity }),
  );
  requireOrder(receipts);
  const leaves = hashedLeaves(suite, part.leaves);
  requireRoots(checkpoint, receipts, rootsOf(suite, { part, checkpoint, leaves, receipts, mostLeaves }));
  return {
    ...{ identity, logId, checkpoint, logManifest, receipts },
    channelManifests: rest.map(requireChannelManifest),
    leaves: leaves.map(({ leaf }) => leaf),
  };
}

/** The anchors of a part with the receipts that they name. Throws `proof-anchor` and what is wrong with those receipts. */
export function shownAnchors(
  suite: Suite,
  part: ProofPart,
  log: Pick<OpenPart, "checkpoint" | "identity" | "receipts"> & { readonly anchors: readonly Anchor[] },
): ProvenAnchor[] {
  const { identity, receipts, anchors } = log;
  const { manifestHash } = log.checkpoint;
  const spare = (part.anchoredReceipts ?? []).map((bytes) =>
    checkedReceipt(suite, bytes, { manifestHash, identity }),
  );
  return provenAnchors(anchors, receipts, spare);
}

interface HashedLeaf {
  readonly leaf: Leaf;
  readonly hash: Uint8Array;
}

/** The leaves that stand back to back in `bytes`, each with its hash. */
function hashedLeaves(suite: Suite, bytes: Uint8Array): HashedLeaf[] {
  const leaves: HashedLeaf[] = [];
  for (let at = 0; at < bytes.length; ) {
    const { leaf, end } = decodeLeafAt(bytes, at);
    leaves.push({ leaf, hash: leafHash(suite, bytes.subarray(at, end)) });
    at = end;
  }
  return leaves;
}

function requireLogManifest(first: HashedLeaf | undefined): LogManifest {
  if (first?.leaf.kind === "logManifest" && first.leaf.seq === 0) return first.leaf;
  throw new Problem("proof-manifest", "the log manifest is missing");
}

function identityOf({ network, deviceKey, epoch }: LogManifest): LogIdentity {
  return { network, deviceKey, epoch };
}

function requireChannelManifest({ leaf, hash }: HashedLeaf): NamedManifest {
  if (leaf.kind === "channelManifest") return { manifest: leaf, hash };
  throw new Problem("proof-manifest", "a leaf among the manifests is none", {
    where: `leaf ${leaf.seq}`,
    got: leaf.kind,
  });
}

/** A receipt with what it is compared by. */
export interface OpenedReceipt extends ProvenReceipt {
  readonly root: Uint8Array;
  readonly hash: Uint8Array;
}

function checkedReceipt(
  suite: Suite,
  bytes: Uint8Array,
  log: { readonly manifestHash: Uint8Array; readonly identity: LogIdentity },
): OpenedReceipt {
  const nodeKey = receiptKeyHint(bytes);
  requireKey(suite, nodeKey, "a receipt's node key");
  // A device does not witness for itself.
  if (equalBytes(nodeKey, log.identity.deviceKey))
    throw new Problem("receipt-own", "a receipt is signed by the device itself");
  const receipt: Receipt = openReceipt(suite, bytes, nodeKey);
  if (!equalBytes(receipt.manifestHash, log.manifestHash))
    throw new Problem("receipt-mismatch", "a receipt is over another log");
  return { ...receipt, nodeKey, hash: suite.sha256(bytes) };
}

/** By size, then by node key; two receipts of one node over one size could only be meant to look like two nodes. */
function requireOrder(receipts: readonly OpenedReceipt[]): void {
  for (const [at, receipt] of receipts.entries()) {
    const before = receipts[at - 1];
    if (before === undefined || before.size < receipt.size) continue;
    const order = compareBytes(before.nodeKey, receipt.nodeKey);
    if (before.size === receipt.size && order < 0) continue;
    const twice = before.size === receipt.size && order === 0;
    throw new Problem(
      twice ? "receipt-twice" : "proof-order",
      twice
        ? "two receipts over one size come from one node"
        : "receipts are not in order of size and node key",
    );
  }
}

interface Shown {
  readonly part: ProofPart;
  readonly checkpoint: Checkpoint;
  readonly leaves: readonly HashedLeaf[];
  readonly receipts: readonly OpenedReceipt[];
  readonly mostLeaves: number;
}

function rootsOf(suite: Suite, { part, checkpoint, leaves, receipts, mostLeaves }: Shown): MultiproofRoots {
  const tooLarge = receipts.find(({ size }) => size > checkpoint.size);
  if (tooLarge !== undefined)
    throw new Problem("receipt-mismatch", "a receipt is over a larger log than the checkpoint", {
      expected: `at most ${checkpoint.size} leaves`,
      got: String(tooLarge.size),
    });
  const cuts = [...new Set(receipts.map(({ size }) => size))].filter((size) => size < checkpoint.size);
  return rootsFromMultiproof(suite, {
    size: checkpoint.size,
    leaves: leaves.map(({ leaf, hash }) => ({ index: leaf.seq, hash })),
    proof: splitHashes(part.hashes),
    ...{ cuts, mostLeaves },
  });
}

/** The device signed the root; each receipt is over the root at its own size. */
function requireRoots(
  checkpoint: Checkpoint,
  receipts: readonly OpenedReceipt[],
  roots: MultiproofRoots,
): void {
  if (!equalBytes(roots.root, checkpoint.root))
    throw new Problem("proof-root", "the leaves are not in the log that the checkpoint signs");
  for (const { size, root } of receipts) {
    const expected = size === checkpoint.size ? checkpoint.root : roots.atCut.get(size);
    if (expected === undefined || !equalBytes(expected, root))
      throw new Problem("receipt-mismatch", "a receipt is over another history of the log", {
        where: `size ${size}`,
      });
  }
}

/** Sorts the leaves by what they are for; a leaf that no claim needs is refused. */
function sortLeaves(leaves: readonly Leaf[]): SortedLeaves {
  const discontinuities = new Map<number, Discontinuity>();
  const closes: IntervalClose[] = [];
  const anchors: Anchor[] = [];
  const flexibility: FlexibilityLeaf[] = [];
  let epochOpen: EpochOpen | undefined;
  for (const leaf of leaves) {
    if (leaf.kind === "discontinuity") discontinuities.set(leaf.seq, leaf);
    else if (leaf.kind === "intervalClose") closes.push(leaf);
    else if (leaf.kind === "anchor") anchors.push(leaf);
    else if (leaf.kind === "flexibility") flexibility.push(leaf);
    else if (leaf.kind === "epochOpen" && leaf.seq === EPOCH_OPEN_SEQ) epochOpen = leaf;
    else
      throw new Problem("proof-leaf", "the proof holds a leaf that the claim does not need", {
        where: `leaf ${leaf.seq}`,
        got: leaf.kind,
      });
  }
  return { closes, discontinuities, anchors, flexibility, ...(epochOpen && { epochOpen }) };
}

/** Each anchor names one receipt of the file; each spare receipt is there for an anchor, in the anchors' order. */
function provenAnchors(
  anchors: readonly Anchor[],
  receipts: readonly OpenedReceipt[],
  spare: readonly OpenedReceipt[],
): ProvenAnchor[] {
  let next = 0;
  const proven = anchors.map((anchor) => {
    const known = receipts.find(({ hash }) => equalBytes(hash, anchor.receiptHash));
    const receipt = known ?? spare[next];
    if (known === undefined) next += 1;
    if (receipt === undefined || !isNamedBy(anchor, receipt))
      throw new Problem("proof-anchor", "an anchor leaf names a receipt that is not in the proof", {
        where: `leaf ${anchor.seq}`,
      });
    const { nodeKey, receivedAtMs, ruleVersion } = receipt;
    return { seq: anchor.seq, nodeKey, receivedAtMs, ruleVersion };
  });
  if (next === spare.length) return proven;
  throw new Problem("proof-anchor", "a receipt is there for an anchor leaf that is not");
}

function isNamedBy(anchor: Anchor, receipt: OpenedReceipt): boolean {
  return (
    equalBytes(anchor.nodeKey, receipt.nodeKey) &&
    equalBytes(anchor.receiptHash, receipt.hash) &&
    anchor.receivedAtMs === receipt.receivedAtMs &&
    anchor.receiptSize === receipt.size &&
    receipt.size <= anchor.seq
  );
}
