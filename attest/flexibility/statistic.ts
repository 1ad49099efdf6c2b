import { Problem } from "../problem.ts";
import { patternCount, type Sign } from "./pattern.ts";

/**
 * How strongly a series follows the pattern of a challenge. With x_k the settled mean of step k (mW) and h half a swing:
 *
 *     b_k  = x_k - x_(k-1), cut off to +-5h/2                         k = 2 … n
 *     T    = sum over k of (s_k - s_(k-1)) b_k / 2
 *     R    = how often the sign changes
 *     p    = how many of the C(n, n/2) balanced patterns s' have T(s') / sqrt(R(s')) >= T(s) / sqrt(R(s)), of all of them
 *     gain = T / (2 h R)
 *
 * The b_k come from the values alone. So for values that would have been the same under any other pattern, the one that was
 * drawn is just one of those that are counted (a randomisation test: R. A. Fisher, The Design of Experiments, 1935, ch. III),
 * whatever the noise is: P(p <= a) <= a, exactly. Rises, because a home drifts and switches; cut off, because what changes by
 * more than a swing is something else; by the root of R, because then nothing follows better than what follows exactly
 * (Cauchy and Schwarz). All this only makes it sharper.
 */

/** A part of a whole: `count` of `of`. */
export interface Share {
  readonly count: number;
  readonly of: number;
}

export interface Response {
  /** T, mW. */
  readonly statisticMw: number;
  /** R, 1 or more. */
  readonly changes: number;
  /** Balanced patterns that these values follow at least as well. */
  readonly p: Share;
  /** Balanced patterns that these values follow at most as well. */
  readonly reversedP: Share;
  /** 1,000,000: follows exactly. Never beyond +-1,250,000, where rises are cut off. */
  readonly gainPpm: number;
}

/** An answer that chance gives more seldom than this is one. */
export const CHANCE: Share = { count: 1, of: 1000 };
const PPM = 1_000_000n;

/** Whether a share is at most {@link CHANCE}; exact. */
export function isBeyondChance({ count, of }: Share): boolean {
  return count * CHANCE.of <= of * CHANCE.count;
}

/**
 * @param means one integer a step, mW, of at most 2^44
 * @throws Problem `challenge-steps` unless there are as many means as signs, an even number from 2 to 24, half of them above
 */
export function responseOf(means: readonly number[], signs: readonly Sign[], halfSwingMw: number): Response {
  const of = requireBalanced(means, signs);
  const changes = signs.filter((sign, at) => at > 0 && sign !== signs[at - 1]).length;
  const statisticMw = sumAbove(riseParts(means, halfSwingMw), signs);
  const patterns = patternsOf(riseParts(means, halfSwingMw));
  const asGood = leastAsGood(statisticMw, changes);
  const asBad = leastAsGood(-statisticMw, changes);
  return {
    statisticMw,
    changes,
    p: { count: patterns.atLeast(asGood), of },
    // At most v is all that are not at least v + 1: sums are whole numbers.
    reversedP: { count: of - patterns.atLeast((others) => 1 - asBad(others)), of },
    gainPpm: Number((BigInt(statisticMw) * PPM) / (2n * BigInt(halfSwingMw) * BigInt(changes))),
  };
}

/** b_k - b_(k+1) of each step, which add up to 0: T is the sum of those of the steps above. */
function riseParts(means: readonly number[], halfSwingMw: number): readonly number[] {
  const mostMw = Math.floor((5 * halfSwingMw) / 2);
  const rises = means
    .slice(1)
    .map((mean, at) => Math.max(-mostMw, Math.min(mean - (means[at] ?? 0), mostMw)));
  return means.map((_, at) => (rises[at - 1] ?? 0) - (rises[at] ?? 0));
}

/** Of the steps above. */
export function sumAbove(parts: readonly number[], signs: readonly Sign[]): number {
  return parts.reduce((sum, part, at) => (signs[at] === 1 ? sum + part : sum), 0);
}

function requireBalanced(means: readonly number[], signs: readonly Sign[]): number {
  const above = signs.filter((sign) => sign === 1).length;
  if (signs.length === means.length && 2 * above === signs.length) return patternCount(signs.length);
  throw new Problem("challenge-steps", "a pattern does not fit the series", {
    expected: `${means.length} steps, half of them above`,
    got: `${signs.length}, ${above} above`,
  });
}

