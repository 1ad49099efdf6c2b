import { type Difference, type LeafRule, type ShownLeaves, said } from "./fault-leaves.ts";
import { type Before, hasRegisters, registerMask, traces } from "./fault-trace.ts";
import { longestPauseMs } from "./intervals.ts";
import type { Discontinuity, Leaf, ReadingLeaf } from "./leaf.ts";

type Compare = (leaf: Leaf, before: Before, shown: ShownLeaves) => Difference | undefined;

/**
 * What follows what within a channel. Each of them needs every leaf between the two that contradict each other: one
 * that is not shown may be the clock step, the discontinuity or the reading that makes all of it lawful.
 */
export const CHANNEL_RULES: readonly LeafRule[] = [
  { code: "time-backwards", check: eachLeaf(timeGoesOn) },
  { code: "gap-missing", check: eachLeaf(ifReading(pauseIsStated)) },
  { code: "register-drop", check: eachLeaf(ifReading(registersGoOn)) },
  { code: "registers-mismatch", check: eachLeaf(registersAreTheMeters) },
  { code: "announced-registers", check: eachLeaf(ifReading(registersAreAsAnnounced)) },
  { code: "discontinuity-registers", check: eachLeaf(ifDiscontinuity(oldRegistersAreLast)) },
  { code: "discontinuity-gap", check: eachLeaf(ifDiscontinuity(gapIsTrue)) },
];

function eachLeaf(compare: Compare): LeafRule["check"] {
  return (shown) => {
    for (const { leaf, before } of traces(shown)) {
      const found = compare(leaf, before, shown);
      if (found !== undefined) return found;
    }
    return undefined;
  };
}

function ifReading(
  compare: (leaf: ReadingLeaf, before: Before, shown: ShownLeaves) => Difference | undefined,
): Compare {
  return (leaf, before, shown) => (leaf.kind === "reading" ? compare(leaf, before, shown) : undefined);
}

function ifDiscontinuity(compare: (leaf: Discontinuity, before: Before) => Difference | undefined): Compare {
  return (leaf, before) => (leaf.kind === "discontinuity" ? compare(leaf, before) : undefined);
}

function timeGoesOn(leaf: Leaf, { last }: Before): Difference | undefined {
  if (last === undefined || leaf.timeMs >= last.ms) return undefined;
  const leaves = [last.seq, leaf.seq];
  return { leaves, property: "timeMs", expected: `${last.ms} or more`, got: said(leaf.timeMs) };
}

function pauseIsStated(leaf: ReadingLeaf, { heard }: Before, shown: ShownLeaves): Difference | undefined {
  const { intervalMs } = shown;
  if (heard === undefined || intervalMs === undefined) return undefined;
  const latestMs = heard.ms + longestPauseMs(intervalMs);
  if (leaf.timeMs <= latestMs) return undefined;
  const leaves = [0, heard.seq, leaf.seq];
  return { leaves, property: "timeMs", expected: `at most ${latestMs}`, got: said(leaf.timeMs) };
}

function registersGoOn(leaf: ReadingLeaf, { registers }: Before): Difference | undefined {
  if (registers === undefined) return undefined;
  for (const property of ["importMwh", "exportMwh"] as const) {
    const [before, now] = [registers[property], leaf[property]];
    if (before === undefined || now === undefined || now >= before) continue;
    return { leaves: [registers.seq, leaf.seq], property, expected: `${before} or more`, got: said(now) };
  }
  return undefined;
}

/** A reading, or the next one as a discontinuity announces it, shows the registers that the channel has, or none. */
function registersAreTheMeters(leaf: Leaf, { counts }: Before): Difference | undefined {
  const mask =
    leaf.kind === "reading"
      ? registerMask(leaf.importMwh, leaf.exportMwh)
      : leaf.kind === "discontinuity"
        ? registerMask(leaf.newImportMwh, leaf.newExportMwh)
        : 0;
  if (counts === undefined || mask === 0 || mask === counts.mask) return undefined;
  return {
    leaves: [counts.seq, leaf.seq],
    property: "registers",
    expected: said(counts.mask),
    got: said(mask),
  };
}

/** A discontinuity that names new registers names those of the next reading that has any. */
function registersAreAsAnnounced(leaf: ReadingLeaf, { broken }: Before): Difference | undefined {
  if (broken === undefined || !hasRegisters(leaf)) return undefined;
  const announced = { importMwh: broken.newImportMwh, exportMwh: broken.newExportMwh };
  if (announced.importMwh === undefined && announced.exportMwh === undefined) return undefined;
  return differingRegister([broken.seq, leaf.seq], announced, {
    importMwh: leaf.importMwh,
    exportMwh: leaf.exportMwh,
  });
}

function oldRegistersAreLast(leaf: Discontinuity, before: Before): Difference | undefined {
  const last = before.registers ?? before.broken;
  if (last === undefined) return undefined;
  // Behind a discontinuity with no reading since there are no old registers.
  const { importMwh, exportMwh } = before.registers ?? {};
  const old = { oldImportMwh: leaf.oldImportMwh, oldExportMwh: leaf.oldExportMwh };
  return differingRegister([last.seq, leaf.seq], { oldImportMwh: importMwh, oldExportMwh: exportMwh }, old);
}

function gapIsTrue(leaf: Discontinuity, { heard }: Before): Difference | undefined {
  const { gapFromMs, gapToMs, timeMs, seq } = leaf;
  if (heard !== undefined && gapFromMs !== heard.ms)
    return {
      leaves: [heard.seq, seq],
      property: "gapFromMs",
      expected: said(heard.ms),
      got: said(gapFromMs),
    };
  if (gapToMs >= gapFromMs && gapToMs <= timeMs) return undefined;
  return { leaves: [seq], property: "gapToMs", expected: `${gapFromMs} to ${timeMs}`, got: said(gapToMs) };
}

/** Exactly these registers, an absent one included. */
function differingRegister(
  leaves: readonly number[],
  expected: Readonly<Record<string, number | undefined>>,
  got: Readonly<Record<string, number | undefined>>,
): Difference | undefined {
  for (const [property, value] of Object.entries(expected)) {
    if (got[property] === value) continue;
    return { leaves, property, expected: said(value), got: said(got[property]) };
  }
  return undefined;
}
