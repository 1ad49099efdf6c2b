import type { Leaf } from "../../attest/leaf.ts";

/** Numbers that look random and come again for the same seed (a linear congruence, high bits only). */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 to below - 1. */
  below(below: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * below);
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(from: readonly T[]): T {
    const picked = from[this.below(from.length)];
    if (picked === undefined) throw new Error("nothing to pick from");
    return picked;
  }
}

type Subset = (leaves: readonly Leaf[], dice: Dice) => readonly Leaf[];

/**
 * What an accuser may show of an honest log. Leaving out is all the power there is, so most of these leave out just
 * what would explain the rest: the step, the break, the close, the reading between two others.
 */
const SUBSETS: readonly Subset[] = [
  (leaves) => leaves,
  (leaves, dice) =>
    leaves.filter(({ kind }) => !new Set([dice.pick(leaves).kind, dice.pick(leaves).kind]).has(kind)),
  (leaves, dice) => withoutKind(leaves, dice.pick(leaves).kind),
  (leaves, dice) => withoutKind(window(leaves, dice), dice.pick(leaves).kind),
  (leaves, dice) => {
    const left = new Set([dice.pick(leaves), dice.pick(leaves), dice.pick(leaves)]);
    return leaves.filter((leaf) => !left.has(leaf));
  },
  (leaves, dice) => withoutWindow(leaves, dice),
  (leaves, dice) => {
    const percent = dice.below(100);
    return leaves.filter(() => dice.chance(percent));
  },
  (leaves, dice) => ofOneChannel(leaves, dice),
  (leaves, dice) => {
    const explaining = dice.pick([
      "clockStep",
      "discontinuity",
      "intervalClose",
      "channelManifest",
      "reading",
    ]);
    const left = leaves.filter(({ kind }) => kind === explaining);
    const one = left.length === 0 ? undefined : dice.pick(left);
    return leaves.filter((leaf) => leaf !== one);
  },
  (leaves, dice) => [...leaves.slice(0, 1), ...window(leaves.slice(1), dice)],
  (leaves, dice) => named(leaves, dice),
  (leaves, dice) => named(withoutKind(leaves, dice.pick(leaves).kind), dice),
  (leaves, dice) => [dice.pick(leaves)],
  (leaves, dice) => leaves.filter((leaf) => leaf === dice.pick(leaves) || dice.chance(4)),
];

/** Some of the leaves, by seq, at least one. */
export function subsetOf(leaves: readonly Leaf[], dice: Dice): readonly Leaf[] {
  const chosen = dice.pick(SUBSETS)(leaves, dice);
  return chosen.length === 0 ? leaves.slice(-1) : chosen;
}

function withoutKind(leaves: readonly Leaf[], kind: Leaf["kind"]): readonly Leaf[] {
  return leaves.filter((leaf) => leaf.kind !== kind);
}

function window(leaves: readonly Leaf[], dice: Dice): readonly Leaf[] {
  const from = dice.below(leaves.length + 1);
  return leaves.slice(from, from + 1 + dice.below(dice.pick([3, 8, 30, leaves.length + 1])));
}

function withoutWindow(leaves: readonly Leaf[], dice: Dice): readonly Leaf[] {
  const from = dice.below(leaves.length + 1);
  const to = from + 1 + dice.below(12);
  return leaves.filter((_, at) => at < from || at >= to);
}

function ofOneChannel(leaves: readonly Leaf[], dice: Dice): readonly Leaf[] {
  const number = dice.pick([1, 2, 3]);
  return leaves.filter((leaf) => leaf.seq === 0 || ("channel" in leaf && leaf.channel === number));
}

/** A close or a discontinuity with what it names, and perhaps one leaf more. */
function named(leaves: readonly Leaf[], dice: Dice): readonly Leaf[] {
  const naming = leaves.filter(({ kind }) =>
    ["intervalClose", "discontinuity", "flexibility"].includes(kind),
  );
  if (naming.length === 0) return leaves;
  const shown = new Set<number>([0]);
  for (let closes = 1 + dice.below(3); closes > 0; closes--) {
    const leaf = dice.pick(naming);
    shown.add(leaf.seq);
    for (const [name, value] of Object.entries(leaf)) if (name.endsWith("Seq")) shown.add(Number(value));
  }
  if (dice.chance(60)) shown.add(dice.pick(leaves).seq);
  return leaves.filter((leaf) => shown.has(leaf.seq));
}
