import { equalBytes } from "./bytes.ts";
import {
  applyClockStep,
  applyClose,
  applyDiscontinuity,
  applyManifest,
  applyOther,
  applyReading,
} from "./channel-rules.ts";
import { type ChannelState, openChannel } from "./channel-state.ts";
import { type LogIdentity, logIdOf } from "./identity.ts";
import { fromJson, toJson } from "./json.ts";
import { type ChannelManifest, KNOWN_TIME, type Leaf, type LogManifest, type ReadingLeaf } from "./leaf.ts";
import { Problem } from "./problem.ts";
import { ReadingRun } from "./reading-run.ts";
import type { Suite } from "./suite.ts";
import { Frontier, leafHash } from "./tree.ts";

/** Most channels one log may open. */
const MAX_CHANNELS = 256;
const SHORTEST_INTERVAL_MS = 1000;
const SAVED_VERSION = 1;

/**
 * The rules that a whole log obeys, leaf by leaf, and what has to be remembered to check the next one. A node
 * runs them over what it is sent; the agent runs them over what it is about to write. {@link LogRules.clone}
 * first where a refusal must leave no trace.
 */
export class LogRules {
  readonly identity: LogIdentity;
  readonly logId: Uint8Array;
  readonly #suite: Suite;
  readonly #frontier: Frontier;
  readonly #channels: Map<number, ChannelState>;
  /** Readings that `#channels` does not tell of yet; {@link LogRules.#settle} before it is read. */
  readonly #runs = new Map<number, ReadingRun>();
  #head: Head | undefined;
  #timeMs: number;
  #timeQuality: number;

  constructor(suite: Suite, identity: LogIdentity, saved?: SavedRules) {
    this.#suite = suite;
    this.identity = identity;
    this.logId = saved?.logId ?? logIdOf(suite, identity);
    this.#frontier = new Frontier(suite, saved?.size ?? 0, saved?.peaks ?? []);
    this.#channels = new Map(saved?.channels.map((channel) => [channel.manifest.channel, channel]));
    this.#head = saved?.head;
    this.#timeMs = saved?.head?.timeMs ?? 0;
    this.#timeQuality = saved?.head?.timeQuality ?? 0;
  }

  get size(): number {
    return this.#frontier.size;
  }

  /** Length of the market interval. Throws `log-empty` before the log manifest. */
  get intervalMs(): number {
    return this.#opened().intervalMs;
  }

  get manifestHash(): Uint8Array {
    return this.#opened().manifestHash;
  }

