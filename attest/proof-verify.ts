import { equalBytes, toHex } from "./bytes.ts";
import { encodeCbor } from "./cbor.ts";
import { type Checkpoint, openCheckpoint } from "./checkpoint.ts";
import { logIdOf } from "./identity.ts";
import { requireKey } from "./key-checks.ts";
import type { Anchor, ChannelManifest, Discontinuity, IntervalClose, Leaf, LogManifest } from "./leaf.ts";
import { decodeLeafAt } from "./leaf-codec.ts";
import { rootFromMultiproof } from "./multiproof.ts";
import { Problem } from "./problem.ts";
import { decodeProof, type Proof, splitHashes } from "./proof.ts";
import { openReceipt, type Receipt, receiptKeyHint } from "./receipt.ts";
import { arrangeSegments, discontinuitiesBetween, type Segment } from "./segments.ts";
import type { Suite } from "./suite.ts";
import { leafHash } from "./tree.ts";

/** A node's word on the log, checked under the key it names; whether that key is trusted is decided outside. */
export interface Witness {
  readonly nodeKey: Uint8Array;
  readonly receivedAtMs: number;
}

/** A stated hole between two segments. Its energy is not part of the claim. */
export interface ProvenGap {
  readonly fromMs: number;
  readonly toMs: number;
  readonly discontinuities: readonly Discontinuity[];
}

/** The clock was set between two segments: one register, two clocks. Its energy is part of the claim. */
export interface ProvenClockStep {
  /** End of the earlier segment, by the clock as it was. */
  readonly fromMs: number;
  /** Begin of the later segment, by the clock as it is since. */
  readonly toMs: number;
}

/** Everything that a proof file shows by itself, under the keys that it names. */
export interface ProvenInterval {
  readonly proof: Proof;
  readonly logId: Uint8Array;
  readonly checkpoint: Checkpoint;
  readonly logManifest: LogManifest;
  readonly segments: readonly (Segment & { readonly manifest: ChannelManifest })[];
  readonly gaps: readonly ProvenGap[];
  readonly clockSteps: readonly ProvenClockStep[];
  /** Nodes that hold every leaf under the checkpoint: the claim is older than their times. */
  readonly witnesses: readonly Witness[];
  /** The node whose earlier receipt the log had taken up before the interval: the claim is younger. */
  readonly anchoredBy?: Witness;
  /** Ids by which an issuer refuses the same hour twice, per quantity. */
  readonly claimIds: { readonly import?: string; readonly export?: string };
}

/**
 * Checks a proof file from its first byte to its last: signatures under profile S, the tree, the closes and what
 * they refer to. Nothing in the file is trusted: whether the keys are anybody's is for the caller to compare.
 * Throws a Problem whose code names the fault.
 */
export function verifyProof(suite: Suite, bytes: Uint8Array): ProvenInterval {
  const proof = decodeProof(bytes);
  requireKey(suite, proof.deviceKey, "device key");
  const logId = logIdOf(suite, proof);
  const checkpoint = openCheckpoint(suite, proof.checkpoint, { deviceKey: proof.deviceKey, logId });
  const leaves = provenLeaves(suite, proof, checkpoint);
  const sorted = sortLeaves(leaves.map(({ leaf }) => leaf));
  const manifests = hashedLeaves(suite, proof.manifests);
  const logManifest = checkLogManifest(manifests[0], proof, checkpoint);
  const segments = provenSegments(sorted, proof, manifests.slice(1));
  const borders = provenBorders(segments, sorted.discontinuities);
  const witnesses = (proof.receipts ?? []).map((receipt) => witness(suite, receipt, { logId, checkpoint }));
  requireDistinct(witnesses, proof.deviceKey);
  const anchoredBy = provenAnchor(suite, {
    proof,
    logId,
    anchor: sorted.anchor,
    openingSeq: segments[0]?.first.openingSeq,
  });
  const claimIds = claimIdsOf(suite, proof, segments);
  return {
    proof,
    logId,
    checkpoint,
    logManifest,
    segments,
    ...borders,
    witnesses,
    claimIds,
    ...(anchoredBy && { anchoredBy }),
  };
}

interface HashedLeaf {
  readonly leaf: Leaf;
  readonly hash: Uint8Array;
}

interface SortedLeaves {
  readonly closes: readonly IntervalClose[];
  readonly discontinuities: ReadonlyMap<number, Discontinuity>;
  readonly anchor: Anchor | undefined;
}

