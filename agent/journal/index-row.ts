import { KNOWN_TIME, type Leaf } from "../../attest/leaf.ts";
import { isLifecycle } from "../../attest/lifecycle.ts";

/** A statement of statements.sql and what it binds beside the epoch. */
interface IndexRow {
  readonly statement: "addMark" | "addFlexibility";
  readonly values: Readonly<Record<string, number | string | null>>;
}

/** The row by which a proof finds the leaf without decoding the log; undefined for what no proof looks for. */
export function indexRow(leaf: Leaf): IndexRow | undefined {
  const { kind, seq } = leaf;
  if (kind === "intervalClose")
    return mark({ seq, kind, channel: leaf.channel, t0Ms: leaf.t0Ms, t1Ms: leaf.t1Ms });
  if (kind === "channelManifest") return mark({ seq, kind, channel: leaf.channel, t0Ms: null, t1Ms: null });
  if (kind === "anchor") return mark({ seq, kind, channel: null, t0Ms: null, t1Ms: null });
  if (isLifecycle(leaf))
    return mark({ seq, kind, channel: leaf.channel, t0Ms: leaf.timeMs, t1Ms: leaf.timeMs });
  // One that carries the time since boot is of no time that anybody could ask for.
  if (kind !== "flexibility" || leaf.timeQuality < KNOWN_TIME) return undefined;
  return { statement: "addFlexibility", values: { channel: leaf.channel, ms: leaf.timeMs, seq } };
}

function mark(values: IndexRow["values"]): IndexRow {
  return { statement: "addMark", values };
}
