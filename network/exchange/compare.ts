import { equalBytes, toHex } from "../../attest/bytes.ts";
import { buildForkFault } from "../../attest/fault-build.ts";
import { buildMultiproof } from "../../attest/multiproof.ts";
import { type NodeSource, rangeHash } from "../../attest/node-source.ts";
import { Problem } from "../../attest/problem.ts";
import { joinHashes } from "../../attest/proof.ts";
import { leafHash } from "../../attest/tree.ts";
import type { LogHead, StoredCheckpoint } from "../store/store.ts";
import type { ExchangeContext } from "./exchange-context.ts";
import { firstDifference } from "./first-difference.ts";
import { keepProof } from "./keep-proof.ts";
import type { PeerQuestions } from "./peer.ts";
import { PeerTree } from "./peer-tree.ts";
import type { SignedHead } from "./signed-head.ts";
import { notAnAnswer } from "./transport.ts";

/** How far a peer's checkpoint has been compared with the log here. */
export interface Standing {
  /** Leaves that are the same. */
  readonly compared: number;
  /** They are not, and that is kept with its proof. */
  readonly proven: boolean;
}

/**
 * Compares a signed checkpoint that a peer has shown with the log here, as far as both go. A fork is kept, and what it
 * is proven with. Throws what the questions to the peer throw, and `leaf-missing` or `tree-node-missing` where this node
 * does not hold what it would need.
 */
export async function compareHead(
  context: ExchangeContext,
  peer: PeerQuestions,
  head: SignedHead,
): Promise<Standing> {
  const { deviceKey, epoch } = head.identity;
  const ours = await context.store.head(deviceKey, epoch);
  if (ours === undefined) return { compared: 0, proven: false };
  if (head.size > ours.size) return compareBeginning(context, peer, { head, ours });
  const stored = await context.store.checkpointOver(ours.log, head.size);
  const root = stored?.size === head.size ? stored.root : await rootHere(context, ours, head.size);
  if (equalBytes(root, head.root)) return { compared: head.size, proven: false };
  if (stored === undefined) return { compared: 0, proven: false };
  return keepFork(context, { head, ours: stored }, async () =>
    stored.size === head.size
      ? twoRoots(context, head, stored)
      : (await new Comparison({ context, peer, head, ours }).fork(stored)).file,
  );
}

async function rootHere(context: ExchangeContext, ours: LogHead, size: number): Promise<Uint8Array> {
  return rangeHash((await context.histories.of(ours.log)).tree(), 0, size);
}

/** The peer's checkpoint is over more than is here: only its tree tells whether it begins with the same leaves. */
async function compareBeginning(
  context: ExchangeContext,
  peer: PeerQuestions,
  { head, ours }: { readonly head: SignedHead; readonly ours: LogHead },
): Promise<Standing> {
  const stored = await context.store.checkpointOver(ours.log, ours.size);
  if (stored === undefined) return { compared: 0, proven: false };
  const comparison = new Comparison({ context, peer, head, ours });
  const index = await comparison.index(ours.size);
  if (index === undefined) return { compared: ours.size, proven: false };
  return keepFork(context, { head, ours: stored }, async () => (await comparison.fork(stored)).file);
}

async function keepFork(
  context: ExchangeContext,
  { head, ours }: { readonly head: SignedHead; readonly ours: StoredCheckpoint },
  build: () => Promise<Uint8Array>,
): Promise<Standing> {
  const { identity, logId, size, checkpoint } = head;
  const { deviceKey, epoch } = identity;
  const proven = await keepProof(context, {
    ...{ kind: "fork", deviceKey, epoch, logId, size, theirs: checkpoint, ours: ours.bytes, build },
    detail: `another node holds ${size} leaves under ${toHex(head.root)}, which are not those here`,
  });
  return { compared: 0, proven };
}

function twoRoots(context: ExchangeContext, head: SignedHead, ours: StoredCheckpoint): Uint8Array {
  return buildForkFault(context.suite, head.identity, {
    one: { checkpoint: ours.bytes, leaf: notNeeded, tree: notNeeded },
    other: { checkpoint: head.checkpoint, leaf: notNeeded, tree: notNeeded },
  });
}

function notNeeded(): never {
  throw new Problem("fault-nothing", "two roots at one size need no leaves");
}

interface ComparisonParts {
  readonly context: ExchangeContext;
  readonly peer: PeerQuestions;
  readonly head: SignedHead;
  readonly ours: LogHead;
}

/** The tree under a peer's checkpoint beside the one here. */
class Comparison {
  readonly #parts: ComparisonParts;
  readonly #theirs: PeerTree;

  constructor(parts: ComparisonParts) {
    this.#parts = parts;
    this.#theirs = new PeerTree(parts.context.suite, parts.peer, parts.head);
  }

  /** The first leaf below `size` that is another one there. */
  async index(size: number): Promise<number | undefined> {
    return firstDifference({ ours: await this.#tree(), theirs: this.#theirs }, size);
  }

  /** The fault file over `stored`, a checkpoint at or above the smaller size, and the checkpoint of the peer. */
  async fork(stored: StoredCheckpoint): Promise<{ readonly file: Uint8Array }> {
    const { context, head, ours } = this.#parts;
    const { leaf } = await context.histories.of(ours.log);
    const tree = await this.#tree();
    const index = await this.index(Math.min(stored.size, head.size));
    if (index === undefined) throw new Problem("fault-nothing", "both checkpoints are over the same history");
    const bytes = await this.#theirLeaf(index, { stored, leaf: leaf(index), tree });
    const one = { checkpoint: stored.bytes, leaf, tree: () => tree };
    const other = { checkpoint: head.checkpoint, leaf: () => bytes, tree: () => this.#theirs.source() };
    return { file: buildForkFault(context.suite, head.identity, { one, other }) };
  }

  async #theirLeaf(
    index: number,
    ours: { readonly stored: StoredCheckpoint; readonly leaf: Uint8Array; readonly tree: NodeSource },
  ): Promise<Uint8Array> {
    const { context, peer, head } = this.#parts;
    const { stored, tree } = ours;
    const bytes = await peer.leaf(head.logId, index, {
      checkpoint: stored.bytes,
      leafHash: leafHash(context.suite, ours.leaf),
      hashes: joinHashes(buildMultiproof(tree, stored.size, [index])),
    });
    if (equalBytes(leafHash(context.suite, bytes), await this.#theirs.node({ level: 0, index })))
      return bytes;
    throw notAnAnswer(`leaf ${index}`, "other bytes", "leaf");
  }

  async #tree(): Promise<NodeSource> {
    const { context, ours } = this.#parts;
    return (await context.histories.of(ours.log)).tree();
  }
}
