import { type Difference, type LeafRule, said } from "./fault-leaves.ts";
import { eachOf } from "./fault-reference-rules.ts";
import { CLOSE_SHAPE, type IntervalClose, KNOWN_TIME } from "./leaf.ts";
import { hasShape } from "./segments.ts";

/** What a close says against itself: no other leaf is needed. */
export const CLOSE_ITSELF: LeafRule = { code: "close-itself", check: eachOf("intervalClose", itself) };

type Statement = readonly [holds: boolean, property: string, expected: string, got: number | undefined];

/** What no close can say, whatever the log holds. */
function itself(close: IntervalClose): Difference | undefined {
  for (const [holds, property, expected, got] of [...placesOf(close), ...valuesOf(close)]) {
    if (!holds) return { leaves: [close.seq], property, expected, got: said(got) };
  }
  return undefined;
}

/** What a close names came about in this order. */
function placesOf(close: IntervalClose): Statement[] {
  const { openingSeq, closingSeq, lastDiscontinuitySeq: brokenSeq, previousCloseSeq, shape } = close;
  const { lastClockStepSeq: steppedSeq } = close;
  const ends = hasShape(close, CLOSE_SHAPE.endsChain);
  const opens = hasShape(close, CLOSE_SHAPE.opensChain);
  const bridges = hasShape(close, CLOSE_SHAPE.bridges);
  return [
    [closingSeq < close.seq, "closingSeq", `below ${close.seq}`, closingSeq],
    [openingSeq <= closingSeq, "openingSeq", `at most ${closingSeq}`, openingSeq],
    [!ends || openingSeq < closingSeq, "openingSeq", `below ${closingSeq}`, openingSeq],
    [(brokenSeq ?? -1) < openingSeq, "lastDiscontinuitySeq", `below ${openingSeq}`, brokenSeq],
    [opens || previousCloseSeq !== undefined, "shape", "opens a chain", shape],
    [opens || !bridges, "shape", "opens a chain", shape],
    [!bridges || (steppedSeq ?? -1) > openingSeq, "lastClockStepSeq", `above ${openingSeq}`, steppedSeq],
  ];
}

function valuesOf(close: IntervalClose): Statement[] {
  const { t0Ms, t1Ms, timeMs, timeQuality, count, shape, statusUnion } = close;
  const ends = hasShape(close, CLOSE_SHAPE.endsChain);
  return [
    [timeQuality >= KNOWN_TIME, "timeQuality", "2 or more", timeQuality],
    [t1Ms >= t0Ms && (ends || t1Ms > t0Ms), "t1Ms", `above ${t0Ms}`, t1Ms],
    [t1Ms <= timeMs && (ends || t1Ms < timeMs), "t1Ms", `below ${timeMs}`, t1Ms],
    [shape !== 0, "shape", "absent", shape],
    [statusUnion !== 0, "statusUnion", "absent", statusUnion],
    ...rises("Import", close.openingImportMwh, close.closingImportMwh),
    ...rises("Export", close.openingExportMwh, close.closingExportMwh),
    [count <= close.seq - close.openingSeq - 1, "count", "a reading for each one counted", count],
    ...powersOf(close),
  ];
}

/** Within a chain no register falls, and the meter does not lose one. */
function rises(
  name: "Import" | "Export",
  opening: number | undefined,
  closing: number | undefined,
): Statement[] {
  const property = `closing${name}Mwh`;
  if (opening === undefined || closing === undefined)
    return [[opening === closing, property, opening === undefined ? "none" : "a register", closing]];
  return [[closing >= opening, property, `${opening} or more`, closing]];
}

function powersOf({ count, minPowerMw, maxPowerMw }: IntervalClose): Statement[] {
  const both = (minPowerMw === undefined) === (maxPowerMw === undefined);
  const sound = both && (minPowerMw ?? 0) <= (maxPowerMw ?? 0);
  return [
    [sound, "maxPowerMw", `with ${said(minPowerMw)}`, maxPowerMw],
    [count > 0 || minPowerMw === undefined, "minPowerMw", "none", minPowerMw],
  ];
}