/** The least T of a pattern with so many changes for which T / sqrt(R) is at least what it is here; exact. */
function leastAsGood(statistic: number, changes: number): (othersChanges: number) => number {
  const square = BigInt(statistic) ** 2n;
  return (othersChanges) => {
    const scaled = square * BigInt(othersChanges);
    const root = Number(wholeRoot(scaled / BigInt(changes)));
    if (statistic <= 0) return 0 - root;
    return BigInt(root) ** 2n * BigInt(changes) < scaled ? root + 1 : root;
  };
}

/** The square root, rounded down, by Newton's method from above. */
function wholeRoot(square: bigint): bigint {
  if (square === 0n) return 0n;
  let root = 1n << BigInt((square.toString(2).length + 1) >> 1);
  for (;;) {
    const next = (root + square / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

/** All balanced patterns of a series, by the sum of its parts above. */
export interface Patterns {
  /** How many have a sum of at least `leastOf` the number of their changes. */
  atLeast(leastOf: (changes: number) => number): number;
}

/**
 * Counts exactly by meeting in the middle: for 24 steps, two times 4096 beginnings and ends, sorted.
 * @param parts whole numbers whose sums stay below 2^53, an even number of them, 2 to 24
 */
export function patternsOf(parts: readonly number[]): Patterns {
  const half = parts.length / 2;
  const middle = Math.ceil(half);
  const beginnings = sidesOf(parts.slice(0, middle));
  const ends = sidesOf(parts.slice(middle).reverse());
  const pairs = beginnings.flatMap((one) =>
    ends.filter((other) => one.above + other.above === half).map((other) => ({ one, other })),
  );
  return {
    atLeast: (leastOf) => {
      const least = Array.from({ length: parts.length }, (_, changes) => leastOf(changes));
      return pairs.reduce((count, { one, other }) => {
        const changes = one.changes + other.changes + (one.edge === other.edge ? 0 : 1);
        return count + pairsAtLeast(one.sums, other.sums, least[changes] ?? 0);
      }, 0);
    },
  };
}

/** Patterns of one half that are alike in all that the other half asks. */
interface Side {
  readonly above: number;
  readonly changes: number;
  /** Whether the step at the middle is above: 1 or 0. */
  readonly edge: number;
  /** Of the parts above, ascending. */
  readonly sums: Float64Array;
}

/** All patterns of the parts, whose last one is at the middle; bit k of a pattern is its step k. */
function sidesOf(parts: readonly number[]): readonly Side[] {
  const sums = new Float64Array(2 ** parts.length);
  const alike = new Map<number, number[]>();
  for (let bits = 0; bits < sums.length; bits++) {
    const rest = bits & (bits - 1);
    if (bits !== 0) sums[bits] = (sums[rest] ?? 0) + (parts[31 - Math.clz32(bits ^ rest)] ?? 0);
    const key = sideKey(bits, parts.length);
    const group = alike.get(key);
    if (group === undefined) alike.set(key, [sums[bits] ?? 0]);
    else group.push(sums[bits] ?? 0);
  }
  return [...alike].map(([key, group]) => ({
    above: key >> 8,
    changes: (key >> 1) & 0x7f,
    edge: key & 1,
    sums: Float64Array.from(group).sort(),
  }));
}

/** How many bits are set, how often one differs from the next, and the last one. */
function sideKey(bits: number, length: number): number {
  const changed = (bits ^ (bits >> 1)) & ((1 << (length - 1)) - 1);
  return (bitCount(bits) << 8) | (bitCount(changed) << 1) | (bits >> (length - 1));
}

function bitCount(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++;
  return count;
}

/** Pairs of one of each that add up to at least `least`; both are ascending. */
function pairsAtLeast(ones: Float64Array, others: Float64Array, least: number): number {
  let count = 0;
  let from = others.length;
  for (const one of ones) {
    while (from > 0 && one + (others[from - 1] ?? 0) >= least) from--;
    count += others.length - from;
  }
  return count;
}
