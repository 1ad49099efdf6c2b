import { type Difference, type LeafRule, type ShownLeaves, said } from "./fault-leaves.ts";
import { eachOf, isUnderstood, opensAtReading } from "./fault-reference-rules.ts";
import { movedTo, stoodAt } from "./fault-trace.ts";
import { boundaryAtOrAfter, boundaryToleranceMs } from "./intervals.ts";
import { CLOSE_SHAPE, type IntervalClose } from "./leaf.ts";
import { statedMs } from "./register-time.ts";
import { hasShape } from "./segments.ts";

/** What a close says of its ends, against the close before it, the readings at its ends and the interval. */
export const CLOSE_RULES: readonly LeafRule[] = [
  { code: "close-chain", check: eachOf("intervalClose", chainBefore) },
  { code: "close-meter", check: eachOf("intervalClose", meterBefore) },
  { code: "close-begin", check: eachOf("intervalClose", begin) },
  { code: "close-end", check: eachOf("intervalClose", end) },
  { code: "close-boundary", check: eachOf("intervalClose", boundary) },
  { code: "close-coarse", check: eachOf("intervalClose", coarse) },
];

const REFERENCES = ["lastDiscontinuitySeq", "lastClockStepSeq", "lastOpaqueSeq", "manifestSeq"] as const;
/** What ends a chain, so that the next close opens one. */
const BREAKS = ["lastDiscontinuitySeq", "lastClockStepSeq", "manifestSeq"] as const;

/** A close goes on from the one that it names as its previous one, unless something between them ended the chain. */
function chainBefore(close: IntervalClose, shown: ShownLeaves): Difference | undefined {
  const previous = previousOf(close, shown);
  if (previous === undefined) return undefined;
  const leaves = [previous.seq, close.seq];
  for (const property of REFERENCES) {
    const [before, now] = [previous[property], close[property]];
    if (now === before || (now !== undefined && now > previous.seq)) continue;
    return { leaves, property, expected: said(before), got: said(now) };
  }
  const goesOn = BREAKS.every((property) => close[property] === previous[property]);
  if (goesOn && hasShape(previous, CLOSE_SHAPE.endsChain))
    return {
      leaves,
      property: "previousCloseSeq",
      expected: "a chain that goes on",
      got: said(previous.seq),
    };
  if (goesOn === hasShape(close, CLOSE_SHAPE.opensChain))
    return {
      leaves,
      property: "shape",
      expected: goesOn ? "opens no chain" : "opens a chain",
      got: said(close.shape),
    };
  return close.lastDiscontinuitySeq === previous.lastDiscontinuitySeq
    ? registersGoOn(previous, close)
    : undefined;
}

function previousOf(close: IntervalClose, shown: ShownLeaves): IntervalClose | undefined {
  const named = close.previousCloseSeq === undefined ? undefined : shown.at(close.previousCloseSeq)?.leaf;
  if (named?.kind !== "intervalClose" || named.channel !== close.channel) return undefined;
  return isUnderstood(named) ? named : undefined;
}

function registersGoOn(previous: IntervalClose, close: IntervalClose): Difference | undefined {
  const pairs = [
    ["openingSeq", previous.closingSeq, close.openingSeq],
    ["openingImportMwh", previous.closingImportMwh, close.openingImportMwh],
    ["openingExportMwh", previous.closingExportMwh, close.openingExportMwh],
  ] as const;
  for (const [property, before, now] of pairs) {
    if (before === now) continue;
    return { leaves: [previous.seq, close.seq], property, expected: said(before), got: said(now) };
  }
  return undefined;
}

