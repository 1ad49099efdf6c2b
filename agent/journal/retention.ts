import { equalBytes } from "../../attest/bytes.ts";
import { nativeSuite } from "../../attest/native.ts";
import { openReceipt, receiptKeyHint } from "../../attest/receipt.ts";
import { type Journal, PAGE_BYTES, type Release, SUBTREE_LEAVES } from "./journal.ts";
import type { JournalReader } from "./journal-reader.ts";
import { leavesOf, planRelease } from "./release.ts";
import type { Stretch } from "./sound-blocks.ts";

/** How long and how much of what every node has receipted is kept. */
export interface RetentionLimits {
  /** After its last receipt. */
  readonly days: number;
  /** Of the journal's file. */
  readonly maxBytes: number;
}

/** Why readings go. */
export type ReleaseReason = "age" | "size" | "disk full";

/** Readings that go together, and the stretch of the log that they are taken out of. */
export interface Releasing {
  readonly stretch: Stretch;
  readonly releases: readonly Release[];
  readonly leaves: number;
  readonly reason: ReleaseReason;
}

/** Who has to have receipted what goes, and what time it is: UTC, where it is known. */
export interface ReleaseTerms {
  readonly epoch: number;
  readonly nodes: readonly Uint8Array[];
  readonly nowMs: number | undefined;
}

/** Blocks of 256 leaves that go in one commit: what nobody notices on a small gateway. */
const MOST_BLOCKS = 16;
const DAY_MS = 86_400_000;
/** The part of the file's limit that is left for what has not been receipted yet. */
const ROOM_PART = 8;

/**
 * Finds what the journal need not keep: readings of complete blocks that every configured node has receipted, the oldest
 * first, after some days, or sooner where the file would grow too large or the disk is full.
 */
export class Retention {
  readonly #limits: RetentionLimits;
  /** Of the epoch that was looked at last, the block from which on nothing was released. */
  #next = { epoch: 0, position: 0 };

  constructor(limits: RetentionLimits) {
    this.#limits = limits;
  }

  /**
   * The next readings that go, undefined for none. `full` asks for the oldest whatever their age.
   *
   * @throws Problem `journal-damaged` where a block is not what was sealed; it is left alone, and the next call goes on
   *   behind it
   */
  next(journal: Journal, terms: ReleaseTerms, full: boolean): Releasing | undefined {
    const reason = full ? "disk full" : this.#isLarge(journal) ? "size" : "age";
    const first = this.#firstBlock(journal, terms.epoch);
    const receipted = Math.floor(receiptedByAll(journal, terms) / SUBTREE_LEAVES);
    const found: Block[] = [];
    for (let position = first; position < Math.min(receipted, first + MOST_BLOCKS); position++) {
      if (reason === "age" && !this.#isOld(journal, terms, position)) break;
      try {
        const release = planRelease(journal, terms.epoch, position);
        if (release !== undefined) found.push({ position, release });
      } catch (cause) {
        if (found.length > 0) break;
        this.#next.position = position + 1;
        throw cause;
      }
      if (found.length === 0) this.#next.position = position + 1;
    }
    return releasing(found, reason);
  }

  #firstBlock(journal: Journal, epoch: number): number {
    const durable = journal.releasedTo(epoch) / SUBTREE_LEAVES;
    const known = this.#next.epoch === epoch ? this.#next.position : 0;
    this.#next = { epoch, position: Math.max(durable, known) };
    return this.#next.position;
  }

  #isLarge(journal: Journal): boolean {
    const { pages, free } = journal.pages();
    const { maxBytes } = this.#limits;
    return (pages - free) * PAGE_BYTES > maxBytes - maxBytes / ROOM_PART;
  }

  /** By the node's clock, which is not the owner's: the leaves are older than that. */
  #isOld(journal: JournalReader, { epoch, nowMs }: ReleaseTerms, position: number): boolean {
    if (nowMs === undefined) return false;
    const kept = journal.checkpointOver(epoch, (position + 1) * SUBTREE_LEAVES - 1);
    const received = (kept?.receipts ?? []).map(
      (bytes) => openReceipt(nativeSuite, bytes, receiptKeyHint(bytes)).receivedAtMs,
    );
    return received.length > 0 && Math.max(...received) < nowMs - this.#limits.days * DAY_MS;
  }
}

interface Block {
  readonly position: number;
  readonly release: Release;
}

function releasing(blocks: readonly Block[], reason: ReleaseReason): Releasing | undefined {
  const [first, last] = [blocks[0], blocks.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  const releases = blocks.map(({ release }) => release);
  const stretch = { from: first.position * SUBTREE_LEAVES, to: (last.position + 1) * SUBTREE_LEAVES };
  return { stretch, releases, leaves: releases.reduce((sum, one) => sum + leavesOf(one), 0), reason };
}

/** Up to which size all of the nodes have receipted the epoch; 0 where there is no node. */
export function receiptedByAll(journal: JournalReader, { epoch, nodes }: ReleaseTerms): number {
  const receipted = journal.receiptedBy(epoch);
  const sizes = nodes.map((node) => receipted.find(({ nodeKey }) => equalBytes(nodeKey, node))?.size ?? 0);
  return sizes.length === 0 ? 0 : Math.min(...sizes);
}
