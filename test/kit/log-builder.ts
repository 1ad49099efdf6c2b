import { concatBytes } from "../../attest/bytes.ts";
import { breakClose, type ChannelState, closeReferences, dueClose } from "../../attest/channel-state.ts";
import { type Checkpoint, signCheckpoint } from "../../attest/checkpoint.ts";
import { leafSalt } from "../../attest/identity.ts";
import { type CloseBody, longestPauseMs } from "../../attest/intervals.ts";
import {
  type ChannelManifest,
  DISCONTINUITY,
  type Leaf,
  type LogManifest,
  REGISTER,
  type ReadingLeaf,
  TIME_QUALITY,
  type Unplaced,
} from "../../attest/leaf.ts";
import { decodeLeaf, encodeLeaf } from "../../attest/leaf-codec.ts";
import { BOUNDARY, type FlexibilityLeaf } from "../../attest/leaf-flexibility.ts";
import { LogRules } from "../../attest/log-rules.ts";
import type { NodeSource } from "../../attest/node-source.ts";
import { hmacSha256, portableSigner, portableSuite } from "../../attest/portable.ts";
import type { ProofSource } from "../../attest/proof-source.ts";
import { RULE_VERSION, signReceipt } from "../../attest/receipt.ts";
import type { LocalSigner } from "../../attest/signature.ts";
import type { Suite } from "../../attest/suite.ts";
import { nodeHash } from "../../attest/tree.ts";

/** A whole quarter of an hour of 2026, UTC. */
export const EPOCH_MS: number = Date.UTC(2026, 0, 5, 12);
export const QUARTER_MS = 900_000;

export interface LogBuilderOptions {
  readonly suite?: Suite;
  readonly signer?: LocalSigner;
  readonly network?: string;
  readonly epoch?: number;
  readonly intervalMs?: number;
  readonly startMs?: number;
  readonly timeQuality?: number;
  readonly manifest?: Partial<LogManifest>;
}

export interface PlacedLeaf {
  readonly leaf: Leaf;
  readonly bytes: Uint8Array;
  readonly hash: Uint8Array;
}

export interface StoredCheckpoint {
  readonly checkpoint: Checkpoint;
  readonly bytes: Uint8Array;
  readonly receipts: Uint8Array[];
}

/** What a reading says beside its channel, place and time. */
export type ReadingValues = Omit<Unplaced<ReadingLeaf>, "kind" | "channel" | "timeMs" | "timeQuality">;
type Registers = Pick<ReadingLeaf, "importMwh" | "exportMwh">;

/** A signer whose seed is one number, repeated. */
export function testSigner(seed: number): LocalSigner {
  return portableSigner(new Uint8Array(32).fill(seed));
}

/**
 * Writes lawful logs from register histories: set {@link LogBuilder.timeMs}, then say what the meter shows. Closes,
 * partial closes and discontinuities come where the rules want them. Unlawful logs a test makes itself with
 * {@link LogBuilder.place}, which asks no rules.
 */
export class LogBuilder {
  readonly suite: Suite;
  readonly signer: LocalSigner;
  readonly rules: LogRules;
  readonly leaves: PlacedLeaf[] = [];
  readonly checkpoints: StoredCheckpoint[] = [];
  timeMs: number;
  timeQuality: number;
  readonly #anchors: { readonly seq: number; readonly receipt: Uint8Array }[] = [];

  constructor(options: LogBuilderOptions = {}) {
    this.suite = options.suite ?? portableSuite;
    this.signer = options.signer ?? testSigner(1);
    this.timeMs = options.startMs ?? EPOCH_MS;
    this.timeQuality = options.timeQuality ?? TIME_QUALITY.ntp;
    const network = options.network ?? "test-network";
    const identity = { network, deviceKey: this.signer.publicKey, epoch: options.epoch ?? 1 };
    this.rules = new LogRules(this.suite, identity);
    this.append({
      ...{ kind: "logManifest", ...this.time(), ...identity, agentVersion: "0.1.0", assuranceTier: 0 },
      ...{ bootCount: 1, intervalMs: options.intervalMs ?? QUARTER_MS, ...options.manifest },
    });
  }

  time(): { readonly timeMs: number; readonly timeQuality: number } {
    return { timeMs: this.timeMs, timeQuality: this.timeQuality };
  }

  state(channel = 1): ChannelState {
    const state = this.rules.channels.get(channel);
    if (state === undefined) throw new Error(`channel ${channel} is not open`);
    return state;
  }