/** The count does not go on from one meter to another without a discontinuity. */
function meterBefore(close: IntervalClose, shown: ShownLeaves): Difference | undefined {
  const previous = previousOf(close, shown);
  if (previous === undefined || previous.lastDiscontinuitySeq !== close.lastDiscontinuitySeq)
    return undefined;
  const [before, now] = [shown.at(previous.manifestSeq)?.leaf, shown.at(close.manifestSeq)?.leaf];
  if (before?.kind !== "channelManifest" || now?.kind !== "channelManifest") return undefined;
  for (const property of METER) {
    const [expected, got] = [String(before[property] ?? "none"), String(now[property] ?? "none")];
    const leaves = [before.seq, previous.seq, now.seq, close.seq];
    if (expected !== got) return { leaves, property, expected, got };
  }
  return undefined;
}

/** What tells one meter from another. */
const METER = ["make", "model", "serial", "registers", "ctRatio", "vtRatio"] as const;

/** t0 is where the close before ended or when the reading came that opened the chain, on the clock as it is now. */
function begin(close: IntervalClose, shown: ShownLeaves): Difference | undefined {
  const from = beginOf(close, shown);
  if (from === undefined) return undefined;
  if (hasShape(close, CLOSE_SHAPE.bridges)) return bridge(close, shown, from);
  const expected = nowOf(shown, close, from);
  if (expected === undefined || expected === close.t0Ms) return undefined;
  return { leaves: [from.seq, close.seq], property: "t0Ms", expected: said(expected), got: said(close.t0Ms) };
}

/** A close that bridges a lost clock begins where the channel stood when it was lost first, on the clock before. */
function bridge(close: IntervalClose, shown: ShownLeaves, from: Instant): Difference | undefined {
  const leaves = [from.seq, close.seq];
  const span = { from: from.seq, to: close.seq };
  if (!shown.covers(span.from, span.to)) return undefined;
  const stoodMs = stoodAt(shown, from.ms, span);
  const nowMs = movedTo(shown, from.ms, span);
  if (stoodMs === undefined || nowMs === undefined || stoodMs > nowMs)
    return { leaves, property: "shape", expected: "no clock bridged", got: said(close.shape) };
  if (stoodMs === close.t0Ms) return undefined;
  return { leaves, property: "t0Ms", expected: said(stoodMs), got: said(close.t0Ms) };
}

interface Instant {
  readonly seq: number;
  readonly ms: number;
}

function beginOf(close: IntervalClose, shown: ShownLeaves): Instant | undefined {
  if (opensAtReading(close)) return readingAt(close.openingSeq, shown);
  const previous = previousOf(close, shown);
  if (previous?.lastDiscontinuitySeq !== close.lastDiscontinuitySeq) return undefined;
  return previous && { seq: previous.seq, ms: previous.t1Ms };
}

function readingAt(seq: number, shown: ShownLeaves): Instant | undefined {
  const leaf = shown.at(seq)?.leaf;
  return leaf?.kind === "reading" ? { seq, ms: leaf.timeMs } : undefined;
}

/** An instant by the clock of the close, which names the last clock step before it. */
function nowOf(shown: ShownLeaves, close: IntervalClose, { seq, ms }: Instant): number | undefined {
  if (close.lastClockStepSeq === undefined || close.lastClockStepSeq < seq) return ms;
  return movedTo(shown, ms, { from: seq, to: close.seq });
}

/** t1 of a close that ends a chain is its closing reading's time; any other one lies at or behind it. */
function end(close: IntervalClose, shown: ShownLeaves): Difference | undefined {
  const lastMs = lastReadingMs(close, shown);
  const { t1Ms } = close;
  const ends = hasShape(close, CLOSE_SHAPE.endsChain);
  if (lastMs === undefined || (ends ? t1Ms === lastMs : t1Ms >= lastMs)) return undefined;
  const expected = ends ? said(lastMs) : `${lastMs} or more`;
  return { leaves: [close.closingSeq, close.seq], property: "t1Ms", expected, got: said(t1Ms) };
}

