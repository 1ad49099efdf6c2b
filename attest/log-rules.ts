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
import { type ChannelManifest, KNOWN_TIME, type Leaf, type LogManifest } from "./leaf.ts";
import { Problem } from "./problem.ts";
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
  #head: Head | undefined;

  constructor(suite: Suite, identity: LogIdentity, saved?: SavedRules) {
    this.#suite = suite;
    this.identity = identity;
    this.logId = logIdOf(suite, identity);
    this.#frontier = new Frontier(suite, saved?.size ?? 0, saved?.peaks ?? []);
    this.#channels = new Map(saved?.channels.map((channel) => [channel.manifest.channel, channel]));
    this.#head = saved?.head;
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
    return this.#opened();
  }

  get bootCount(): number {
    return this.#opened().bootCount;
  }

  get channels(): ReadonlyMap<number, ChannelState> {
    return this.#channels;
  }

  root(): Uint8Array {
    return this.#frontier.root();
  }

  clone(): LogRules {
    return new LogRules(this.#suite, this.identity, this.#saved());
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
    const head = this.#head === undefined ? {} : { head: this.#head };
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
    const head = this.#opened();
    if (leaf.kind === "clockStep") this.#stepClock(leaf);
    else if (isKnown(leaf.timeQuality) !== isKnown(head.timeQuality)) {
      throw new Problem("time-quality", "the clock became known or unknown without a clock step");
    }
    if (leaf.kind === "logManifest") throw new Problem("manifest-twice", "a log has one manifest, at seq 0");
    if (leaf.kind === "channelManifest") this.#applyManifest(leaf, hash);
    else if ("channel" in leaf && leaf.channel !== undefined) this.#applyToChannel(leaf, leaf.channel);
    this.#head = { ...head, timeMs: leaf.timeMs, timeQuality: leaf.timeQuality };
  }

  #stepClock(leaf: Extract<Leaf, { kind: "clockStep" }>): void {
    if (leaf.beforeQuality !== this.#opened().timeQuality)
      throw new Problem("clock-step", "the clock step names another quality than the leaf before it");
    const moved = [...this.#channels].map(
      ([number, channel]) => [number, applyClockStep(channel, leaf)] as const,
    );
    for (const [number, channel] of moved) this.#channels.set(number, channel);
  }

  #applyManifest(leaf: ChannelManifest, hash: Uint8Array): void {
    const channel = this.#channels.get(leaf.channel);
    if (channel === undefined && this.#channels.size >= MAX_CHANNELS) {
      throw new Problem("channels", "too many channels", { expected: `at most ${MAX_CHANNELS}` });
    }
    this.#channels.set(
      leaf.channel,
      channel === undefined ? openChannel(leaf, hash) : applyManifest(channel, leaf, hash),
    );
  }

  #applyToChannel(leaf: Exclude<Leaf, ChannelManifest>, number: number): void {
    const channel = this.#channels.get(number);
    if (channel === undefined) throw new Problem("channel-unknown", `channel ${number} has no manifest`);
    this.#channels.set(number, applyToChannel(channel, leaf, this.intervalMs));
  }
}

/** What a log's rules remember beside its channels. */
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
}

/** Rules as {@link LogRules.toText} saved them. Throws `rules-version` for text of another version. */
export function restoreRules(suite: Suite, identity: LogIdentity, text: string): LogRules {
  const saved = fromJson(text);
  if (isSaved(saved)) return new LogRules(suite, identity, saved);
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
    case "reading":
      return applyReading(channel, leaf, intervalMs);
    case "intervalClose":
      return applyClose(channel, leaf, intervalMs);
    case "discontinuity":
      return applyDiscontinuity(channel, leaf, intervalMs);
    default:
      return applyOther(channel, leaf.timeMs);
  }
}