  /** The leaf as it would stand next in the log, and its bytes; nothing is checked or kept. */
  place(unplaced: Unplaced): { readonly leaf: Leaf; readonly bytes: Uint8Array } {
    const seq = this.leaves.length;
    const saltKey = new Uint8Array(32).fill(7);
    const salt = leafSalt(hmacSha256, { saltKey, logId: this.rules.logId, seq });
    const bytes = encodeLeaf({ ...unplaced, seq, salt });
    return { leaf: decodeLeaf(bytes), bytes };
  }

  append(unplaced: Unplaced): PlacedLeaf {
    const { leaf, bytes } = this.place(unplaced);
    const placed = { leaf, bytes, hash: this.rules.apply(leaf, bytes) };
    this.leaves.push(placed);
    return placed;
  }

  /** Opens a channel, import register only, or changes its manifest. */
  manifest(changes: Partial<ChannelManifest> = {}): PlacedLeaf {
    const channel = changes.channel ?? 1;
    if (this.rules.channels.has(channel)) this.breakChain(channel);
    return this.append(this.manifestLeaf(changes));
  }

  manifestLeaf(changes: Partial<ChannelManifest> = {}): Unplaced<ChannelManifest> {
    return {
      ...{ kind: "channelManifest", ...this.time(), channel: 1, role: 1, name: "meter/grid" },
      ...{ make: "Acme", model: "M1", serial: "4711", driver: "test", samplingMs: 5000 },
      registers: REGISTER.import,
      ...changes,
    };
  }

  /** What the meter shows now, behind the closes and the discontinuity that must come before it. */
  read(values: ReadingValues, channel = 1): PlacedLeaf {
    this.closeDue(channel);
    const cause = this.#breakCause(values, this.state(channel));
    if (cause !== undefined) this.discontinuity(values, { channel, classification: cause });
    return this.append({ kind: "reading", channel, ...this.time(), ...values });
  }

  /** What the device could take off or put onto the grid now. */
  flexibility(values: Partial<FlexibilityLeaf> = {}, channel = 1): PlacedLeaf {
    const { manifest, manifestHash } = this.state(channel);
    return this.append({
      ...{ kind: "flexibility", channel, ...this.time(), boundary: BOUNDARY.device, availability: 1 },
      ...{ manifestSeq: manifest.seq, manifestHash, ...values },
    });
  }

  /** `count` readings, `stepMs` apart, the import register `risesMwh` higher each time. */
  readMany(count: number, every: { readonly stepMs: number; readonly risesMwh: number }): this {
    let importMwh = this.state().last?.importMwh ?? 1_000_000;
    for (let i = 0; i < count; i++) {
      this.timeMs += every.stepMs;
      importMwh += every.risesMwh;
      const activePowerMw = Math.round((every.risesMwh * 3_600_000) / every.stepMs);
      this.read({ importMwh, activePowerMw });
    }
    return this;
  }

  /** The close that is due by now, if one is. */
  closeDue(channel = 1): PlacedLeaf | undefined {
    const body = dueClose(this.state(channel), this.timeMs, this.rules.intervalMs);
    return body && this.#close(channel, body);
  }

  /** Closes all that the channel has counted: at a boundary where one is due, then at its last register. */
  breakChain(channel = 1): PlacedLeaf | undefined {
    const due = this.closeDue(channel);
    const body = breakClose(this.state(channel), this.rules.intervalMs);
    return body === undefined ? due : this.#close(channel, body);
  }

  /** States a break before registers `next`, which the next reading must show. */
  discontinuity(
    next: Registers,
    { channel = 1, classification }: { channel?: number; classification: number },
  ): PlacedLeaf {
    this.breakChain(channel);
    const { last, lastReadingMs, lastDiscontinuitySeq } = this.state(channel);
    return this.append({
      ...{ kind: "discontinuity", channel, classification, ...this.time() },
      ...{ gapFromMs: lastReadingMs ?? this.timeMs, gapToMs: this.timeMs },
      ...(last?.importMwh === undefined ? {} : { oldImportMwh: last.importMwh }),
      ...(last?.exportMwh === undefined ? {} : { oldExportMwh: last.exportMwh }),
      ...(next.importMwh === undefined ? {} : { newImportMwh: next.importMwh }),
      ...(next.exportMwh === undefined ? {} : { newExportMwh: next.exportMwh }),
      ...(lastDiscontinuitySeq === undefined ? {} : { previousDiscontinuitySeq: lastDiscontinuitySeq }),
    });
  }

  /** Sets the clock: what it showed is now `toMs`. */
  stepClock(toMs: number, timeQuality: number = this.timeQuality): PlacedLeaf {
    for (const channel of this.rules.channels.keys()) this.breakChain(channel);
    const before = { beforeMs: this.timeMs, beforeQuality: this.timeQuality };
    this.timeMs = toMs;
    this.timeQuality = timeQuality;
    return this.append({ kind: "clockStep", ...before, ...this.time() });
  }

