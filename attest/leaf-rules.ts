import { equalBytes } from "./bytes.ts";
import {
  applyClockStep,
  applyClose,
  applyDiscontinuity,
  applyFlexibility,
  applyManifest,
  applyOther,
  applyReading,
} from "./channel-rules.ts";
import { type ChannelState, openChannel } from "./channel-state.ts";
import type { LogIdentity } from "./identity.ts";
import { type ChannelManifest, KNOWN_TIME, type Leaf, type LogManifest, type ReadingLeaf } from "./leaf.ts";
import { type OpenCommitment, withCommitment } from "./open-commitments.ts";
import { Problem } from "./problem.ts";
import { ReadingRun } from "./reading-run.ts";
import type { ReadingFacts } from "./reading-scan.ts";
import { MAX_TREE_SIZE } from "./tree.ts";

/** Most channels one log may open. */
const MAX_CHANNELS = 256;
const SHORTEST_INTERVAL_MS = 1000;

/** Time and quality of a leaf. */
export interface Instant {
  readonly timeMs: number;
  readonly timeQuality: number;
}

/** What the rules remember of a log beside its channels: its manifest, and the instant of the last leaf. */
export interface Head extends Instant {
  readonly manifestHash: Uint8Array;
  readonly intervalMs: number;
  readonly bootCount: number;
}

/** A log up to some leaf, as far as the rules have to know it. */
export interface LogState {
  readonly size: number;
  readonly channels: readonly ChannelState[];
  /** Absent where there is none. */
  readonly commitments?: readonly OpenCommitment[];
  /** There unless the log is empty. */
  readonly head?: Head;
}

/** The hash of the leaf that is judged; asked for only where it has to be remembered. */
export type HashOfLeaf = () => Uint8Array;

/** The rules of a log without its tree: what each leaf may say behind those before it. */
export class LeafRules {
  readonly #identity: LogIdentity;
  readonly #channels: Map<number, ChannelState>;
  #commitments: readonly OpenCommitment[];
  /** Readings that `#channels` does not tell of yet; {@link LeafRules.#settle} before it is read. */
  #runs: Map<number, ReadingRun> | undefined;
  #size: number;
  #head: Head | undefined;
  #timeMs: number;
  #timeQuality: number;

  constructor(identity: LogIdentity, { size, channels, commitments = [], head }: LogState) {
    this.#identity = identity;
    this.#channels = new Map(channels.map((channel) => [channel.manifest.channel, channel]));
    this.#commitments = commitments;
    this.#size = size;
    this.#head = head;
    this.#timeMs = head?.timeMs ?? 0;
    this.#timeQuality = head?.timeQuality ?? 0;
  }

  /** Number of leaves judged. */
  get size(): number {
    return this.#size;
  }

  /** As they are now; ask again after the next leaf. */
  get channels(): ReadonlyMap<number, ChannelState> {
    this.#settle();
    return this.#channels;
  }

