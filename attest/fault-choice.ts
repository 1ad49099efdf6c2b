import type { ChannelState } from "./channel-state.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { type ShownLeaf, ShownLeaves } from "./fault-leaves.ts";
import type { LeafRuleCode } from "./fault-rule-words.ts";
import { contradictionOf } from "./fault-rules.ts";
import type { LogIdentity } from "./identity.ts";
import type { Leaf } from "./leaf.ts";
import { decodeLeaf } from "./leaf-codec.ts";
import { MAX_MULTIPROOF_LEAVES } from "./multiproof.ts";
import { Problem } from "./problem.ts";
import type { Suite } from "./suite.ts";
import { leafHash } from "./tree.ts";

/** Where the leaves of one log are taken from. */
export interface LeafMaterial {
  readonly identity: LogIdentity;
  readonly checkpoint: Checkpoint;
  readonly leaf: (seq: number) => Uint8Array;
}

/** Which leaves a fault file needs; `raw` for one whose bytes are no leaf at its index. */
export interface Choice {
  readonly seqs: readonly number[];
  readonly raw: boolean;
}

/**
 * The leaves that a channel's state rests on, by seq: those that a leaf which the rules refuse next may contradict.
 * For a refused leaf of no channel there are none.
 */
export function suspectSeqs(state: ChannelState | undefined): number[] {
  if (state === undefined) return [];
  const { manifest, last, chain, lastDiscontinuitySeq, lastCloseSeq, lastClockStepSeq, lastOpaqueSeq } =
    state;
  const seqs = [
    manifest.seq,
    last?.seq,
    chain?.opening.seq,
    lastDiscontinuitySeq,
    lastCloseSeq,
    lastClockStepSeq,
    lastOpaqueSeq,
  ];
  return ascending(seqs);
}

/** As few leaves as are found to break a rule. Throws `fault-nothing` when none of those tried do. */
export function chooseLeaves(suite: Suite, material: LeafMaterial, seqs: readonly number[]): Choice {
  const search = new Search(suite, material);
  const raw = seqs.find((seq) => !search.isLeafAt(seq));
  if (raw !== undefined) return { seqs: [raw], raw: true };
  const accused = Math.max(...seqs);
  const far = ascending([0, ...seqs, ...namedBy(search.leaf(accused))]).filter((seq) => seq <= accused);
  const length = search.shortestRun(far, accused);
  if (length === undefined)
    throw new Problem("fault-nothing", "no rule is broken by these leaves and those before them", {
      where: `leaf ${accused}`,
    });
  return { seqs: search.withoutNeedless(withRun(far, accused, length)), raw: false };
}

class Search {
  readonly #suite: Suite;
  readonly #material: LeafMaterial;
  readonly #known = new Map<number, ShownLeaf | undefined>();

  constructor(suite: Suite, material: LeafMaterial) {
    this.#suite = suite;
    this.#material = material;
  }

  isLeafAt(seq: number): boolean {
    return this.#shown(seq) !== undefined;
  }

  leaf(seq: number): Leaf | undefined {
    return this.#shown(seq)?.leaf;
  }

  /** How many leaves up to the accused one must be shown in a row, beside the far ones; undefined if no run will do. */
  shortestRun(far: readonly number[], accused: number): number | undefined {
    const longest = Math.min(accused + 1, MAX_MULTIPROOF_LEAVES - far.length);
    const suffices = (length: number): boolean => this.#brokenBy(withRun(far, accused, length)) !== undefined;
    let [tooShort, enough] = [0, 1];
    while (!suffices(enough)) {
      if (enough >= longest) return undefined;
      [tooShort, enough] = [enough, Math.min(2 * enough, longest)];
    }
    while (enough - tooShort > 1) {
      const middle = Math.floor((tooShort + enough) / 2);
      if (suffices(middle)) enough = middle;
      else tooShort = middle;
    }
    return enough;
  }

  /**
   * Leaves out what the rule that they break can do without. Only leaves far from each other are tried one by one: a
   * run was made as short as it can be.
   */
  withoutNeedless(seqs: readonly number[]): number[] {
    let kept = seqs.filter((seq) => this.isLeafAt(seq));
    const rule = this.#brokenBy(kept);
    for (const seq of kept.slice(0, MOST_TRIED)) {
      const fewer = kept.filter((other) => other !== seq);
      if (this.#brokenBy(fewer) === rule) kept = fewer;
    }
    return kept;
  }

  #brokenBy(seqs: readonly number[]): LeafRuleCode | undefined {
    const shown = seqs.flatMap((seq) => this.#shown(seq) ?? []);
    return contradictionOf(new ShownLeaves(this.#material, shown))?.rule;
  }

  /** Undefined for bytes that are no leaf, or one of another index. */
  #shown(seq: number): ShownLeaf | undefined {
    if (!this.#known.has(seq)) this.#known.set(seq, this.#read(seq));
    return this.#known.get(seq);
  }

  #read(seq: number): ShownLeaf | undefined {
    const bytes = this.#material.leaf(seq);
    try {
      const leaf = decodeLeaf(bytes);
      return leaf.seq === seq ? { leaf, hash: leafHash(this.#suite, bytes) } : undefined;
    } catch (cause) {
      if (cause instanceof Problem) return undefined;
      throw cause;
    }
  }
}

/** Enough for all that a leaf can name; a run of thousands is left as it is. */
const MOST_TRIED = 64;

function withRun(far: readonly number[], accused: number, length: number): number[] {
  const run = Array.from({ length }, (_, back) => accused - back);
  return ascending([...far, ...run]);
}

/** What a leaf names of the log before it. */
function namedBy(leaf: Leaf | undefined): (number | undefined)[] {
  if (leaf?.kind === "discontinuity") return [leaf.previousDiscontinuitySeq];
  if (leaf?.kind === "flexibility") return [leaf.manifestSeq];
  if (leaf?.kind !== "intervalClose") return [];
  const { openingSeq, closingSeq, manifestSeq, previousCloseSeq } = leaf;
  const { lastDiscontinuitySeq, lastClockStepSeq, lastOpaqueSeq } = leaf;
  return [
    openingSeq,
    closingSeq,
    manifestSeq,
    previousCloseSeq,
    lastDiscontinuitySeq,
    lastClockStepSeq,
    lastOpaqueSeq,
  ];
}

function ascending(seqs: readonly (number | undefined)[]): number[] {
  return [...new Set(seqs.filter((seq) => seq !== undefined))].sort((a, b) => a - b);
}
