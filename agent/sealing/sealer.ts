import { breakClose, type ChannelState, closeReferences, dueClose } from "../../attest/channel-state.ts";
import { signCheckpoint } from "../../attest/checkpoint.ts";
import { leafSalt } from "../../attest/identity.ts";
import type { CloseBody } from "../../attest/intervals.ts";
import { longestPauseMs } from "../../attest/intervals.ts";
import {
  type ClockStep,
  DISCONTINUITY,
  type EpochOpen,
  KNOWN_TIME,
  type Leaf,
  type LogManifest,
  type Unplaced,
} from "../../attest/leaf.ts";
import { decodeLeaf, encodeLeaf } from "../../attest/leaf-codec.ts";
import type { LogRules } from "../../attest/log-rules.ts";
import { hmacSha256, nativeSuite } from "../../attest/native.ts";
import { Problem } from "../../attest/problem.ts";
import type { FlexibilityReading, MeterReading } from "../../attest/reading.ts";
import type { Receipt } from "../../attest/receipt.ts";
import type { Signer } from "../../attest/signature.ts";
import { Frontier } from "../../attest/tree.ts";
import type { AgentClock, Instant, Step } from "../clock/clock.ts";
import { type Journal, type SealedLeaf, SUBTREE_LEAVES } from "../journal/journal.ts";
import {
  type ChannelSource,
  completedBy,
  discontinuityLeaf,
  flexibilityLeaf,
  manifestChange,
  manifestLeaf,
  readingLeaf,
  sameManifest,
} from "./leaves.ts";

export interface SealerOptions {
  readonly journal: Journal;
  readonly clock: AgentClock;
  readonly signer: Signer;
  readonly saltKey: Uint8Array;
  /** The log's rules as of its last durable leaf; empty for a new log. */
  readonly rules: LogRules;
  /** Hashes of the leaves behind the last complete subtree of 256. */
  readonly openBlock: readonly Uint8Array[];
  readonly bootCount: number;
}

/** Leaves that may wait for a failing disk before readings are refused. */
const MAX_PENDING = 20_000;
/** How many leaves may have to be replayed at the next start. */
const SNAPSHOT_LEAVES = 2048;
const NO_SALT = new Uint8Array(16);
/** How long a due close waits for a reading that is being re-read, at most half an interval. */
const HELD_WAIT_MS = 30_000;

/**
 * Turns accepted readings into leaves of the device's log, writes them durably, and signs checkpoints over what
 * is durable. Every leaf passes the same rules that a verifying node runs, before it is written.
 */
export class Sealer {
  readonly #options: SealerOptions;
  readonly #rules: LogRules;
  #pending: SealedLeaf[] = [];
  #subtrees: { position: number; hash: Uint8Array }[] = [];
  #block: Frontier;
  #durableSize: number;
  #snapshotSize: number;
  #signedSize: number;
  #anchoredSize = 0;
  /** Size behind the last leaf that is worth a checkpoint of its own: anything but an anchor. */
  #newsSize: number;
  #closedSinceCheckpoint = false;

  constructor(options: SealerOptions) {
    this.#options = options;
    this.#rules = options.rules;
    this.#block = new Frontier(nativeSuite);
    for (const hash of options.openBlock) this.#block.append(hash);
    this.#durableSize = options.rules.size;
    this.#snapshotSize = options.rules.size;
    this.#newsSize = options.rules.size;
    this.#signedSize = options.journal.lastCheckpoint(options.rules.identity.epoch)?.size ?? 0;
  }

  get rules(): LogRules {
    return this.#rules;
  }

  /** Leaves that are durable in the journal. */
  get durableSize(): number {
    return this.#durableSize;
  }

  /** Size of the newest signed checkpoint. */
  get signedSize(): number {
    return this.#signedSize;
  }

  /** Whether an interval was closed since the last checkpoint: worth signing at once. */
  get closedSinceCheckpoint(): boolean {
    return this.#closedSinceCheckpoint;
  }

  /** Opens a new log with its manifest and, from the second epoch on, with what it continues and why. */
  open(
    manifest: Omit<Unplaced<LogManifest>, "kind" | "timeMs" | "timeQuality">,
    continued?: Omit<Unplaced<EpochOpen>, "kind" | "timeMs" | "timeQuality">,
  ): void {
    const at = this.#options.clock.now();
    this.#append({ kind: "logManifest", ...at, ...manifest });
    if (continued !== undefined) this.#append({ kind: "epochOpen", ...at, ...continued });
  }