  /** Time and quality of the last leaf. */
  get lastTime(): { readonly timeMs: number; readonly timeQuality: number } {
    this.#opened();
    return { timeMs: this.#timeMs, timeQuality: this.#timeQuality };
  }

  get bootCount(): number {
    return this.#opened().bootCount;
  }

  /** As they are now; ask again after the next leaf. */
  get channels(): ReadonlyMap<number, ChannelState> {
    this.#settle();
    return this.#channels;
  }

  root(): Uint8Array {
    return this.#frontier.root();
  }

  clone(): LogRules {
    return new LogRules(this.#suite, this.identity, { ...this.#saved(), logId: this.logId });
  }

  /**
   * Takes the next leaf, given as it decodes and as its exact bytes; returns its hash. Throws a Problem whose
   * code names the fault, and is then as it was before.
   */
  apply(leaf: Leaf, bytes: Uint8Array): Uint8Array {
    if (leaf.seq !== this.size) {
      throw new Problem("seq", "leaf is out of order", {
        expected: `seq ${this.size}`,
        got: String(leaf.seq),
      });
    }
    const hash = leafHash(this.#suite, bytes);
    if (leaf.seq === 0) this.#open(leaf, hash);
    else this.#follow(leaf, hash);
    this.#frontier.append(hash);
    return hash;
  }

  /** Text from which {@link restoreRules} makes an equal object. */
  toText(): string {
    return toJson({ version: SAVED_VERSION, ...this.#saved() });
  }

  #saved(): SavedRules {
    this.#settle();
    const now = { timeMs: this.#timeMs, timeQuality: this.#timeQuality };
    const head = this.#head === undefined ? {} : { head: { ...this.#head, ...now } };
    return { size: this.size, peaks: this.#frontier.hashes, channels: [...this.#channels.values()], ...head };
  }

  #opened(): Head {
    if (this.#head !== undefined) return this.#head;
    throw new Problem("log-empty", "the log has no manifest yet");
  }

  #open(leaf: Leaf, hash: Uint8Array): void {
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
      manifestHash: hash,
      intervalMs: leaf.intervalMs,
      timeMs: leaf.timeMs,
      timeQuality: leaf.timeQuality,
      bootCount: leaf.bootCount,
    };
    this.#timeMs = leaf.timeMs;
    this.#timeQuality = leaf.timeQuality;
  }

  #checkIdentity(leaf: LogManifest): void {
    const { network, deviceKey, epoch } = this.identity;
    if (leaf.network === network && leaf.epoch === epoch && equalBytes(leaf.deviceKey, deviceKey)) return;
    throw new Problem("manifest-identity", "the log manifest names another network, key or epoch", {
      expected: `${network}, epoch ${epoch}`,
      got: `${JSON.stringify(leaf.network)}, epoch ${leaf.epoch}`,
    });
  }

  #follow(leaf: Leaf, hash: Uint8Array): void {
    const { intervalMs } = this.#opened();
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
    if (this.#runs.get(leaf.channel)?.take(leaf) === true) return;
    const state = applyReading(this.#channel(leaf.channel), leaf, intervalMs);
    this.#channels.set(leaf.channel, state);
    const run = ReadingRun.after(state, intervalMs);
    if (run !== undefined) this.#runs.set(leaf.channel, run);
  }

  /** Brings all channels up to the last leaf. */
  #settle(): void {
    for (const [number, run] of this.#runs) this.#channels.set(number, run.state());
    this.#runs.clear();
  }

  /** The state of one channel behind the last leaf. */
  #channel(number: number): ChannelState {
    const run = this.#runs.get(number);
    const channel = run === undefined ? this.#channels.get(number) : run.state();
    if (channel === undefined) throw new Problem("channel-unknown", `channel ${number} has no manifest`);
    this.#channels.set(number, channel);
    this.#runs.delete(number);
    return channel;
  }

  #applyOther(leaf: Exclude<Leaf, ReadingLeaf>, hash: Uint8Array): void {
    if (leaf.kind === "logManifest") throw new Problem("manifest-twice", "a log has one manifest, at seq 0");
    if (leaf.kind === "channelManifest") this.#applyManifest(leaf, hash);
    else if ("channel" in leaf && leaf.channel !== undefined)
      this.#channels.set(leaf.channel, applyToChannel(this.#channel(leaf.channel), leaf, this.intervalMs));
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

  #applyManifest(leaf: ChannelManifest, hash: Uint8Array): void {
    if (this.#channels.has(leaf.channel)) {
      this.#channels.set(leaf.channel, applyManifest(this.#channel(leaf.channel), leaf, hash));
      return;
    }
    if (this.#channels.size >= MAX_CHANNELS)
      throw new Problem("channels", "too many channels", { expected: `at most ${MAX_CHANNELS}` });
    this.#channels.set(leaf.channel, openChannel(leaf, hash));
  }
}

/** What a log's rules remember beside its channels: its manifest, and the time of the last leaf when saved. */
interface Head {
  readonly manifestHash: Uint8Array;
  readonly intervalMs: number;
  readonly timeMs: number;
  readonly timeQuality: number;
  readonly bootCount: number;
}

interface SavedRules {
  readonly size: number;
  readonly peaks: readonly Uint8Array[];
  readonly channels: readonly ChannelState[];
  readonly head?: Head;
  /** Known when the rules are a clone; never in a text. */
  readonly logId?: Uint8Array;
}

/** Rules as {@link LogRules.toText} saved them. Throws `rules-version` for text of another version. */
export function restoreRules(suite: Suite, identity: LogIdentity, text: string): LogRules {
  const saved = fromJson(text);
  if (isSaved(saved)) return new LogRules(suite, identity, { ...saved, logId: logIdOf(suite, identity) });
  throw new Problem("rules-version", "saved state of a log is of another version", {
    expected: `version ${SAVED_VERSION}`,
  });
}

/** The version and the outline; what stands inside is this class's own writing. */
function isSaved(value: unknown): value is SavedRules {
  if (typeof value !== "object" || value === null) return false;
  const saved = new Map<string, unknown>(Object.entries(value));
  return (
    saved.get("version") === SAVED_VERSION &&
    typeof saved.get("size") === "number" &&
    Array.isArray(saved.get("peaks")) &&
    Array.isArray(saved.get("channels"))
  );
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
    default:
      return applyOther(channel, leaf.timeMs);
  }
}
