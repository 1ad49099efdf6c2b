import { equalBytes, toHex } from "../../attest/bytes.ts";
import { buildTwoEpochsFault } from "../../attest/fault-build.ts";
import type { LogIdentity } from "../../attest/identity.ts";
import type { EpochOpen } from "../../attest/leaf.ts";
import { decodeLeaf } from "../../attest/leaf-codec.ts";
import { LruCache } from "../../attest/lru-cache.ts";
import { Problem } from "../../attest/problem.ts";
import { leafHash } from "../../attest/tree.ts";
import type { LogHead } from "../store/store.ts";
import type { ExchangeContext } from "./exchange-context.ts";
import { keepProof } from "./keep-proof.ts";
import type { PeerQuestions } from "./peer.ts";
import { PeerTree } from "./peer-tree.ts";
import { EPOCH_OPEN_SEQ } from "./questions.ts";
import type { SignedHead } from "./signed-head.ts";
import { notAnAnswer } from "./transport.ts";

/** Later epochs here of which one is looked for that closed the log in question. */
const MOST_LATER_EPOCHS = 8;
const KEPT_CLAIMS = 4096;

/**
 * What a later epoch says of the log before: an honest device signs no more there. Where it does not say up to which size
 * it had signed, for it could not know, nothing follows from any checkpoint.
 */
interface Claim {
  readonly oldLogId: Uint8Array;
  readonly oldSignedSize: number;
  readonly bytes: Uint8Array;
}

/** Claims of later epochs that only peers hold, by log; null for one that accuses nobody. */
export class ClaimCache {
  readonly #claims = new LruCache<string, { claim?: Claim | null }>(KEPT_CLAIMS);

  /** One that could not be asked for is not remembered. */
  async of(logId: Uint8Array, ask: () => Promise<Claim | null>): Promise<Claim | null> {
    const place = this.#claims.getOrCompute(toHex(logId), () => ({}));
    place.claim ??= await ask();
    return place.claim;
  }
}

/** Keeps a peer's checkpoint that is over more than a later epoch, which is held here, says was signed. */
export async function judgeByOurLater(context: ExchangeContext, head: SignedHead): Promise<void> {
  const { deviceKey, epoch } = head.identity;
  for (const later of await context.store.laterHeads(deviceKey, epoch, MOST_LATER_EPOCHS))
    await judgeByLater(context, head, later);
}

async function judgeByLater(context: ExchangeContext, head: SignedHead, later: LogHead): Promise<void> {
  if (later.size <= EPOCH_OPEN_SEQ) return;
  const history = await context.histories.of(later.log);
  const claim = claimOf(history.leaf(EPOCH_OPEN_SEQ));
  if (claim === null || !equalBytes(claim.oldLogId, head.logId) || head.size <= claim.oldSignedSize) return;
  const ours = await context.store.checkpointOver(later.log, EPOCH_OPEN_SEQ + 1);
  if (ours === undefined) return;
  const { identity, logId, size, checkpoint } = head;
  await keepProof(context, {
    ...placeOf(identity, { logId, size, theirs: checkpoint, ours: ours.bytes }),
    detail: `epoch ${later.epoch} says that ${claim.oldSignedSize} leaves were signed, and another node holds ${size}`,
    build: async () =>
      buildTwoEpochsFault(context.suite, identity, {
        checkpoint,
        later: { ...history, checkpoint: ours.bytes, epoch: later.epoch },
      }),
  });
}

/**
 * Keeps a checkpoint that is held here and is over more than a later epoch, which only the peer holds, says was signed.
 * Throws what the questions to the peer throw.
 */
export async function judgeByTheirLater(
  context: ExchangeContext,
  { peer, claims }: { readonly peer: PeerQuestions; readonly claims: ClaimCache },
  head: SignedHead,
): Promise<void> {
  if (head.identity.epoch === 1 || head.size <= EPOCH_OPEN_SEQ) return;
  const tree = new PeerTree(context.suite, peer, head);
  const claim = await claims.of(head.logId, () => claimThere(context, { peer, tree }, head));
  const old = claim === null ? undefined : await context.archive.logOf(claim.oldLogId);
  const { network, deviceKey } = head.identity;
  if (claim === null || old === undefined || !equalBytes(old.deviceKey, deviceKey)) return;
  const ours = await context.store.checkpointOver(old.log, old.size);
  if (old.epoch >= head.identity.epoch || ours === undefined || ours.size <= claim.oldSignedSize) return;
  const identity = { network, deviceKey, epoch: old.epoch };
  await keepProof(context, {
    ...placeOf(identity, {
      ...{ logId: claim.oldLogId, size: ours.size, theirs: ours.bytes, ours: head.checkpoint },
    }),
    detail: `epoch ${head.identity.epoch}, which another node holds, says that ${claim.oldSignedSize} leaves were signed, and there are ${ours.size} here`,
    build: async () => {
      await tree.node({ level: 0, index: EPOCH_OPEN_SEQ });
      const later = { checkpoint: head.checkpoint, leaf: () => claim.bytes, tree: () => tree.source() };
      return buildTwoEpochsFault(context.suite, identity, {
        checkpoint: ours.bytes,
        later: { ...later, epoch: head.identity.epoch },
      });
    },
  });
}

async function claimThere(
  context: ExchangeContext,
  { peer, tree }: { readonly peer: PeerQuestions; readonly tree: PeerTree },
  head: SignedHead,
): Promise<Claim | null> {
  const hash = await tree.node({ level: 0, index: EPOCH_OPEN_SEQ });
  const bytes = await peer.leaf(head.logId, EPOCH_OPEN_SEQ);
  if (equalBytes(leafHash(context.suite, bytes), hash)) return claimOf(bytes);
  throw notAnAnswer(`leaf ${EPOCH_OPEN_SEQ}`, "other bytes", "leaf");
}

/** Null for a leaf from which nothing follows. */
function claimOf(bytes: Uint8Array): Claim | null {
  const { oldLogId, oldSignedSize, oldSize = 0 } = epochOpenIn(bytes) ?? {};
  if (oldLogId === undefined || oldSignedSize === undefined) return null;
  return { oldLogId, oldSignedSize: Math.max(oldSignedSize, oldSize), bytes };
}

/** A device can sign bytes that are no leaf. */
function epochOpenIn(bytes: Uint8Array): EpochOpen | undefined {
  try {
    const leaf = decodeLeaf(bytes);
    return leaf.kind === "epochOpen" ? leaf : undefined;
  } catch (cause) {
    if (cause instanceof Problem) return undefined;
    throw cause;
  }
}

interface Statements {
  readonly logId: Uint8Array;
  readonly size: number;
  readonly theirs: Uint8Array;
  readonly ours: Uint8Array;
}

function placeOf(
  { deviceKey, epoch }: LogIdentity,
  statements: Statements,
): Statements & { readonly kind: "two-epochs"; readonly deviceKey: Uint8Array; readonly epoch: number } {
  return { kind: "two-epochs", deviceKey, epoch, ...statements };
}
