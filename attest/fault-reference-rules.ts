import { equalBytes } from "./bytes.ts";
import { channelOf, type Difference, type LeafRule, type ShownLeaves, said } from "./fault-leaves.ts";
import { hasRegisters } from "./fault-trace.ts";
import { CLOSE_SHAPE, type Discontinuity, type IntervalClose, type Leaf } from "./leaf.ts";
import type { FlexibilityLeaf } from "./leaf-flexibility.ts";

/**
 * What a leaf names must be what it is named as, and the last of its kind before it. That needs no unbroken run: one
 * leaf of that kind between the named one and the one that names it is enough.
 */
export const REFERENCE_RULES: readonly LeafRule[] = [
  { code: "discontinuity-previous", check: eachOf("discontinuity", discontinuityBefore) },
  { code: "flexibility-manifest", check: eachOf("flexibility", manifestInForce) },
  { code: "close-manifest", check: eachOf("intervalClose", manifestInForce) },
  { code: "close-discontinuity", check: eachOf("intervalClose", closeDiscontinuity) },
  { code: "close-clock-step", check: eachOf("intervalClose", closeClockStep) },
  { code: "close-opaque", check: eachOf("intervalClose", closeOpaque) },
  { code: "close-previous", check: eachOf("intervalClose", closeBefore) },
  { code: "close-opening", check: eachOf("intervalClose", openingReading) },
  { code: "close-closing", check: eachOf("intervalClose", closingReading) },
];

/** A rule for every shown leaf of one kind; the first one that differs. */
export function eachOf<K extends Leaf["kind"]>(
  kind: K,
  compare: (leaf: Extract<Leaf, { kind: K }>, shown: ShownLeaves) => Difference | undefined,
): LeafRule["check"] {
  return (shown) => {
    for (const { leaf } of shown.all) {
      const found = isKind(leaf, kind) && isUnderstood(leaf) ? compare(leaf, shown) : undefined;
      if (found !== undefined) return found;
    }
    return undefined;
  };
}

/** A close with a shape that this version does not know may follow rules that it does not know either. */
export function isUnderstood(leaf: Leaf): boolean {
  if (leaf.kind !== "intervalClose") return true;
  const { shape = 0 } = leaf;
  return shape <= KNOWN_SHAPES && (shape & ~KNOWN_SHAPES) === 0;
}

const KNOWN_SHAPES = Object.values(CLOSE_SHAPE).reduce((all: number, bit) => all | bit, 0);

function isKind<K extends Leaf["kind"]>(leaf: Leaf, kind: K): leaf is Extract<Leaf, { kind: K }> {
  return leaf.kind === kind;
}

/** The place that `leaf` names under `property` as the last leaf that is meant. */
interface Reference {
  readonly leaf: Leaf;
  readonly property: string;
  readonly named: number | undefined;
  readonly isMeant: (leaf: Leaf) => boolean;
  /** Where nothing is named: no leaf behind this seq may be meant. */
  readonly since: number;
}

function wrongReference(shown: ShownLeaves, reference: Reference): Difference | undefined {
  const { leaf, property, named, isMeant } = reference;
  if (named !== undefined && named >= leaf.seq)
    return { leaves: [leaf.seq], property, expected: `below ${leaf.seq}`, got: said(named) };
  const there = named === undefined ? undefined : shown.at(named)?.leaf;
  if (there !== undefined && !isMeant(there))
    return { leaves: [there.seq, leaf.seq], property, expected: "another leaf", got: said(named) };
  const skipped = shown.findBetween(named ?? reference.since, leaf.seq, isMeant);
  return (
    skipped && { leaves: [skipped.seq, leaf.seq], property, expected: said(skipped.seq), got: said(named) }
  );
}

const BEGIN = -1;

function discontinuityBefore(leaf: Discontinuity, shown: ShownLeaves): Difference | undefined {
  return wrongReference(shown, {
    ...{ leaf, property: "previousDiscontinuitySeq", named: leaf.previousDiscontinuitySeq, since: BEGIN },
    isMeant: ofChannel("discontinuity", leaf.channel),
  });
}

function manifestInForce(leaf: IntervalClose | FlexibilityLeaf, shown: ShownLeaves): Difference | undefined {
  const { manifestSeq, manifestHash, channel, seq } = leaf;
  const isMeant = ofChannel("channelManifest", channel);
  const wrong = wrongReference(shown, {
    leaf,
    property: "manifestSeq",
    named: manifestSeq,
    isMeant,
    since: BEGIN,
  });
  const named = shown.at(manifestSeq);
  if (wrong !== undefined || named === undefined || equalBytes(named.hash, manifestHash)) return wrong;
  const leaves = [manifestSeq, seq];
  return { leaves, property: "manifestHash", expected: said(named.hash), got: said(manifestHash) };
}

function closeDiscontinuity(close: IntervalClose, shown: ShownLeaves): Difference | undefined {
  return wrongReference(shown, {
    ...{ leaf: close, property: "lastDiscontinuitySeq", named: close.lastDiscontinuitySeq, since: BEGIN },
    isMeant: ofChannel("discontinuity", close.channel),
  });
}

