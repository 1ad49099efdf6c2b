import { toHex } from "./bytes.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { LeafRuleCode } from "./fault-rule-words.ts";
import type { LogIdentity } from "./identity.ts";
import type { Leaf } from "./leaf.ts";

/** A leaf that stands in the log, at the index that is its seq. */
export interface ShownLeaf {
  readonly leaf: Leaf;
  readonly hash: Uint8Array;
}

/** Two statements of a device that cannot both stand in a lawful log, or one that cannot stand in any. */
export interface Difference {
  /** The leaves concerned, by seq; the accused one last. */
  readonly leaves: readonly number[];
  /** What of the accused leaf is meant, by the name of its property. */
  readonly property: string;
  readonly expected: string;
  readonly got: string;
}

/**
 * One rule for leaves of one log. It sees only those that are shown and must be silent unless no lawful log at all
 * could hold them at their places: what is not shown may be anything.
 */
export interface LeafRule {
  readonly code: LeafRuleCode;
  readonly check: (shown: ShownLeaves) => Difference | undefined;
}

/** Some leaves of one log, by ascending seq, and the checkpoint under which they stand. */
export class ShownLeaves {
  readonly identity: LogIdentity;
  readonly checkpoint: Checkpoint;
  readonly all: readonly ShownLeaf[];
  readonly #places: ReadonlyMap<number, number>;

  constructor(
    log: { readonly identity: LogIdentity; readonly checkpoint: Checkpoint },
    all: readonly ShownLeaf[],
  ) {
    this.identity = log.identity;
    this.checkpoint = log.checkpoint;
    this.all = all;
    this.#places = new Map(all.map(({ leaf }, place) => [leaf.seq, place]));
  }

  at(seq: number): ShownLeaf | undefined {
    const place = this.#places.get(seq);
    return place === undefined ? undefined : this.all[place];
  }

  /** Whether every leaf from..to is shown, both ends included. */
  covers(from: number, to: number): boolean {
    const [first, last] = [this.#places.get(from), this.#places.get(to)];
    return first !== undefined && last !== undefined && last - first === to - from;
  }

  /** The last of the leaves between two seqs, both excluded, that is shown and meant. */
  findBetween(after: number, before: number, isMeant: (leaf: Leaf) => boolean): Leaf | undefined {
    for (let place = this.#placeBefore(before); place >= 0; place--) {
      const leaf = this.all[place]?.leaf;
      if (leaf === undefined || leaf.seq <= after) return undefined;
      if (isMeant(leaf)) return leaf;
    }
    return undefined;
  }

  /** The place of the last shown leaf below a seq; -1 if there is none. */
  #placeBefore(seq: number): number {
    const known = this.#places.get(seq);
    if (known !== undefined) return known - 1;
    return this.all.findLastIndex(({ leaf }) => leaf.seq < seq);
  }

  /** The market interval, ms, if the log manifest is shown and lawful. */
  get intervalMs(): number | undefined {
    const first = this.at(0)?.leaf;
    return first?.kind === "logManifest" && first.intervalMs >= SHORTEST_INTERVAL_MS
      ? first.intervalMs
      : undefined;
  }
}

/** What the rules of a log ask of the log manifest. */
export const SHORTEST_INTERVAL_MS = 1000;

/** The channel that a leaf belongs to, if it belongs to one. */
export function channelOf(leaf: Leaf): number | undefined {
  return "channel" in leaf ? leaf.channel : undefined;
}

/** A value as a contradiction shows it. */
export function said(value: number | string | Uint8Array | undefined): string {
  if (value === undefined) return "none";
  return value instanceof Uint8Array ? toHex(value) : String(value);
}