function provenLeaves(suite: Suite, proof: Proof, checkpoint: Checkpoint): HashedLeaf[] {
  const leaves = hashedLeaves(suite, proof.leaves);
  const root = rootFromMultiproof(suite, {
    size: checkpoint.size,
    leaves: leaves.map(({ leaf, hash }) => ({ index: leaf.seq, hash })),
    proof: splitHashes(proof.hashes),
  });
  if (equalBytes(root, checkpoint.root)) return leaves;
  throw new Problem("proof-root", "the leaves are not in the log that the checkpoint signs");
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

/** Sorts the leaves by what they are for; a leaf that no claim of this kind needs is refused. */
function sortLeaves(leaves: readonly Leaf[]): SortedLeaves {
  const discontinuities = new Map<number, Discontinuity>();
  const closes: IntervalClose[] = [];
  let anchor: Anchor | undefined;
  for (const leaf of leaves) {
    if (leaf.kind === "discontinuity") discontinuities.set(leaf.seq, leaf);
    else if (leaf.kind === "intervalClose") closes.push(leaf);
    else if (leaf.kind === "anchor" && anchor === undefined) anchor = leaf;
    else
      throw new Problem("proof-leaf", "the proof holds a leaf that the claim does not need", {
        where: `leaf ${leaf.seq}`,
        got: leaf.kind,
      });
  }
  return { closes, discontinuities, anchor };
}

/** The checkpoint signs the hash of the log's manifest. */
function checkLogManifest(first: HashedLeaf | undefined, proof: Proof, checkpoint: Checkpoint): LogManifest {
  const manifest = first?.leaf;
  if (first === undefined || manifest?.kind !== "logManifest" || manifest.seq !== 0)
    throw new Problem("proof-manifest", "the log manifest is missing");
  const same =
    manifest.network === proof.network &&
    manifest.epoch === proof.epoch &&
    equalBytes(manifest.deviceKey, proof.deviceKey);
  if (same && equalBytes(first.hash, checkpoint.manifestHash)) return manifest;
  throw new Problem("proof-manifest", "the log manifest is another log's");
}

function provenSegments(
  sorted: SortedLeaves,
  proof: Proof,
  manifests: readonly HashedLeaf[],
): (Segment & { manifest: ChannelManifest })[] {
  const stray = [...sorted.closes, ...sorted.discontinuities.values()].find(
    (leaf) => leaf.channel !== proof.channel,
  );
  if (stray !== undefined)
    throw new Problem("proof-channel", `a ${stray.kind} is of another channel`, {
      where: `leaf ${stray.seq}`,
    });
  const segments = arrangeSegments(sorted.closes, proof.fromMs, proof.toMs).map((segment) => ({
    ...segment,
    manifest: manifestInForce(segment.last, manifests),
  }));
  const inForce = [...new Set(segments.map(({ manifest }) => manifest.seq))].sort((a, b) => a - b);
  if (String(inForce) !== String(manifests.map(({ leaf }) => leaf.seq)))
    throw new Problem("proof-leaf", "the proof holds other manifests than those in force, in order");
  return segments;
}

/** Each close names its channel's manifest by place and hash. */
function manifestInForce(close: IntervalClose, manifests: readonly HashedLeaf[]): ChannelManifest {
  for (const { leaf, hash } of manifests) {
    const named = leaf.seq === close.manifestSeq && equalBytes(hash, close.manifestHash);
    if (named && leaf.kind === "channelManifest" && leaf.channel === close.channel) return leaf;
  }
  throw new Problem("proof-manifest", "the channel manifest in force is missing or another one", {
    where: `close ${close.seq}`,
  });
}

type Borders = Pick<ProvenInterval, "gaps" | "clockSteps">;

/** What lies between neighbouring segments: a stated gap, a clock step, or only a new manifest. */
function provenBorders(segments: readonly Segment[], known: ReadonlyMap<number, Discontinuity>): Borders {
  const gaps: ProvenGap[] = [];
  const clockSteps: ProvenClockStep[] = [];
  let used = 0;
  for (const [at, later] of segments.entries()) {
    const earlier = segments[at - 1];
    if (earlier === undefined) continue;
    const discontinuities = discontinuitiesBetween(earlier, later, known);
    used += discontinuities.length;
    const between = { fromMs: earlier.last.t1Ms, toMs: later.first.t0Ms };
    if (discontinuities.length > 0) gaps.push({ ...between, discontinuities });
    else requireContinued(earlier.last, later.first);
    if (discontinuities.length === 0 && between.fromMs !== between.toMs) clockSteps.push(between);
  }
  if (used !== known.size)
    throw new Problem("proof-leaf", "the proof holds a discontinuity that is not between its closes");
  return { gaps, clockSteps };
}

/** Without a discontinuity the register goes on where it was, and time, too, unless the clock was set. */
function requireContinued(previous: IntervalClose, next: IntervalClose): void {
  const same =
    next.openingImportMwh === previous.closingImportMwh &&
    next.openingExportMwh === previous.closingExportMwh &&
    (next.t0Ms === previous.t1Ms || next.lastClockStepSeq !== previous.lastClockStepSeq);
  if (same) return;
  throw new Problem("proof-chain", "a segment does not begin where the one before it ended", {
    where: `close ${next.seq}`,
  });
}

function witness(
  suite: Suite,
  bytes: Uint8Array,
  under: { readonly logId: Uint8Array; readonly checkpoint: Checkpoint },
): Witness {
  const { nodeKey, receipt } = checkedReceipt(suite, bytes, under.logId);
  if (receipt.size !== under.checkpoint.size || !equalBytes(receipt.root, under.checkpoint.root)) {
    throw new Problem("receipt-mismatch", "a receipt is over another tree than the checkpoint");
  }
  return { nodeKey, receivedAtMs: receipt.receivedAtMs };
}

function checkedReceipt(
  suite: Suite,
  bytes: Uint8Array,
  logId: Uint8Array,
): { nodeKey: Uint8Array; receipt: Receipt } {
  const nodeKey = receiptKeyHint(bytes);
  requireKey(suite, nodeKey, "a receipt's node key");
  const receipt = openReceipt(suite, bytes, nodeKey);
  if (equalBytes(receipt.logId, logId)) return { nodeKey, receipt };
  throw new Problem("receipt-mismatch", "a receipt is over another log");
}

/**
 * Two receipts of one node are one witness; sending both could only be meant to look like two. Nor does a device
 * witness for itself.
 */
function requireDistinct(witnesses: readonly Witness[], deviceKey: Uint8Array): void {
  if (witnesses.some(({ nodeKey }) => equalBytes(nodeKey, deviceKey))) {
    throw new Problem("receipt-own", "a receipt is signed by the device itself");
  }
  const keys = new Set(witnesses.map(({ nodeKey }) => toHex(nodeKey)));
  if (keys.size !== witnesses.length) throw new Problem("receipt-twice", "two receipts come from one node");
}

function provenAnchor(
  suite: Suite,
  at: { proof: Proof; logId: Uint8Array; anchor: Anchor | undefined; openingSeq: number | undefined },
): Witness | undefined {
  const { anchor } = at;
  const bytes = at.proof.anchoredReceipt;
  if (anchor === undefined && bytes === undefined) return undefined;
  if (anchor === undefined || bytes === undefined)
    throw new Problem("proof-anchor", "an anchor leaf and its receipt must come together");
  const { nodeKey, receipt } = checkedReceipt(suite, bytes, at.logId);
  const same =
    equalBytes(anchor.nodeKey, nodeKey) &&
    equalBytes(anchor.receiptHash, suite.sha256(bytes)) &&
    anchor.receivedAtMs === receipt.receivedAtMs &&
    anchor.receiptSize === receipt.size;
  if (!same)
    throw new Problem("proof-anchor", "the anchor leaf names another receipt", {
      where: `leaf ${anchor.seq}`,
    });
  if (anchor.seq >= (at.openingSeq ?? 0))
    throw new Problem("proof-anchor", "the anchor does not lie before the interval", {
      where: `leaf ${anchor.seq}`,
    });
  return { nodeKey, receivedAtMs: receipt.receivedAtMs };
}

/** SHA-256 over the deterministic CBOR array of tag, make, serial, quantity, t0 and t1. */
function claimIdsOf(
  suite: Suite,
  proof: Proof,
  segments: readonly (Segment & { manifest: ChannelManifest })[],
): { import?: string; export?: string } {
  const [first] = segments;
  if (first === undefined) return {};
  const id = (quantity: string): string => {
    const parts = [
      "kilowitness/1 claim",
      first.manifest.make,
      first.manifest.serial,
      quantity,
      proof.fromMs,
      proof.toMs,
    ];
    return toHex(suite.sha256(encodeCbor(parts)));
  };
  return {
    ...(first.first.openingImportMwh === undefined ? {} : { import: id("import") }),
    ...(first.first.openingExportMwh === undefined ? {} : { export: id("export") }),
  };
}
