import { channelOf, type Difference, type LeafRule, type ShownLeaves, said } from "./fault-leaves.ts";
import { eachOf } from "./fault-reference-rules.ts";
import { hasRegisters } from "./fault-trace.ts";
import { type IntervalClose, KNOWN_TIME, type Leaf, type ReadingLeaf } from "./leaf.ts";

/** What a close says of the readings that it counts: one that is shown is enough, or all of them. */
export const COUNT_RULES: readonly LeafRule[] = [
  { code: "close-readings", check: eachOf("intervalClose", excludesNone) },
  { code: "close-count", check: eachOf("intervalClose", countsAll) },
];

/**
 * A reading behind all that can have opened the chain, its last close included, is counted for sure: its power lies
 * between the close's, and its status bits are in the union.
 */
function excludesNone(close: IntervalClose, shown: ShownLeaves): Difference | undefined {
  const { openingSeq, manifestSeq, previousCloseSeq = openingSeq, lastClockStepSeq = openingSeq } = close;
  const since = Math.max(openingSeq, manifestSeq, previousCloseSeq, lastClockStepSeq);
  const excluded = shown.findBetween(since, close.seq, (leaf) => isOf(close, leaf) && !fits(close, leaf));
  if (excluded?.kind !== "reading") return undefined;
  const leaves = [excluded.seq, close.seq];
  const { activePowerMw: power } = excluded;
  const { minPowerMw, maxPowerMw } = close;
  if (power === undefined || isWithin(power, close))
    return {
      leaves,
      property: "statusUnion",
      expected: `with ${said(excluded.status)}`,
      got: said(close.statusUnion),
    };
  const tooLow = minPowerMw !== undefined && power < minPowerMw;
  if (tooLow) return { leaves, property: "minPowerMw", expected: `at most ${power}`, got: said(minPowerMw) };
  return { leaves, property: "maxPowerMw", expected: `${power} or more`, got: said(maxPowerMw) };
}

function isOf(close: IntervalClose, leaf: Leaf): leaf is ReadingLeaf {
  return leaf.kind === "reading" && leaf.channel === close.channel;
}

function fits(close: IntervalClose, { activePowerMw, status }: ReadingLeaf): boolean {
  const union = bits(close.statusUnion);
  return (
    bits(union | bits(status)) === union && (activePowerMw === undefined || isWithin(activePowerMw, close))
  );
}

function isWithin(power: number, { minPowerMw, maxPowerMw }: IntervalClose): boolean {
  return minPowerMw !== undefined && maxPowerMw !== undefined && power >= minPowerMw && power <= maxPowerMw;
}

/** Bits 0 to 31, as the closes unite them. */
function bits(status: number | undefined): number {
  return (status ?? 0) >>> 0;
}

interface Counted {
  readonly closingSeq: number;
  readonly count: number;
  readonly minPowerMw: number | undefined;
  readonly maxPowerMw: number | undefined;
  readonly statusUnion: number | undefined;
}

/** With every leaf from the opening reading on, all that a close counts can be counted again. */
function countsAll(close: IntervalClose, shown: ShownLeaves): Difference | undefined {
  if (!shown.covers(close.openingSeq, close.seq)) return undefined;
  const counted = recount(close, shown);
  for (const property of ["closingSeq", "count", "minPowerMw", "maxPowerMw", "statusUnion"] as const) {
    const [expected, got] = [counted[property], close[property]];
    if (expected === got) continue;
    return { leaves: [close.openingSeq, close.seq], property, expected: said(expected), got: said(got) };
  }
  return undefined;
}

function recount(close: IntervalClose, shown: ShownLeaves): Counted {
  let closingSeq = close.openingSeq;
  let readings: ReadingLeaf[] = [];
  for (let seq = close.openingSeq + 1; seq < close.seq; seq++) {
    const leaf = shown.at(seq)?.leaf;
    if (leaf === undefined) continue;
    if (beginsAnew(leaf, close.channel, closingSeq > close.openingSeq)) readings = [];
    if (!isOf(close, leaf)) continue;
    readings.push(leaf);
    if (hasRegisters(leaf)) closingSeq = seq;
  }
  const powers = readings.flatMap(({ activePowerMw }) => activePowerMw ?? []);
  const none = powers.length === 0;
  const union = readings.reduce((all, { status }) => bits(all | bits(status)), 0);
  return {
    closingSeq,
    count: readings.length,
    minPowerMw: none ? undefined : Math.min(...powers),
    maxPowerMw: none ? undefined : Math.max(...powers),
    statusUnion: union === 0 ? undefined : union,
  };
}

/**
 * A close counts from the one before it; a channel manifest and a clock step on a known clock open a chain that counts
 * from there, unless it holds energy that no close can state. On a clock that is not known a chain goes on as it is.
 */
function beginsAnew(leaf: Leaf, channel: number, holdsEnergy: boolean): boolean {
  if (leaf.kind === "clockStep") return leaf.beforeQuality >= KNOWN_TIME && !holdsEnergy;
  if (channelOf(leaf) !== channel) return false;
  if (leaf.kind === "intervalClose") return true;
  return leaf.kind === "channelManifest" && leaf.timeQuality >= KNOWN_TIME && !holdsEnergy;
}
