import { losesBegin } from "../../attest/channel-rules.ts";
import { breakClose, type ChannelState, closeReferences, dueClose } from "../../attest/channel-state.ts";
import type { Checkpoint } from "../../attest/checkpoint.ts";
import type { CloseBody } from "../../attest/intervals.ts";
import { longestPauseMs } from "../../attest/intervals.ts";
import {
  type ChannelManifest,
  DISCONTINUITY,
  type EpochOpen,
  type LogManifest,
  type OpaqueLeaf,
  type OperatorAction,
  type ReadingLeaf,
  type Tamper,
  type Unplaced,
} from "../../attest/leaf.ts";
import { encodeLeaf } from "../../attest/leaf-codec.ts";
import type { FlexibilityLeaf } from "../../attest/leaf-flexibility.ts";
import type { LogRules } from "../../attest/log-rules.ts";
import { nativeSuite } from "../../attest/native.ts";
import { Problem } from "../../attest/problem.ts";
import type { FlexibilityReading, MeterReading } from "../../attest/reading.ts";
import type { Receipt } from "../../attest/receipt.ts";
import type { Signer } from "../../attest/signature.ts";
import type { Instant, Step } from "../clock/clock.ts";
import type { Release } from "../journal/journal.ts";
import type { Stretch } from "../journal/sound-blocks.ts";
import { CheckpointBook } from "./checkpoint-book.ts";
import { clockStepLeaf, isKnown, stepsAtStart } from "./clock-steps.ts";
import {
  type ChannelSource,
  completedBy,
  discontinuityLeaf,
  flexibilityLeaf,
  manifestLeaf,
  type Registers,
  readingLeaf,
  sameManifest,
  type UntimedLifecycle,
} from "./leaves.ts";
import { LogWriter, type LogWriterOptions } from "./log-writer.ts";
import { replacementCause } from "./manifest-change.ts";
import { prefixCheckpoints } from "./prefix-checkpoints.ts";
import { ToldClock } from "./told-clock.ts";