function closeClockStep(close: IntervalClose, shown: ShownLeaves): Difference | undefined {
  return wrongReference(shown, {
    ...{ leaf: close, property: "lastClockStepSeq", named: close.lastClockStepSeq },
    ...{ isMeant: (leaf: Leaf) => leaf.kind === "clockStep", since: openSince(close, shown) },
  });
}

function closeOpaque(close: IntervalClose, shown: ShownLeaves): Difference | undefined {
  return wrongReference(shown, {
    ...{ leaf: close, property: "lastOpaqueSeq", named: close.lastOpaqueSeq },
    ...{ isMeant: (leaf: Leaf) => leaf.kind === "opaque", since: openSince(close, shown) },
  });
}

/**
 * A seq from which on the channel was open for sure, by what the close itself names or by a leaf of the channel. What
 * came before its first manifest is no affair of a channel, and its closes do not name it.
 */
function openSince(close: IntervalClose, shown: ShownLeaves): number {
  const first = shown.all.find(({ leaf }) => channelOf(leaf) === close.channel)?.leaf.seq ?? close.seq;
  const { manifestSeq, openingSeq, previousCloseSeq = openingSeq } = close;
  return Math.min(first, manifestSeq, openingSeq, previousCloseSeq);
}

function closeBefore(close: IntervalClose, shown: ShownLeaves): Difference | undefined {
  return wrongReference(shown, {
    ...{ leaf: close, property: "previousCloseSeq", named: close.previousCloseSeq, since: BEGIN },
    isMeant: ofChannel("intervalClose", close.channel),
  });
}

/** Opening registers are those of the reading named; a chain that a reading opens, opens at the first it can. */
function openingReading(close: IntervalClose, shown: ShownLeaves): Difference | undefined {
  const { openingSeq, lastDiscontinuitySeq, seq } = close;
  const { openingImportMwh: importMwh, openingExportMwh: exportMwh } = close;
  const wrong = wrongReading(shown, close, { property: "opening", named: openingSeq, importMwh, exportMwh });
  if (wrong !== undefined || !opensAtReading(close)) return wrong;
  const earlier = shown.findBetween(lastDiscontinuitySeq ?? BEGIN, openingSeq, isCounter(close.channel));
  if (earlier === undefined) return undefined;
  const leaves = [earlier.seq, seq];
  return { leaves, property: "openingSeq", expected: said(earlier.seq), got: said(openingSeq) };
}

/** Whether no close lies between the chain's opening and what let a reading open it. */
export function opensAtReading({ previousCloseSeq, lastDiscontinuitySeq }: IntervalClose): boolean {
  return previousCloseSeq === undefined || (lastDiscontinuitySeq ?? BEGIN) > previousCloseSeq;
}

function closingReading(close: IntervalClose, shown: ShownLeaves): Difference | undefined {
  const { closingSeq, seq } = close;
  const { closingImportMwh: importMwh, closingExportMwh: exportMwh } = close;
  const wrong = wrongReading(shown, close, { property: "closing", named: closingSeq, importMwh, exportMwh });
  if (wrong !== undefined) return wrong;
  const later = shown.findBetween(closingSeq, seq, isCounter(close.channel));
  if (later === undefined) return undefined;
  return {
    leaves: [later.seq, seq],
    property: "closingSeq",
    expected: said(later.seq),
    got: said(closingSeq),
  };
}

interface NamedReading {
  readonly property: "opening" | "closing";
  readonly named: number;
  readonly importMwh: number | undefined;
  readonly exportMwh: number | undefined;
}

function wrongReading(shown: ShownLeaves, close: IntervalClose, end: NamedReading): Difference | undefined {
  const { property, named } = end;
  const there = shown.at(named)?.leaf;
  if (there === undefined) return undefined;
  const leaves = [named, close.seq];
  if (there.kind !== "reading" || !isCounter(close.channel)(there))
    return { leaves, property: `${property}Seq`, expected: "a reading with registers", got: there.kind };
  if (there.importMwh !== end.importMwh)
    return { ...registerWords(there.importMwh, end.importMwh), leaves, property: `${property}ImportMwh` };
  if (there.exportMwh === end.exportMwh) return undefined;
  return { ...registerWords(there.exportMwh, end.exportMwh), leaves, property: `${property}ExportMwh` };
}

function registerWords(
  expected: number | undefined,
  got: number | undefined,
): Pick<Difference, "expected" | "got"> {
  return { expected: said(expected), got: said(got) };
}

/** Readings of a channel that carry registers. */
export function isCounter(channel: number): (leaf: Leaf) => boolean {
  return (leaf) => leaf.kind === "reading" && leaf.channel === channel && hasRegisters(leaf);
}

/** Leaves of one kind of a channel. */
export function ofChannel(kind: Leaf["kind"], channel: number): (leaf: Leaf) => boolean {
  return (leaf) => leaf.kind === kind && channelOf(leaf) === channel;
}