  /** What the log's manifest says. Throws `log-empty` before it. */
  get opening(): Omit<Head, keyof Instant> {
    if (this.#head === undefined) throw logEmpty();
    return this.#head;
  }

  /** Of the last leaf. Throws `log-empty` before the first. */
  get lastTime(): Instant {
    if (this.#head === undefined) throw logEmpty();
    return { timeMs: this.#timeMs, timeQuality: this.#timeQuality };
  }

  get state(): LogState {
    const head = this.#head && { head: { ...this.#head, ...this.lastTime } };
    const commitments = this.#commitments.length === 0 ? {} : { commitments: this.#commitments };
    return { size: this.#size, channels: [...this.channels.values()], ...commitments, ...head };
  }

  /** Takes the next leaf by the full rules. Throws a Problem whose code names the fault, and is then as it was before. */
  judge(leaf: Leaf, hash: HashOfLeaf): void {
    if (leaf.seq !== this.#size) {
      throw new Problem("seq", "leaf is out of order", {
        expected: `seq ${this.#size}`,
        got: String(leaf.seq),
      });
    }
    if (this.#size >= MAX_TREE_SIZE) throw new Problem("tree-full", "the log holds 2^53-1 leaves");
    if (leaf.seq === 0) this.#open(leaf, hash);
    else this.#follow(leaf, hash);
    this.#size += 1;
  }

  /** Takes the next leaf, a reading that moves nothing but counters; or changes nothing and says false. */
  takeReading(reading: ReadingFacts): boolean {
    if (reading.seq !== this.#size || this.#size >= MAX_TREE_SIZE) return false;
    if (isKnown(reading.timeQuality) !== isKnown(this.#timeQuality)) return false;
    if (this.#runs?.get(reading.channel)?.take(reading) !== true) return false;
    this.#timeMs = reading.timeMs;
    this.#timeQuality = reading.timeQuality;
    this.#size += 1;
    return true;
  }

  #open(leaf: Leaf, hash: HashOfLeaf): void {
    if (leaf.kind !== "logManifest")
      throw new Problem("manifest-missing", "a log begins with its manifest", { got: leaf.kind });
    this.#checkIdentity(leaf);
    if (leaf.intervalMs < SHORTEST_INTERVAL_MS) {
      throw new Problem("manifest-interval", "interval is too short", {
        expected: `${SHORTEST_INTERVAL_MS} ms or more`,
        got: String(leaf.intervalMs),
      });
    }
    this.#head = {
      manifestHash: hash(),
      intervalMs: leaf.intervalMs,
      timeMs: leaf.timeMs,
      timeQuality: leaf.timeQuality,
      bootCount: leaf.bootCount,
    };
    this.#timeMs = leaf.timeMs;
    this.#timeQuality = leaf.timeQuality;
  }

  #checkIdentity(leaf: LogManifest): void {
    const { network, deviceKey, epoch } = this.#identity;
    if (leaf.network === network && leaf.epoch === epoch && equalBytes(leaf.deviceKey, deviceKey)) return;
    throw new Problem("manifest-identity", "the log manifest names another network, key or epoch", {
      expected: `${network}, epoch ${epoch}`,
      got: `${JSON.stringify(leaf.network)}, epoch ${leaf.epoch}`,
    });
  }

  #follow(leaf: Leaf, hash: HashOfLeaf): void {
    const { intervalMs } = this.opening;
    if (leaf.kind === "clockStep") this.#stepClock(leaf);
    else if (isKnown(leaf.timeQuality) !== isKnown(this.#timeQuality)) {
      throw new Problem("time-quality", "the clock became known or unknown without a clock step");
    }
    if (leaf.kind === "reading") this.#applyReading(leaf, intervalMs);
    else this.#applyOther(leaf, hash);
    this.#timeMs = leaf.timeMs;
    this.#timeQuality = leaf.timeQuality;
  }

  #applyReading(leaf: ReadingLeaf, intervalMs: number): void {
    const state = applyReading(this.#channel(leaf.channel), leaf, intervalMs);
    this.#channels.set(leaf.channel, state);
    const run = ReadingRun.after(state, intervalMs);
    if (run === undefined) return;
    this.#runs ??= new Map();
    this.#runs.set(leaf.channel, run);
  }

  /** Brings all channels up to the last leaf. */
  #settle(): void {
    if (this.#runs === undefined) return;
    for (const [number, run] of this.#runs) this.#channels.set(number, run.state());
    this.#runs = undefined; // rules are kept by the thousand, most of them at rest
  }

  /** The state of one channel behind the last leaf. */
  #channel(number: number): ChannelState {
    const run = this.#runs?.get(number);
    const channel = run === undefined ? this.#channels.get(number) : run.state();
    if (channel === undefined) throw new Problem("channel-unknown", `channel ${number} has no manifest`);
    this.#channels.set(number, channel);
    this.#runs?.delete(number);
    return channel;
  }

  #applyOther(leaf: Exclude<Leaf, ReadingLeaf>, hash: HashOfLeaf): void {
    if (leaf.kind === "logManifest") throw new Problem("manifest-twice", "a log has one manifest, at seq 0");
    if (leaf.kind === "channelManifest") this.#applyManifest(leaf, hash);
    else if ("channel" in leaf && leaf.channel !== undefined)
      this.#channels.set(
        leaf.channel,
        applyToChannel(this.#channel(leaf.channel), leaf, this.opening.intervalMs),
      );
    if (leaf.kind === "opaque") this.#noteOpaque(leaf.seq);
    if (leaf.kind === "commitment") this.#commitments = withCommitment(this.#commitments, leaf);
  }

  /** Nobody here knows what it says, so every later close of every channel says that it is there. */
  #noteOpaque(seq: number): void {
    this.#settle();
    for (const [number, channel] of this.#channels)
      this.#channels.set(number, { ...channel, lastOpaqueSeq: seq });
  }

  #stepClock(leaf: Extract<Leaf, { kind: "clockStep" }>): void {
    if (leaf.beforeQuality !== this.#timeQuality)
      throw new Problem("clock-step", "the clock step names another quality than the leaf before it");
    this.#settle();
    const moved = [...this.#channels].map(
      ([number, channel]) => [number, applyClockStep(channel, leaf)] as const,
    );
    for (const [number, channel] of moved) this.#channels.set(number, channel);
  }

  #applyManifest(leaf: ChannelManifest, hash: HashOfLeaf): void {
    if (this.#channels.has(leaf.channel)) {
      this.#channels.set(leaf.channel, applyManifest(this.#channel(leaf.channel), leaf, hash()));
      return;
    }
    if (this.#channels.size >= MAX_CHANNELS)
      throw new Problem("channels", "too many channels", { expected: `at most ${MAX_CHANNELS}` });
    this.#channels.set(leaf.channel, openChannel(leaf, hash()));
  }
}

function logEmpty(): Problem {
  return new Problem("log-empty", "the log has no manifest yet");
}

function isKnown(timeQuality: number): boolean {
  return timeQuality >= KNOWN_TIME;
}

function applyToChannel(channel: ChannelState, leaf: Leaf, intervalMs: number): ChannelState {
  switch (leaf.kind) {
    case "intervalClose":
      return applyClose(channel, leaf, intervalMs);
    case "discontinuity":
      return applyDiscontinuity(channel, leaf, intervalMs);
    case "flexibility":
      return applyFlexibility(channel, leaf);
    default:
      return applyOther(channel, leaf.timeMs);
  }
}