export interface SealerOptions extends LogWriterOptions {
  readonly clock: { now(): Instant };
  readonly signer: Signer;
  readonly bootCount: number;
  /** When the log begins, where it takes over leaves that are older than now. */
  readonly opensAt?: Instant;
}

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
  readonly clock: ToldClock;
  readonly writer: LogWriter;
  readonly #checkpoints: CheckpointBook;
  #anchoredSize = 0;
  /** Size behind the last leaf that is worth a checkpoint of its own: anything but an anchor. */
  #newsSize: number;
  #closedSinceCheckpoint = false;
  /** The machine was started since the last leaf, and the log does not say so yet. */
  #startedAnew = false;

  constructor(options: SealerOptions) {
    this.#options = options;
    this.#rules = options.rules;
    this.clock = new ToldClock(options.clock);
    this.writer = new LogWriter(options);
    this.clock.takesOver = options.rules.size > 0 && options.journal.carry() !== undefined;
    this.#newsSize = options.rules.size;
    const { signer, rules } = options;
    const { writer } = this;
    const { epoch } = rules.identity;
    this.#checkpoints = new CheckpointBook({ writer, signer, epoch, logId: rules.logId });
  }

  get rules(): LogRules {
    return this.#rules;
  }

  /** Leaves that are durable in the journal. */
  get durableSize(): number {
    return this.writer.durableSize;
  }

  /** Size of the newest signed checkpoint. */
  get signedSize(): number {
    return this.#checkpoints.signedSize;
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
    const at = this.#options.opensAt ?? this.clock.now();
    this.#append({ kind: "logManifest", ...at, ...manifest });
    if (continued !== undefined) this.#append({ kind: "epochOpen", ...at, ...continued });
  }

  /** After a start: states what the clock shows now, where it is not what goes on from the log's last leaf. */
  reconcileClock(): void {
    if (this.clock.takesOver) {
      this.#startedAnew = true;
      return;
    }
    const steps = stepsAtStart(this.#rules.lastTime, this.clock.now(), this.#startedAnew);
    this.#startedAnew = false;
    for (const step of steps) this.stepClock(step);
  }

  /**
   * Closes what is open on the old clock and states the step. Throws `log-takes-over`; only a start of the machine is kept
   * in mind, and stated when the take-over has ended.
   */
  stepClock(step: Step): void {
    if (this.clock.isBusy && !isKnown(step.before) && !isKnown(step.after)) {
      this.#startedAnew = true;
      return;
    }
    this.clock.requireFree();
    const leaf = clockStepLeaf(step);
    const gap = { at: step.before, classification: DISCONTINUITY.gap };
    for (const channel of this.#rules.channels.keys()) {
      this.#breakChain(channel, step.before);
      if (losesBegin(this.#state(channel), leaf)) this.#breakBefore(channel, {}, gap);
    }
    this.#append(leaf);
  }

  /**
   * The number of the channel with that name, whose manifest is written when the channel is new or anything about
   * it has changed.
   */
  channel(source: ChannelSource): number {
    const at = this.clock.now();
    return this.#declare(source.settings.name, (number, known) => {
      const described = manifestLeaf(number, source, at);
      return known === undefined ? described : completedBy(known, described);
    });
  }

  /** As {@link Sealer.channel}, for a channel of another log that is described in full. */
  channelLike({ seq: _s, salt: _l, timeMs: _t, timeQuality: _q, ...said }: ChannelManifest): number {
    const at = this.clock.now();
    return this.#declare(said.name, (channel) => ({ ...said, ...at, channel }));
  }

  #declare(
    name: string,
    describe: (number: number, known?: ChannelManifest) => Unplaced<ChannelManifest>,
  ): number {
    const known = [...this.#rules.channels.values()].find((state) => state.manifest.name === name)?.manifest;
    const number = known?.channel ?? Math.max(0, ...this.#rules.channels.keys()) + 1;
    const manifest = describe(number, known);
    if (known !== undefined) {
      if (sameManifest(known, manifest)) return number;
      this.#breakChain(number, { timeMs: manifest.timeMs, timeQuality: manifest.timeQuality });
    }
    this.#append(manifest);
    return number;
  }

  /** Seals an accepted reading, behind the closes and the discontinuity that must come before it. */
  sealReading(channel: number, reading: MeterReading, classification?: number): void {
    this.sealReadingLeaf(readingLeaf(channel, reading, this.clock.now()), classification);
  }

  /** As {@link Sealer.sealReading}, for a reading that is a leaf already. */
  sealReadingLeaf(leaf: Unplaced<ReadingLeaf>, classification?: number): void {
    const { channel, timeMs, timeQuality } = leaf;
    const at = { timeMs, timeQuality };
    // A discontinuity announces the reading that follows; one that cannot be written must not be announced.
    encodeLeaf({ ...leaf, seq: this.#rules.size, salt: NO_SALT });
    this.#closeDue(channel, at.timeMs, at);
    const cause = classification ?? this.#breakCause(channel, at);
    if (cause !== undefined) this.#breakBefore(channel, leaf, { at, classification: cause });
    this.#append(leaf);
  }

  sealFlexibility(channel: number, flexibility: FlexibilityReading): void {
    const at = this.clock.now();
    this.#append(flexibilityLeaf(this.#state(channel), flexibility, at));
  }

  /** A leaf of a kind that the rules hold to nothing beside its place and time. */
  append(leaf: Unplaced<Tamper | OperatorAction | OpaqueLeaf | FlexibilityLeaf>): void {
    this.#append(leaf);
  }

  /** Appends a leaf of the life of a commitment or a challenge, as of now; returns its seq. */
  sealLifecycle(leaf: UntimedLifecycle): number {
    this.#append({ ...leaf, ...this.clock.now() });
    return this.#rules.size - 1;
  }

  /** States that the readings of those leaves are gone, with the next commit. */
  release({ from, to }: Stretch, releases: readonly Release[], reason: string): void {
    this.#append({ kind: "tombstone", ...this.clock.now(), firstSeq: from, count: to - from, reason });
    for (const release of releases) this.writer.addRelease(release);
  }

  /** Takes a node's receipt up into the log; at most one per checkpoint. */
  anchor(receipt: Receipt, nodeKey: Uint8Array, bytes: Uint8Array): void {
    if (receipt.size <= this.#anchoredSize || this.clock.takesOver) return;
    this.#anchoredSize = receipt.size;
    const newsSize = this.#newsSize;
    this.#append({
      kind: "anchor",
      ...this.clock.now(),
      nodeKey,
      receiptHash: nativeSuite.sha256(bytes),
      receivedAtMs: receipt.receivedAtMs,
      receiptSize: receipt.size,
    });
    this.#newsSize = newsSize;
  }

  /** Writes the closes of intervals that are over although no later reading has come yet. */
  closeOverdue(): void {
    if (this.clock.takesOver) return;
    const at = this.clock.now();
    const wait = Math.min(HELD_WAIT_MS, Math.floor(this.#rules.intervalMs / 2));
    for (const channel of this.#rules.channels.keys()) this.#closeDue(channel, at.timeMs - wait, at);
  }

  /** Makes everything durable. Throws what the database throws; the leaves then stay pending. */
  commit(options: { readonly snapshot?: boolean } = {}): void {
    this.writer.commit(options);
  }

  /** Whether a checkpoint would say something new. */
  get hasNews(): boolean {
    return this.#newsSize > this.signedSize;
  }

  /** Commits, signs a checkpoint over everything durable, and stores it. Returns its size. */
  async checkpoint(): Promise<number> {
    const last = this.#committed();
    const { journal } = this.writer;
    const terms = { signedSize: this.signedSize, last };
    for (const before of prefixCheckpoints(journal, this.#rules.identity.epoch, terms))
      await this.#checkpoints.sign(before);
    await this.#checkpoints.sign(last);
    return last.size;
  }

  /** The log goes on in another epoch: no checkpoint of this one is stored from here on. */
  end(): void {
    this.#checkpoints.end();
  }

  /** What the next checkpoint says; taken in one step with the commit, before anything else is appended. */
  #committed(): Checkpoint {
    this.commit({ snapshot: this.#closedSinceCheckpoint });
    this.#closedSinceCheckpoint = false;
    const issued = this.clock.now();
    return {
      size: this.durableSize,
      root: this.#rules.root(),
      lastLeafMs: this.#rules.lastTime.timeMs,
      issuedAtMs: issued.timeMs,
      timeQuality: issued.timeQuality,
      bootCount: this.#options.bootCount,
      manifestHash: this.#rules.manifestHash,
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
    if (state.replaced === true) return replacementCause(this.writer, this.#rules.identity.epoch, state);
    const last = state.lastReadingMs;
    if (last === undefined || at.timeMs - last <= longestPauseMs(this.#rules.intervalMs)) return undefined;
    return DISCONTINUITY.gap;
  }

  #breakBefore(channel: number, next: Registers, cause: { at: Instant; classification: number }): void {
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

  #append(leaf: Unplaced): void {
    this.writer.append(leaf);
    this.#newsSize = this.#rules.size;
  }
}