  /** After a start: states that the clock shows less, or knows less or more, than the log's last leaf. */
  reconcileClock(): void {
    const last = this.#rules.lastTime;
    const after = this.#options.clock.now();
    const known = (quality: number): boolean => quality >= KNOWN_TIME;
    if (known(last.timeQuality) === known(after.timeQuality) && after.timeMs >= last.timeMs) return;
    this.stepClock({ before: last, after });
  }

  /** Closes what is open on the old clock and states the step. */
  stepClock(step: Step): void {
    for (const channel of this.#rules.channels.keys()) this.#breakChain(channel, step.before);
    const leaf: Unplaced<ClockStep> = {
      kind: "clockStep",
      ...step.after,
      beforeMs: step.before.timeMs,
      beforeQuality: step.before.timeQuality,
    };
    this.#append(leaf);
  }

  /**
   * The number of the channel with that name, whose manifest is written when the channel is new or anything about
   * it has changed.
   */
  channel(source: ChannelSource): number {
    const known = [...this.#rules.channels.values()].find(
      (state) => state.manifest.name === source.settings.name,
    );
    const number = known?.manifest.channel ?? Math.max(0, ...this.#rules.channels.keys()) + 1;
    const at = this.#options.clock.now();
    const described = manifestLeaf(number, source, at);
    const manifest = known === undefined ? described : completedBy(known.manifest, described);
    if (known !== undefined) {
      if (sameManifest(known.manifest, manifest)) return number;
      this.#breakChain(number, at);
    }
    this.#append(manifest);
    return number;
  }

  /** Seals an accepted reading, behind the closes and the discontinuity that must come before it. */
  sealReading(channel: number, reading: MeterReading, classification?: number): void {
    const at = this.#options.clock.now();
    const leaf = readingLeaf(channel, reading, at);
    // A discontinuity announces the reading that follows; one that cannot be written must not be announced.
    encodeLeaf({ ...leaf, seq: this.#rules.size, salt: NO_SALT });
    this.#closeDue(channel, at.timeMs, at);
    const cause = classification ?? this.#breakCause(channel, at);
    if (cause !== undefined) this.#breakBefore(channel, reading, { at, classification: cause });
    this.#append(leaf);
  }

  sealFlexibility(channel: number, flexibility: FlexibilityReading): void {
    const at = this.#options.clock.now();
    this.#append(flexibilityLeaf(this.#state(channel), flexibility, at));
  }

  /** Takes a node's receipt up into the log; at most one per checkpoint. */
  anchor(receipt: Receipt, nodeKey: Uint8Array, bytes: Uint8Array): void {
    if (receipt.size <= this.#anchoredSize) return;
    this.#anchoredSize = receipt.size;
    const newsSize = this.#newsSize;
    this.#append({
      kind: "anchor",
      ...this.#options.clock.now(),
      nodeKey,
      receiptHash: nativeSuite.sha256(bytes),
      receivedAtMs: receipt.receivedAtMs,
      receiptSize: receipt.size,
    });
    this.#newsSize = newsSize;
  }

  /** Writes the closes of intervals that are over although no later reading has come yet. */
  closeOverdue(): void {
    const at = this.#options.clock.now();
    const wait = Math.min(HELD_WAIT_MS, Math.floor(this.#rules.intervalMs / 2));
    for (const channel of this.#rules.channels.keys()) this.#closeDue(channel, at.timeMs - wait, at);
  }

  /** Makes everything durable. Throws what the database throws; the leaves then stay pending. */
  commit(options: { readonly snapshot?: boolean } = {}): void {
    const snapshot = options.snapshot === true || this.#rules.size - this.#snapshotSize >= SNAPSHOT_LEAVES;
    if (this.#pending.length === 0 && !snapshot) return;
    this.#options.journal.commit({
      epoch: this.#rules.identity.epoch,
      leaves: this.#pending,
      subtrees: this.#subtrees,
      notes: snapshot ? { rules: this.#rules.toText() } : {},
    });
    this.#pending = [];
    this.#subtrees = [];
    this.#durableSize = this.#rules.size;
    if (snapshot) this.#snapshotSize = this.#rules.size;
  }

  /** Whether a checkpoint would say something new. */
  get hasNews(): boolean {
    return this.#newsSize > this.#signedSize;
  }

  /** Commits, signs a checkpoint over everything durable, and stores it. Returns its size. */
  async checkpoint(): Promise<number> {
    const { rules, durable } = this.#committed();
    const bytes = await signCheckpoint(this.#options.signer, this.#rules.logId, rules);
    this.#options.journal.addCheckpoint(this.#rules.identity.epoch, durable, bytes);
    this.#signedSize = durable;
    return durable;
  }

  /** What the next checkpoint says; taken in one step with the commit, before anything else is appended. */
  #committed(): { rules: Parameters<typeof signCheckpoint>[2]; durable: number } {
    this.commit({ snapshot: this.#closedSinceCheckpoint });
    this.#closedSinceCheckpoint = false;
    const issued = this.#options.clock.now();
    return {
      durable: this.#durableSize,
      rules: {
        size: this.#durableSize,
        root: this.#rules.root(),
        lastLeafMs: this.#rules.lastTime.timeMs,
        issuedAtMs: issued.timeMs,
        timeQuality: issued.timeQuality,
        bootCount: this.#options.bootCount,
        manifestHash: this.#rules.manifestHash,
      },
    };
  }

  #closeDue(channel: number, nowMs: number, at: Instant): void {
    const state = this.#state(channel);
    const body = dueClose(state, nowMs, this.#rules.intervalMs);
    if (body !== undefined) this.#appendClose(state, body, at);
  }

  /** Ends the channel's chain: what is due at a boundary first, then the rest up to its last register. */
  #breakChain(channel: number, at: Instant): void {
    this.#closeDue(channel, at.timeMs, at);
    const state = this.#state(channel);
    const body = breakClose(state, this.#rules.intervalMs);
    if (body !== undefined) this.#appendClose(state, body, at);
  }

  #appendClose(state: ChannelState, body: CloseBody, at: Instant): void {
    this.#append({
      kind: "intervalClose",
      ...at,
      channel: state.manifest.channel,
      ...body,
      ...closeReferences(state),
    });
    this.#closedSinceCheckpoint = true;
  }

  /** Why a reading now needs a discontinuity before it, if it does. */
  #breakCause(channel: number, at: Instant): number | undefined {
    const state = this.#state(channel);
    if (state.replaced === true) return this.#replacement(state);
    const last = state.lastReadingMs;
    if (last === undefined || at.timeMs - last <= longestPauseMs(this.#rules.intervalMs)) return undefined;
    return DISCONTINUITY.gap;
  }

  /** The manifest under which the last register was read lies in the log, perhaps from before a restart. */
  #replacement({ last, manifest }: ChannelState): number {
    const { journal } = this.#options;
    const { epoch } = this.#rules.identity;
    const durable = journal
      .channelManifestSeqs(epoch)
      .flatMap((seq) => journal.leaves(epoch, seq, seq + 1).map(decodeLeaf));
    const before = [...durable, ...this.#pending.map(({ leaf }) => leaf)]
      .filter((leaf) => leaf.kind === "channelManifest")
      .findLast((leaf) => leaf.channel === manifest.channel && leaf.seq < (last?.seq ?? 0));
    return manifestChange(before ?? manifest, manifest);
  }

  #breakBefore(channel: number, next: MeterReading, cause: { at: Instant; classification: number }): void {
    this.#breakChain(channel, cause.at);
    const state = this.#state(channel);
    if (state.lastReadingMs === undefined) return;
    const body = {
      classification: cause.classification,
      gapFromMs: state.lastReadingMs,
      old: state.last,
      next,
      previousDiscontinuitySeq: state.lastDiscontinuitySeq,
    };
    this.#append(discontinuityLeaf(channel, body, cause.at));
  }

  #state(channel: number): ChannelState {
    const state = this.#rules.channels.get(channel);
    if (state === undefined) throw new Problem("channel-unknown", `channel ${channel} has no manifest`);
    return state;
  }

  #append(unplaced: Unplaced): void {
    if (this.#pending.length >= MAX_PENDING) {
      throw new Problem(
        "journal-stuck",
        "too many leaves wait for the disk; readings are refused until it takes them",
        {
          expected: `at most ${MAX_PENDING}`,
          hint: "free space on the journal's file system or replace the card",
        },
      );
    }
    const seq = this.#rules.size;
    const salt = leafSalt(hmacSha256, { saltKey: this.#options.saltKey, logId: this.#rules.logId, seq });
    const leaf: Leaf = { ...unplaced, seq, salt };
    const bytes = encodeLeaf(leaf);
    const hash = this.#rules.apply(leaf, bytes);
    this.#pending.push({ leaf, bytes });
    this.#newsSize = this.#rules.size;
    this.#extendBlock(hash);
  }

  #extendBlock(hash: Uint8Array): void {
    this.#block.append(hash);
    if (this.#block.size < SUBTREE_LEAVES) return;
    this.#subtrees.push({ position: this.#rules.size / SUBTREE_LEAVES - 1, hash: this.#block.root() });
    this.#block = new Frontier(nativeSuite);
  }
}