  /** Signs what the log says now and keeps it. */
  async checkpoint(): Promise<StoredCheckpoint> {
    const { rules } = this;
    const checkpoint = {
      ...{ size: rules.size, root: rules.root(), manifestHash: rules.manifestHash, issuedAtMs: this.timeMs },
      ...{ lastLeafMs: rules.lastTime.timeMs, timeQuality: this.timeQuality, bootCount: rules.bootCount },
    };
    const stored = {
      checkpoint,
      bytes: await signCheckpoint(this.signer, rules.logId, checkpoint),
      receipts: [],
    };
    this.checkpoints.push(stored);
    return stored;
  }

  /** A node's receipt over the newest checkpoint, kept with it. */
  async receive(node: LocalSigner, receivedAtMs: number): Promise<Uint8Array> {
    const newest = this.checkpoints.at(-1) ?? (await this.checkpoint());
    const { manifestHash, size, root } = newest.checkpoint;
    const receipt = { manifestHash, size, root, receivedAtMs, ruleVersion: RULE_VERSION };
    const bytes = await signReceipt(node, receipt);
    newest.receipts.push(bytes);
    return bytes;
  }

  /** Takes a receipt up into the log. */
  anchor(receipt: Uint8Array, node: LocalSigner, receivedAtMs: number): PlacedLeaf {
    const receiptSize = this.checkpoints.at(-1)?.checkpoint.size ?? 0;
    const receiptHash = this.suite.sha256(receipt);
    const placed = this.append({
      ...{ kind: "anchor", ...this.time(), nodeKey: node.publicKey, receiptHash, receivedAtMs, receiptSize },
    });
    this.#anchors.push({ seq: placed.leaf.seq, receipt });
    return placed;
  }

  /** The leaves from `firstSeq` on, back to back, under a fresh checkpoint. */
  async batch(firstSeq = 0): Promise<{ readonly leaves: Uint8Array; readonly checkpoint: Uint8Array }> {
    const { bytes } = await this.checkpoint();
    return {
      leaves: concatBytes(...this.leaves.slice(firstSeq).map((placed) => placed.bytes)),
      checkpoint: bytes,
    };
  }

  proofSource(): ProofSource {
    return {
      identity: this.rules.identity,
      leaf: (seq) => this.#placed(seq).bytes,
      closes: (channel, fromMs, toMs) =>
        this.leaves.flatMap(({ leaf }) =>
          leaf.kind === "intervalClose" &&
          leaf.channel === channel &&
          leaf.t0Ms >= fromMs &&
          leaf.t1Ms <= toMs
            ? [leaf]
            : [],
        ),
      checkpointOver: (seq) => {
        const covering = this.checkpoints.filter(({ checkpoint }) => checkpoint.size > seq);
        return covering.find(({ receipts }) => receipts.length > 0) ?? covering[0];
      },
      checkpointAt: (size) => this.checkpoints.find(({ checkpoint }) => checkpoint.size === size),
      anchorBelow: (seq) => this.#anchors.findLast((anchor) => anchor.seq < seq),
      tree: () => this.#tree(),
    };
  }

  #tree(): NodeSource {
    const subtree = (level: number, index: number): Uint8Array =>
      level === 0
        ? this.#placed(index).hash
        : nodeHash(this.suite, subtree(level - 1, 2 * index), subtree(level - 1, 2 * index + 1));
    return { suite: this.suite, size: this.leaves.length, subtree };
  }

  #placed(seq: number): PlacedLeaf {
    const placed = this.leaves[seq];
    if (placed === undefined) throw new Error(`leaf ${seq} is not in the log`);
    return placed;
  }

  #close(channel: number, body: CloseBody): PlacedLeaf {
    const references = closeReferences(this.state(channel));
    return this.append({ kind: "intervalClose", channel, ...this.time(), ...body, ...references });
  }

  #breakCause(next: Registers, state: ChannelState): number | undefined {
    const { last, lastReadingMs } = state;
    if (state.replaced === true) return DISCONTINUITY.meterReplaced;
    if (lastReadingMs !== undefined && this.timeMs - lastReadingMs > longestPauseMs(this.rules.intervalMs))
      return DISCONTINUITY.gap;
    const dropped = (["importMwh", "exportMwh"] as const).some(
      (name) => (next[name] ?? Infinity) < (last?.[name] ?? 0),
    );
    return dropped ? DISCONTINUITY.registerReset : undefined;
  }
}