/** When the registers at the end of the close were read, on the clock of the close. */
function lastReadingMs(close: IntervalClose, shown: ShownLeaves): number | undefined {
  const leaf = shown.at(close.closingSeq)?.leaf;
  if (leaf?.kind !== "reading") return undefined;
  const ms = statedMs(leaf);
  const isOpening = close.closingSeq === close.openingSeq;
  // The reading that opened the chain counts as of when it came.
  if (ms === leaf.timeMs || (isOpening && opensAtReading(close)))
    return nowOf(shown, close, { seq: leaf.seq, ms: leaf.timeMs });
  if (isOpening) return lastBefore(close, shown);
  const t0Ms = standOf(close, shown);
  const nowMs = nowOf(shown, close, { seq: leaf.seq, ms });
  return t0Ms === undefined || nowMs === undefined ? undefined : Math.max(nowMs, t0Ms);
}

/** The end of the close before, on the clock of this one, which ends at the same reading. */
function lastBefore(close: IntervalClose, shown: ShownLeaves): number | undefined {
  const previous = previousOf(close, shown);
  if (previous?.closingSeq !== close.openingSeq) return undefined;
  const ms = lastReadingMs(previous, shown);
  return ms === undefined ? undefined : nowOf(shown, close, { seq: previous.seq, ms });
}

/** Where the chain stood before the close, on the clock of the close: a bridge begins elsewhere. */
function standOf(close: IntervalClose, shown: ShownLeaves): number | undefined {
  if (!hasShape(close, CLOSE_SHAPE.bridges)) return close.t0Ms;
  const from = beginOf(close, shown);
  return from && nowOf(shown, close, from);
}

/** The boundary is the first one at or after the closing reading, near enough; a chain does not end before it is due. */
function boundary(close: IntervalClose, shown: ShownLeaves): Difference | undefined {
  const { intervalMs } = shown;
  if (intervalMs === undefined) return undefined;
  const ends = hasShape(close, CLOSE_SHAPE.endsChain);
  const { t1Ms, closingSeq, seq } = close;
  if (!ends && t1Ms % intervalMs !== 0)
    return { leaves: [0, seq], property: "t1Ms", expected: `a multiple of ${intervalMs}`, got: said(t1Ms) };
  const lastMs = lastReadingMs(close, shown);
  if (lastMs === undefined) return undefined;
  const next = boundaryAtOrAfter(lastMs, intervalMs);
  const leaves = [0, closingSeq, seq];
  if (!ends && next !== t1Ms) return { leaves, property: "t1Ms", expected: said(next), got: said(t1Ms) };
  // Where a chain stands on the new clock a bridge does not say; only there can its reading be no boundary reading.
  if (next === lastMs && hasShape(close, CLOSE_SHAPE.bridges)) return undefined;
  const due = next < close.timeMs && next > close.t0Ms && isNear(close, shown, next - lastMs);
  if (due === undefined || due === !ends) return undefined;
  const property = ends ? "shape" : "t1Ms";
  const expected = ends ? `a close at ${next}` : "a closing reading near it";
  return { leaves, property, expected, got: said(ends ? close.shape : t1Ms) };
}

/** Undefined where the manifest that says how often the channel is read is not shown. */
function isNear(close: IntervalClose, shown: ShownLeaves, byMs: number): boolean | undefined {
  const manifest = shown.at(close.manifestSeq)?.leaf;
  const { intervalMs } = shown;
  if (manifest?.kind !== "channelManifest" || intervalMs === undefined) return undefined;
  return byMs <= boundaryToleranceMs({ intervalMs, samplingMs: manifest.samplingMs });
}

/** Coarse means that t1 lies more than one interval behind the last boundary at or before t0. */
function coarse(close: IntervalClose, shown: ShownLeaves): Difference | undefined {
  const { intervalMs } = shown;
  if (intervalMs === undefined) return undefined;
  const { t0Ms, t1Ms, shape, seq } = close;
  const isCoarse = t1Ms - (t0Ms - (t0Ms % intervalMs)) > intervalMs;
  if (isCoarse === hasShape(close, CLOSE_SHAPE.coarse)) return undefined;
  return {
    leaves: [0, seq],
    property: "shape",
    expected: isCoarse ? "coarse" : "not coarse",
    got: said(shape),
  };
}
