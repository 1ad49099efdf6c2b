import type {
  ChannelManifest,
  ClockStep,
  Leaf,
  OpaqueLeaf,
  ReadingLeaf,
  Unplaced,
} from "../../attest/leaf.ts";
import { DISCONTINUITY, KNOWN_TIME } from "../../attest/leaf.ts";
import type { FlexibilityLeaf } from "../../attest/leaf-flexibility.ts";
import { Problem } from "../../attest/problem.ts";
import type { Sealer } from "./sealer.ts";

/**
 * Appends leaves of a log that is over to the one that follows it, with their own times (evidence format, "Breaks"): what
 * meters and devices showed, the steps of the clock, and what nobody here interprets. Closes, discontinuities and
 * manifests follow from the new log's own leaves; anchors and tombstones are about the old log and stay in it.
 */
export class CarryOver {
  readonly #sealer: Sealer;
  /** By the old log's numbers. */
  readonly #manifests: Map<number, ChannelManifest>;
  readonly #numbers = new Map<number, number>();
  readonly #breaks = new Map<number, number>();
  #taken = 0;
  #refused = 0;

  constructor(sealer: Sealer, manifests: ReadonlyMap<number, ChannelManifest>) {
    this.#sealer = sealer;
    this.#manifests = new Map(manifests);
  }

  /** Leaves that were appended again. */
  get taken(): number {
    return this.#taken;
  }

  /** Leaves that the rules of the new log refused. */
  get refused(): number {
    return this.#refused;
  }

  /** What the channels mean from here on. */
  means(manifests: ReadonlyMap<number, ChannelManifest>): void {
    for (const manifest of manifests.values())
      if (this.#manifests.get(manifest.channel)?.seq !== manifest.seq) this.#describe(manifest);
  }

  /** Leaves are missing here: nothing is counted across them, and where `manifests` were among them no channel is known. */
  breaks(manifests: boolean): void {
    if (manifests) this.#manifests.clear();
    if (manifests) this.#numbers.clear();
    for (const channel of this.#numbers.keys()) this.#breaks.set(channel, DISCONTINUITY.gap);
  }

  /** Throws `journal-stuck` while too many leaves wait for the disk; what the rules refuse is counted and left out. */
  take(leaf: Leaf): void {
    try {
      this.#sealer.clock.at(leaf, () => this.#append(leaf));
    } catch (cause) {
      if (!(cause instanceof Problem) || cause.code === "journal-stuck") throw cause;
      this.#refused += 1;
    }
  }

  #append(leaf: Leaf): void {
    if (leaf.kind === "channelManifest") this.#describe(leaf);
    else if (leaf.kind === "discontinuity") this.#breaks.set(leaf.channel, leaf.classification);
    else if (leaf.kind === "reading") this.#reading(leaf);
    else if (leaf.kind === "flexibility") this.#flexibility(leaf);
    else if (leaf.kind === "clockStep") this.#clockStep(leaf);
    else if (leaf.kind === "opaque") this.#opaque(leaf);
    else if (leaf.kind === "tamper" || leaf.kind === "operatorAction") this.#sealer.append(unplaced(leaf));
    else return;
    this.#taken += 1;
  }

  /** Declared with the first leaf that needs it. */
  #describe(manifest: ChannelManifest): void {
    this.#manifests.set(manifest.channel, manifest);
    this.#numbers.delete(manifest.channel);
  }

  #reading(leaf: ReadingLeaf): void {
    const channel = this.#number(leaf.channel);
    this.#sealer.sealReadingLeaf({ ...unplaced(leaf), channel }, this.#breaks.get(leaf.channel));
    this.#breaks.delete(leaf.channel);
  }

  /** One that names a commitment of the old log has lost what it is about. */
  #flexibility({ commitmentSeq: _, ...leaf }: FlexibilityLeaf): void {
    const channel = this.#number(leaf.channel);
    const state = this.#sealer.rules.channels.get(channel);
    if (state === undefined) return;
    const { manifest, manifestHash } = state;
    this.#sealer.append({ ...unplaced(leaf), channel, manifestSeq: manifest.seq, manifestHash });
  }

  /** The new log may begin behind the step already. */
  #clockStep({ beforeMs, timeMs, timeQuality, beforeQuality }: ClockStep): void {
    const last = this.#sealer.rules.lastTime.timeQuality;
    if (isKnown(last) !== isKnown(beforeQuality)) return;
    const before = { timeMs: beforeMs, timeQuality: last };
    this.#sealer.stepClock({ before, after: { timeMs, timeQuality } });
  }

  #opaque(leaf: OpaqueLeaf): void {
    const { channel } = leaf;
    const mapped = channel === undefined ? {} : { channel: this.#number(channel) };
    this.#sealer.append({ ...unplaced(leaf), ...mapped });
  }

  #number(channel: number): number {
    const known = this.#numbers.get(channel);
    if (known !== undefined) return known;
    const manifest = this.#manifests.get(channel);
    if (manifest === undefined)
      throw new Problem("channel-unknown", `channel ${channel} of the epoch before has no manifest any more`);
    const number = this.#sealer.channelLike(manifest);
    this.#numbers.set(channel, number);
    return number;
  }
}

function isKnown(timeQuality: number): boolean {
  return timeQuality >= KNOWN_TIME;
}

function unplaced<L extends Leaf>({ seq: _s, salt: _l, ...leaf }: L): Unplaced<L> {
  // What is left is just the leaf without its place.
  return leaf as unknown as Unplaced<L>;
}
